"""`git orch doctor`: check this repository and its remote."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import make_target_hint, opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import OrchError
from gitorch.core.names import DEFAULT_NAMESPACE
from gitorch.core.settings import Entry
from gitorch.core.text import typed

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.hookplan import Hook
    from gitorch.core.model import Snapshot
    from gitorch.core.settings import Entries
    from gitorch.shell.gitcmd import Git
    from gitorch.shell.racing import Racing

MINIMUM_GIT = (2, 38)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: `level` is ok, warning or problem."""

    level: str
    what: str
    hint: str = ""


EXAMPLES = ("git orch doctor", "git orch doctor --remote-race      once for each new server")


def run(
    target: Target = None,
    remote: Remote = None,
    remote_race: Annotated[
        bool, typer.Option("--remote-race", help="Race pushes, too: does one win, and only one?")
    ] = False,
    as_json: AsJson = False,
) -> Answer:
    """Check this repository and its remote.

    Looks at versions, configuration, hooks, the target and its gate, and probes on scratch refs, which it takes away
    again, whether the remote keeps what git orch relies on: create-only, compare-and-swap, all or nothing. Changes
    nothing else. Exits with 1 when something is wrong.
    """
    with opened(remote=remote, target=target) as here:
        findings = [*_versions(here), *_configuration(here), *_hooks(here)]
        try:
            snapshot = here.world.store.observe({here.session.target})
        except OrchError as problem:
            findings.append(Finding("problem", problem.message, "git remote -v"))
        else:
            findings += [*_state(here, snapshot), *_signing(here, snapshot)]
            probes = list(_probes(here))
            findings += probes
            if remote_race and all(finding.level == "ok" for finding in probes):
                findings += _race(here)
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
    from gitorch.core.clone_config import clone_troubles, harmless, server_troubles

    config, names = _all_config(repository.git, "git config"), here.world.namespace
    troubles = list(() if here.session.is_self else clone_troubles(config, name, names))
    server = config if here.session.is_self else _server_config(here)
    troubles += server_troubles(server, names)
    yield from (Finding(trouble.level, trouble.what, trouble.hint) for trouble in troubles)
    yield from (Finding("ok", text) for text in (() if here.session.is_self else harmless(config, name)))


def _server_folder(here: Opened) -> Path | None:
    """The repository that is pushed to, where it is a folder of this machine."""
    session = here.session
    if session.is_self:
        return session.repository.common_dir
    url = session.repository.git.run("remote", "get-url", "--push", session.remote, ok=()).text()
    path = Path(url.removeprefix("file://")) if url.startswith(("/", "file:///", "./", "../")) else None
    return path if path is not None and path.is_dir() else None


def _server_config(here: Opened) -> Entries:
    """The configuration of a remote on this machine; empty for one that is elsewhere."""
    from gitorch.shell.gitcmd import Git

    folder = _server_folder(here)
    if folder is None:
        return {}
    # Of that folder, whatever GIT_DIR says of ours.
    return _all_config(Git(folder), str(folder))


def _all_config(git: Git, origin: str) -> Entries:
    """Everything that git reads there: other commands look at a few sections only."""
    out = git.run("config", "--list", "-z", ok=()).out.decode("utf-8", "replace")
    found: dict[str, list[Entry]] = {}
    for item in out.split("\0"):
        key, newline, value = item.partition("\n")
        if key:
            found.setdefault(key, []).append(Entry(value if newline else "true", origin))
    return found


def _hooks(here: Opened) -> Iterator[Finding]:
    """Those of this clone, and of a remote that is a folder here. None is needed; an old one is worse than none."""
    from gitorch.core.hookplan import CLIENT, SERVER
    from gitorch.shell.hookfiles import HookFiles, clone_place, server_place

    try:
        if not here.session.is_self:
            files = HookFiles(clone_place(here.session.repository))
            yield from (_hook_finding(files.look(name), "") for name in CLIENT)
        folder = _server_folder(here)
        if folder is not None:
            files = HookFiles(server_place(folder))
            option = f" --server {shlex.quote(str(folder))}"
            yield from (_hook_finding(files.look(name), option) for name in SERVER)
    except OrchError as problem:
        yield Finding("warning", f"the hooks could not be looked at: {problem.message}", problem.hint)


def _hook_finding(hook: Hook, option: str) -> Finding:
    where = "on the remote" if option else "in this clone"
    install = f"git orch hooks install{option}"
    if hook.state == "current":
        return Finding("ok", f"the hook {hook.name} {where} is current")
    if hook.state in ("outdated", "edited", "disabled"):
        return Finding("warning", f"the hook {hook.name} {where} is {hook.state}", install)
    return Finding("ok", f"the hook {hook.name} is not installed {where} ({install})")


def _signing(here: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether events must be signed, and whether this clone can."""
    session = here.session
    try:
        rules = session.signing_policy().rules(session.target, snapshot.heads.get(session.target))
    except OrchError as problem:
        yield Finding("problem", problem.message, problem.hint)
        return
    if not rules.required:
        return
    key = session.repository.value("user.signingkey")
    form = session.repository.value("gpg.format") or "openpgp"
    if key is None and form == "ssh" and session.repository.value("gpg.ssh.defaultkeycommand") is None:
        yield Finding("problem", "events must be signed, and no key is configured", "git config user.signingKey KEY")
    else:
        yield Finding("ok", f"events must be signed, and are ({form})")


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

    world, store = here.world, here.session.store
    found = RemoteProbes(store, world.namespace, world.clock, world.random).run()
    folder = world.namespace.notes.rpartition("/")[0]
    if found[-1].problem is None and folder != world.namespace.root:
        found.append(_racing(here).takes(folder))
    for probe in found:
        if probe.problem is None:
            yield Finding("ok", f"the remote {probe.name}")
        else:
            hint = probe.hint or "git remote -v (may you write there, and is it the right one?)"
            yield Finding("problem", f"the remote fails where it {probe.name}: {probe.problem}", hint)
    if found and found[0].refused and world.namespace.root == DEFAULT_NAMESPACE:
        yield from _fallback(here)


def _fallback(here: Opened) -> Iterator[Finding]:
    """Hosts that take branches and tags only can keep the state below a folder of branches."""
    from gitorch.core.names import FALLBACK_NAMESPACE, Namespace
    from gitorch.shell.probes import RemoteProbes

    world = here.world
    found = RemoteProbes(here.session.store, Namespace(FALLBACK_NAMESPACE), world.clock, world.random).run()
    if all(probe.problem is None for probe in found):
        yield Finding(
            "warning",
            f"the remote keeps every promise below {FALLBACK_NAMESPACE}: everybody can use that instead",
            f"git config orch.namespace {FALLBACK_NAMESPACE}",
        )


def _racing(here: Opened) -> Racing:
    from gitorch.shell.racing import Racing

    session, world = here.session, here.world
    url = str(session.repository.common_dir) if session.is_self else session.remote
    return Racing(session.repository.git, session.objects, url, world.namespace, world.clock, world.random)


def _race(here: Opened) -> Iterator[Finding]:
    from gitorch.shell.racing import RACERS, ROUNDS

    races = _racing(here).run()
    bad = [race.problem for race in races if race.problem is not None]
    if bad:
        yield Finding("problem", f"the remote does not compare and swap: {bad[0]}", "keep git orch on another server")
    else:
        yield Finding("ok", f"of {RACERS} pushes at once one won, in each of {2 * ROUNDS} races")


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
