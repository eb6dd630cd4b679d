"""Folding finished jobs into the archive, and dropping the refs of workers that are gone, so that the number of refs
follows the work that is open and not the work that was ever done.

Why no race can lose a job (I3): only jobs in a final state are folded, and nothing leaves a final state, so what the
archive says of a job stays true. The archive grows and the job's ref goes in one atomic push, and each deletion names
the value that it deletes: of two that fold the same job one is refused, and looks again. A reader that sees half of
such a push finds the job in one place or in both, or looks in the archive once more.

Why a job does not come back: the push that made it may have been thought lost, sent again, and still be on its way. It
names no old value, so nothing but the job's own ref holds it off, and that ref goes when the job is folded. Like `git
gc`, this one leaves alone what is younger than a grace (orch.gcGrace), which no push is on its way for. Ages are by
this machine's clock; a clock that is wrong gives less of this, or folds later.

Why no worker can be robbed: a worker's ref is presence, and nothing that a claim protects. A worker that was taken for
gone and lives finds its ref missing at its next beat, and begins a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gitorch.core.errors import OrchError, RefusedError
from gitorch.core.model import DiaryEntry, Job, JobId, Oid, Seen, Snapshot, State, Worker
from gitorch.core.observation import advance
from gitorch.core.plan import MAX_UPDATES
from gitorch.core.plan_queue import Folding, plan_fold
from gitorch.core.states import FINAL
from gitorch.core.text import escape, one_line
from gitorch.core.times import format_time
from gitorch.core.writes import ArchiveEntry, OutcomeKind
from gitorch.engine.exchange import MAX_ROUNDS, pause, publish, too_busy
from gitorch.engine.world import World

JOBS_A_PUSH = MAX_UPDATES - 2
"""Jobs in one push, beside the archive itself: one ref is left free."""

WORTH_A_PUSH = 20
"""Finished jobs from which on somebody folds them in passing."""

WORKERS_IN_PASSING = 8
"""Workers that are gone from which on their refs are dropped in passing, and how many at a time."""

TRIES_IN_PASSING = 3
SILENT_TTLS = 3.0
"""A worker without claims whose ref was seen unchanged for so many of its TTLs is gone: longer than its claims take to
be returned, since nobody waits for this."""

_gave_up: set[int] = set()
"""The stores of this process whose remote does not allow a deletion: it need not be asked after each landing."""


@dataclass(slots=True)
class GcReport:
    """What was folded and dropped, in how many pushes; `kept` is how many finished jobs stay for now, `refused` why the
    remote does not allow it (in passing)."""

    folded: list[JobId] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    pushes: int = 0
    kept: int = 0
    refused: str = ""


def collect(world: World, snapshot: Snapshot | None = None, *, everything: bool = True) -> GcReport:
    """Fold what is finished, as many pushes as it takes; with `everything` unset only what is worth one push in
    passing, and without jobs that open ones wait for. Raises UnreachableError; RefusedError when the remote allows no
    deletions (in passing that is reported, and not tried again by this process)."""
    report = GcReport()
    if not everything and id(world.store) in _gave_up:
        return report
    try:
        _collect(world, snapshot, report, everything=everything)
    except RefusedError as problem:
        if everything:
            raise _not_allowed(problem) from None
        _gave_up.add(id(world.store))
        report.refused = problem.message
    return report


def collect_in_passing(world: World, snapshot: Snapshot | None) -> GcReport:
    """As `collect` for a command that has something else to do and a snapshot at hand: costs nothing when there is
    nothing to fold, and raises nothing; what went wrong is said."""
    if snapshot is None:
        return GcReport()
    try:
        return collect(world, snapshot, everything=False)
    except OrchError as problem:
        world.reporter.say(f"finished jobs were not archived: {problem.message}")
        return GcReport()


def _collect(world: World, snapshot: Snapshot | None, report: GcReport, *, everything: bool) -> None:
    lost, tip = 0, None
    while True:
        snapshot = snapshot or world.store.observe()
        folding = _next(world, snapshot, tip, everything=everything)
        if folding is None:
            report.kept = sum(1 for seen in snapshot.jobs.values() if seen.record.state in FINAL)
            return
        plan = plan_fold(world.context(), folding)
        outcome = publish(world, plan)
        if outcome.kind is not OutcomeKind.PUBLISHED:
            lost, tip, snapshot = lost + 1, None, None
            if lost >= (MAX_ROUNDS if everything else TRIES_IN_PASSING):
                if everything:
                    raise too_busy(outcome.detail)
                return
            pause(world)
            continue
        lost = 0
        tip = outcome.oids.get(world.namespace.archive) or tip
        report.pushes += 1
        report.folded += [entry.id for entry in folding.jobs]
        report.workers += [seen.record.id for seen in folding.workers]
        snapshot = advance(world.namespace, snapshot, plan, outcome.oids)
        if everything:
            world.reporter.say(f"{len(report.folded)} finished jobs archived")


def _next(world: World, snapshot: Snapshot, tip: Oid | None, *, everything: bool) -> Folding | None:
    """What the next push takes away; None when there is nothing (in passing: nothing that is worth a push). `tip` is
    the archive's commit as we wrote it last."""
    jobs = _foldable(world, snapshot, everything=everything)
    workers = list(_gone(world, snapshot))
    if not everything and len(jobs) < WORTH_A_PUSH:
        jobs = []
        workers = workers if len(workers) >= WORKERS_IN_PASSING else []
    if not jobs and not workers:
        return None  # before anything is read
    entries = [entry for seen in jobs[:JOBS_A_PUSH] if (entry := _entry(world, seen)) is not None]
    room = min(JOBS_A_PUSH - len(entries), JOBS_A_PUSH if everything else WORKERS_IN_PASSING)
    if not entries and not workers[:room]:
        return None
    return Folding(
        jobs=tuple(entries),
        workers=tuple(workers[:room]),
        archive=(tip or world.store.archive().tip) if entries else None,
    )


