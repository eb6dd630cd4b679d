"""What `git orch doctor` finds by writing: probes and races on scratch refs of the remote."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitorch.cli.findings import Finding
from gitorch.core.errors import OrchError
from gitorch.core.names import DEFAULT_NAMESPACE, FALLBACK_NAMESPACE, Namespace
from gitorch.core.text import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitorch.cli.opening import Opened
    from gitorch.core.model import Oid
    from gitorch.shell.probes import Probe
    from gitorch.shell.scratch import Scratch


def probing(here: Opened, race: bool) -> Iterator[Finding]:
    """Everything that is tried on the remote, and what is left there of others that were killed while they tried."""
    scratch, names = _scratch(here), here.world.namespace
    before = _littered(scratch, names)
    found, writable = _probes(scratch, names)
    yield from found
    if race and writable:
        yield from _race(scratch, names)
    elif race:
        why = "no race was run: it needs a remote that takes refs in the namespace and lets them be deleted"
        yield Finding("warning", why, "git orch doctor --remote-race")
    yield from _litter(here, before, _littered(scratch, names))


def _scratch(here: Opened) -> Scratch:
    from gitorch.shell.scratch import Scratch

    session, world = here.session, here.world
    url = str(session.repository.common_dir) if session.is_self else session.remote
    folder = session.repository.orch_dir
    return Scratch.on(session.repository.git, session.store, url, folder, world.clock, world.random)


def _probes(scratch: Scratch, names: Namespace) -> tuple[list[Finding], bool]:
    """What was found, and whether refs can be made and taken away again at all."""
    from gitorch.shell.probes import RemoteProbes, takes_notes

    probes = RemoteProbes(scratch, names)
    found = probes.run()
    folder = names.notes.rpartition("/")[0]
    if found[-1].problem is None and folder != names.root:
        found.append(takes_notes(scratch, folder))
    findings = [_as_finding(probe) for probe in found]
    findings += _left(scratch, probes.left)
    if found[0].refused and names.root == DEFAULT_NAMESPACE:
        findings += _fallback(scratch)
    return findings, found[0].problem is None and not probes.left


def _as_finding(probe: Probe) -> Finding:
    if probe.problem is None:
        return Finding("ok", f"the remote {probe.name}")
    hint = probe.hint or "git remote -v (may you write there, and is it the right one?)"
    return Finding("problem", f"the remote fails where it {probe.name}: {probe.problem}", hint)


def _fallback(scratch: Scratch) -> Iterator[Finding]:
    """Hosts that take branches and tags only can keep the state below a folder of branches."""
    from gitorch.shell.probes import RemoteProbes

    probes = RemoteProbes(scratch, Namespace(FALLBACK_NAMESPACE))
    bad: Probe | None = next((probe for probe in probes.run() if probe.problem is not None), None)
    if bad is None:
        yield Finding(
            "warning",
            f"the remote keeps every promise below {FALLBACK_NAMESPACE}: everybody can use that instead",
            f"git config orch.namespace {FALLBACK_NAMESPACE}",
        )
    else:
        yield Finding(
            "warning", f"below {FALLBACK_NAMESPACE}, too, it fails where it {bad.name}: {bad.problem}", bad.hint
        )
    yield from _left(scratch, probes.left)


def _left(scratch: Scratch, refs: Sequence[str]) -> Iterator[Finding]:
    if refs:
        remote = "REMOTE" if scratch.own else typed(scratch.url, "REMOTE")
        yield Finding(
            "warning",
            f"scratch refs of this run could not be taken away again, and do no harm: {', '.join(refs)}",
            f"git ls-remote {remote} {shlex.quote(refs[0])}",
        )


def _race(scratch: Scratch, names: Namespace) -> Iterator[Finding]:
    from gitorch.shell.racing import RACERS, ROUNDS, Racing

    racing = Racing(scratch, names)
    try:
        races = racing.run()
    except OrchError as problem:
        yield Finding("problem", f"the race could not be run to its end: {problem.message}", "git remote -v")
        races = []
    yield from _left(scratch, racing.left)
    bad = [race.problem for race in races if race.problem is not None]
    silent = sum(RACERS - race.answered for race in races)
    lost = [race for race in races if race.winners == 0]
    if bad:
        yield Finding("problem", f"the remote does not compare and swap: {bad[0]}", "keep git orch on another server")
    elif lost:
        why = f"; {silent} pushes got no answer" if silent else ""
        yield Finding(
            "warning",
            f"of {RACERS} pushes at once never two won, but in {len(lost)} of {2 * ROUNDS} races none did{why}: many"
            " clients at a time will wait for each other there",
            "git orch doctor --remote-race",
        )
    elif races:
        yield Finding("ok", f"of {RACERS} pushes at once one won, in each of {2 * ROUNDS} races")


def _littered(scratch: Scratch, names: Namespace) -> Mapping[str, Oid]:
    """The scratch refs of anybody else."""
    found = scratch.listed(f"{names.scratch('x').rpartition('/')[0]}/*")
    return {ref: oid for ref, oid in found.items() if f"/{scratch.nonce}-" not in ref}


def _litter(here: Opened, before: Mapping[str, Oid], after: Mapping[str, Oid]) -> Iterator[Finding]:
    """What stayed as it was all the time is of nobody who is at work."""
    left = sorted(ref for ref, oid in after.items() if before.get(ref) == oid)
    if not left:
        return
    ref, oid = left[0], after[left[0]]
    count = f"{len(left)} scratch refs" if len(left) > 1 else "a scratch ref"
    remote = typed(here.session.remote, "REMOTE")
    command = f"git push --no-verify --force-with-lease={ref}:{oid} {remote} :{ref}"
    own = f"git update-ref -d {ref} {oid}"
    yield Finding(
        "warning",
        f"{count} of a probe that was killed or may not delete (such as {ref}): no harm, and no use",
        own if here.session.is_self else command,
    )
