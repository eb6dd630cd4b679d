"""Landing all that is ready, one after another under one lease, and waiting for a lease that somebody else holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitorch.core.model import Job, JobId, Oid, Seen, Snapshot, State
from gitorch.core.queue import is_ready, states_of, to_land
from gitorch.engine.land import LandEnd, Lander, LandResult
from gitorch.engine.passing import tidy_up
from gitorch.engine.world import World

_STOPS = frozenset({LandEnd.BUSY, LandEnd.LOST, LandEnd.TARGET_RED})
_FIRST_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait for a busy lease: not at all, or with growing pauses up to `interval_s`."""

    wait: bool
    interval_s: float


def land_when_free(
    world: World, make: Callable[[], Lander], waiting: Waiting, attempt: Callable[[Lander], LandResult]
) -> LandResult:
    """Attempt something under the lease; where `wait` is set, watch a busy lease until it is free or dead."""
    pause_s = _FIRST_POLL_S
    while True:
        lander = make()
        started_s = world.clock.boot_s()
        result = attempt(lander)
        if result.end in (LandEnd.LANDED, LandEnd.ALREADY):
            tidy_up(world, lander.target, lander.snapshot, age_s=world.clock.boot_s() - started_s)
        if result.end is not LandEnd.BUSY or not waiting.wait:
            return result
        world.reporter.say(f"{result.reason}; waiting")
        world.clock.sleep(min(pause_s, waiting.interval_s, max(0.05, result.dead_in_s)))
        pause_s = pause_s * 1.5


@dataclass(frozen=True, slots=True)
class Train:
    """What `land_all` did. `waited`: another lander held the lease meanwhile."""

    results: list[LandResult]
    waited: bool


def land_all(
    world: World, target: str, make: Callable[[], Lander], waiting: Waiting, done: Callable[[LandResult], None]
) -> Train:
    """Land every ready job of a target, in order, until nothing is left that was not tried. `done` is told of each
    as it ends. What stops the rest (a busy lease, a lost one, a red target) is the last result."""
    results: list[LandResult] = []
    tried: dict[JobId, Oid | None] = {}
    pause_s, waited = _FIRST_POLL_S, False
    while True:
        lander = make()
        progress = _land_batch(lander, target, tried, results, done)
        if progress is None:
            tidy_up(world, target, lander.snapshot)
            return Train(results, waited)
        if progress.end is LandEnd.BUSY and waiting.wait:
            waited = True
            world.reporter.say(f"{progress.reason}; waiting")
            world.clock.sleep(min(pause_s, waiting.interval_s, max(0.05, progress.dead_in_s)))
            pause_s = pause_s * 1.5
            continue
        if progress.end is LandEnd.LOST and waiting.wait:
            continue
        results.append(progress)
        done(progress)
        return Train(results, waited)


def _land_batch(
    lander: Lander,
    target: str,
    tried: dict[JobId, Oid | None],
    results: list[LandResult],
    done: Callable[[LandResult], None],
) -> LandResult | None:
    """Land what is ready under one hold. None when nothing is left, otherwise the result that stopped it."""
    try:
        while True:
            snapshot = lander.snapshot or lander.observe()
            seen = _next(snapshot, target, tried, missing_holds=lander.world.missing_holds)
            if seen is None and lander.fresh:
                return None
            if seen is None:
                lander.observe()
                continue
            result = lander.land(seen.record.id, keep=_more_after(snapshot, target, tried, seen.record))
            if result.end in _STOPS:
                return result
            tried[seen.record.id] = seen.record.head
            results.append(result)
            done(result)
    finally:
        lander.hold.release()


def _next(snapshot: Snapshot, target: str, tried: dict[JobId, Oid | None], *, missing_holds: bool) -> Seen[Job] | None:
    """The first ready job that was not tried at its present head."""
    ready = to_land(snapshot, target, missing_holds=missing_holds)
    return next((seen for seen in ready if tried.get(seen.record.id) != seen.record.head), None)


def _more_after(snapshot: Snapshot, target: str, tried: dict[JobId, Oid | None], job: Job) -> bool:
    """Whether something else could land once this job has: then its push keeps the lease."""
    states = {**states_of(snapshot), job.id: State.DONE}
    return any(
        seen.record.id != job.id
        and seen.record.state is State.SUBMITTED
        and seen.record.target == target
        and tried.get(seen.record.id) != seen.record.head
        and is_ready(seen.record, states)
        for seen in snapshot.jobs.values()
    )