def _foldable(world: World, snapshot: Snapshot, *, everything: bool) -> list[Seen[Job]]:
    """The finished jobs that may go, those first that were finished first, and none that was made a moment ago. In
    passing, those stay that open jobs wait for: every observation would have to look them up."""
    still_open = [seen.record for seen in snapshot.jobs.values() if seen.record.state not in FINAL]
    needed = frozenset[JobId]() if everything else frozenset(d for job in still_open for d in job.after)
    now_ms, grace_ms = world.clock.now_ms(), world.gc_grace_s * 1000
    finished = (
        seen
        for seen in snapshot.jobs.values()
        if seen.record.state in FINAL
        and seen.record.id not in needed
        # A job that was made in the future tells of a wrong clock, and is not kept for ever.
        and abs(now_ms - seen.record.created_ms) >= grace_ms
    )
    return sorted(finished, key=lambda seen: (seen.record.updated_ms, seen.record.id))


def _gone(world: World, snapshot: Snapshot) -> Iterator[Seen[Worker]]:
    """The workers that left, or were silent for long, and hold no claim. Looking is an observation."""
    if not snapshot.workers:
        return
    claims = (seen.record for seen in snapshot.jobs.values() if seen.record.state is State.CLAIMED)
    busy = {job.worker for job in claims}
    for name, seen in sorted(snapshot.workers.items()):
        worker = seen.record
        if name in busy:
            continue
        unchanged_s = world.memory.unchanged_s(world.namespace.worker(name), seen.oid) if worker.present else 0.0
        if not worker.present or unchanged_s >= worker.ttl_s * SILENT_TTLS:
            yield seen


def _entry(world: World, seen: Seen[Job]) -> ArchiveEntry | None:
    """A finished job as the archive keeps it; None when its events cannot be read here: it stays. By the id of its
    event, which a concurrent command of this clone cannot prune."""
    diary = world.store.diary(seen.oid)
    if not diary:
        return None
    return ArchiveEntry(
        id=seen.record.id,
        tip=seen.oid,
        message=diary[0].message,
        branch=seen.record.branch,
        diary=tuple(_diary_line(event) for event in reversed(diary)),
    )


def _diary_line(event: DiaryEntry) -> str:
    subject = one_line(event.message.lstrip("\n").split("\n", 1)[0], 500)
    return f"{format_time(event.time_ms)} {event.oid} {subject} by {escape(event.who)}"


def _not_allowed(problem: RefusedError) -> RefusedError:
    return RefusedError(
        f"finished jobs stay where they are, because the remote does not allow that their refs are deleted: "
        f"{problem.message}",
        hint="git orch doctor (archiving needs the right to delete below the namespace; everything else works without)",
        refs=problem.refs,
    )
