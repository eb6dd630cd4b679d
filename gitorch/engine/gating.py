"""The verdict on a candidate: known already, or reached by running the gate under the lease.

A verdict belongs to a tree and a gate's text. A green one is never reached twice; a red one is only believed of a
job when the base it was built on is green, so that nobody is blamed for a target that was red before.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.core.gates import Gate, GateEnd, GateRequest, GateResult
from gitorch.core.model import Candidate, Color, JobId, Oid, Snapshot, Verdict
from gitorch.core.verdicts import verdict_for
from gitorch.engine.hold import Hold
from gitorch.engine.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What is known of a tree. `color` is None when the gate was stopped, `reason` then says why. `cached`: known
    before; `ungated`: the gate is `none`. `fresh` are verdicts that are to be noted."""

    color: Color | None
    seconds: float = 0.0
    cached: bool = False
    ungated: bool = False
    reason: str = ""
    tail: bytes = b""
    log: str | None = None
    fresh: tuple[Verdict, ...] = ()


def known_verdict(world: World, snapshot: Snapshot, tree: Oid, gate: Gate, target: str) -> tuple[Verdict | None, bool]:
    """The verdict in force for a tree, and whether it is noted on the remote already. One that was noted by somebody
    who may not is none."""
    noted = verdict_for(world.store.notes(snapshot, [tree]).get(tree), tree, gate.digest)
    if noted is not None and world.trust.trusted_note(snapshot, target, tree):
        return noted, True
    return world.memory.verdict(tree, gate.digest), False


def try_candidate(
    world: World, hold: Hold, snapshot: Snapshot, gate: Gate, candidate: Candidate, job: JobId | None, target: str
) -> Tested:
    """A green verdict that is known ends it; otherwise the gate runs, with the lease kept alive meanwhile."""
    known, noted = known_verdict(world, snapshot, candidate.tree, gate, target)
    if known is not None and known.color is Color.GREEN:
        return Tested(color=Color.GREEN, seconds=known.seconds, cached=True, fresh=() if noted else (known,))
    if not gate.commands:
        return _judged(world, gate, candidate, job, GateResult(end=GateEnd.GREEN, seconds=0.0))
    if job is not None:
        hold.testing(job, candidate)
    request = GateRequest(
        gate=gate, commit=candidate.commit, tree=candidate.tree, target=target, base=candidate.base, job=job
    )
    return _judged(world, gate, candidate, job, world.gates.run(request, hold.tick))


def _judged(world: World, gate: Gate, candidate: Candidate, job: JobId | None, result: GateResult) -> Tested:
    if result.end is GateEnd.STOPPED:
        return Tested(color=None, seconds=result.seconds, reason=result.reason, log=result.log)
    verdict = Verdict(
        color=Color.GREEN if result.end is GateEnd.GREEN else Color.RED,
        tree=candidate.tree,
        gate=gate.digest,
        time_ms=world.clock.now_ms(),
        seconds=result.seconds,
        job=job,
        by=world.holder,
    )
    # Remembered before anything is pushed: a crash from here on costs no second run in this clone.
    world.memory.keep_verdict(verdict)
    return Tested(
        color=verdict.color,
        seconds=result.seconds,
        reason=result.reason,
        tail=result.tail,
        log=result.log,
        ungated=not gate.commands,
        fresh=(verdict,),
    )


def try_base(world: World, hold: Hold, snapshot: Snapshot, gate: Gate, candidate: Candidate, target: str) -> Tested:
    """After a red: the verdict on the base that the candidate was built on."""
    tree = world.history.tree_of(candidate.base)
    known, _ = known_verdict(world, snapshot, tree, gate, target)
    if known is None:
        world.reporter.say(f"testing {target} itself, so that nobody is blamed for what was red before")
    base = Candidate(candidate.base, tree, candidate.base)
    if known is not None and known.color is Color.RED:
        return Tested(color=Color.RED, seconds=known.seconds, cached=True)
    return try_candidate(world, hold, snapshot, gate, base, None, target)
