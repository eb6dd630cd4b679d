"""`git orch doctor`: check this repository and its remote."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitorch.cli.opening import make_target_hint, opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import OrchError
from gitorch.core.names import DEFAULT_NAMESPACE
from gitorch.core.text import typed

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Snapshot

MINIMUM_GIT = (2, 38)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: `level` is ok, warning or problem."""

    level: str
    what: str
    hint: str = ""


def run(target: Target = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Check this repository and its remote.

    Looks at versions, configuration, the target and its gate, and probes on scratch refs, which it takes away
    again, whether the remote keeps what git orch relies on: create-only, compare-and-swap, all or nothing. Changes
    nothing else. Exits with 1 when something is wrong.
    """
    with opened(remote=remote, target=target) as here:
        findings = [*_versions(here), *_configuration(here)]
        try:
            snapshot = here.world.store.observe({here.session.target})
        except OrchError as problem:
            findings.append(Finding("problem", problem.message, "git remote -v"))
        else:
            findings += [*_state(here, snapshot), *_probes(here)]
    return _answer(findings)


def _versions(here: Opened) -> Iterator[Finding]:
    from gitorch import __version__

    text = here.session.repository.git.line("version")
    numbers = re.search(r"(\d+)\.(\d+)", text)
    python = sys.version.split()[0]
    if numbers and (int(numbers[1]), int(numbers[2])) >= MINIMUM_GIT:
        yield Finding("ok", f"git orch {__version__}, {text}, Python {python}")
    else:
        yield Finding("problem", f"{text} is too old", "install git {}.{} or newer".format(*MINIMUM_GIT))


def _configuration(here: Opened) -> Iterator[Finding]:
    """What in a clone's configuration works against us."""
    repository, name = here.session.repository, here.session.remote
    if repository.value("user.email") is None:
        yield Finding(
            "warning",
            f"no identity is configured; events carry {repository.ident()}",
            "git config user.email YOU@EXAMPLE",
        )
    if repository.shallow:
        yield Finding(
            "warning", "this clone is shallow; branches may have no common commit here", "git fetch --unshallow"
        )
    if here.session.is_self:
        return
    if repository.value(f"remote.{name}.mirror") == "true":
        yield Finding(
            "problem",
            f"{name} is configured as a mirror: a plain `git push` deletes all state on it",
            f"git config --unset remote.{name}.mirror",
        )
    for entry in repository.config.get(f"remote.{name}.fetch", ()):
        destination = entry.value.partition(":")[2]
        if destination.startswith(("refs/*", DEFAULT_NAMESPACE, here.world.namespace.root)):
            yield Finding(
                "problem",
                f"the fetch refspec {entry.value} lets a plain `git fetch` overwrite local refs of git orch",
                f"git config --edit (remote.{name}.fetch)",
            )
    if repository.value(f"remote.{name}.pushurl"):
        yield Finding(
            "warning", f"{name} is pushed to another place than it is fetched from", f"git remote get-url --push {name}"
        )


def _state(here: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    session = here.session
    where = "this repository itself" if session.is_self else session.remote
    yield Finding("ok", f"the remote answers ({where}): {len(snapshot.jobs)} jobs, {len(snapshot.leases)} leases")
    needed = (here.world.namespace.lease(session.target), here.world.namespace.notes)
    for damage in sorted(snapshot.damaged, key=lambda found: found.ref not in needed)[:10]:
        # What a landing must write stops all of them; anything else is somebody's litter.
        level = "problem" if damage.ref in needed else "warning"
        what = f"{damage.ref} is not readable and left alone: {damage.problem}"
        yield Finding(level, what, _who_wrote(here, damage.ref))
    lost = session.store.lost()
    if lost:
        what = f"the remote lost state that this clone has seen ({len(lost)} refs that nothing deletes, as {lost[0]})"
        yield Finding("problem", what, "git orch restore -n")
    tip = snapshot.tip(session.target)
    if tip is None:
        yield Finding("problem", f"the target {session.target} does not exist there", make_target_hint(session))
        return
    try:
        settings = here.world.policy.settings(session.target, tip)
        settings.check()
        gate = settings.gate(session.repository.object_format)
    except OrchError as problem:
        yield Finding("problem", problem.message, problem.hint)
        return
    if gate is None:
        yield Finding("problem", "no gate is configured, so nothing lands", "git orch init --gate 'make test'")
    else:
        yield Finding("ok", f"target {session.target}, gate `{'; '.join(gate.commands) or 'none'}` from {gate.origin}")
    if settings.overrides_shared_gate():
        yield Finding(
            "warning",
            f"this clone's gate differs from the one in .gitorch of {session.target}; a server may refuse its landings",
            "git config --unset-all orch.gate",
        )
    obstacle = here.world.checkouts.obstacle(session.target)
    if obstacle is not None:
        yield Finding("warning", obstacle.message, obstacle.hint)


def _who_wrote(here: Opened, ref: str) -> str:
    """How to look at a ref that git orch cannot read."""
    if here.session.is_self:
        return f"git show {typed(ref, 'REF')} shows what it is"
    return f"git fetch {typed(here.session.remote, 'REMOTE')} {typed(ref, 'REF')} && git show FETCH_HEAD"


def _probes(here: Opened) -> Iterator[Finding]:
    from gitorch.shell.probes import RemoteProbes

    probes = RemoteProbes(here.session.store, here.world.namespace, here.world.clock, here.world.random)
    for probe in probes.run():
        if probe.problem is None:
            yield Finding("ok", f"the remote {probe.name}")
        else:
            hint = probe.hint or "git remote -v (may you write there, and is it the right one?)"
            yield Finding("problem", f"the remote fails where it {probe.name}: {probe.problem}", hint)


def _answer(findings: list[Finding]) -> Answer:
    data = {"findings": [{"level": f.level, "what": f.what, "hint": f.hint or None} for f in findings]}
    marks = {"ok": "ok       ", "warning": "warning  ", "problem": "problem  "}
    text = "\n".join(marks[f.level] + f.what + (f"\n         {f.hint}" if f.hint else "") for f in findings)
    problems = [f for f in findings if f.level == "problem"]
    if not problems:
        return Answer(data=data, text=text)
    first = problems[0]
    return Answer(
        data=data,
        text=text,
        code="failed",
        message=f"{len(problems)} problem{'s' * (len(problems) > 1)} found",
        hint=first.hint or "git orch status",
    )
