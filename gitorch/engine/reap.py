"""Returning what nobody keeps any more: claims and slots of dead workers, jobs whose work is on the target already or
whose target is gone, leases of dead holders.

Everything goes back to the queue or forward to `done`; nothing is deleted. Who is dead is a matter of observation (see
gitorch.engine.liveness): no time that stands in a record is compared with anything, so a live holder whose clock is
hours off is never robbed, and one that is wrongly taken for dead is fenced, not harmed (I5). Each action is a push of
its own that names the values which it rests on: where somebody was faster, it is left to the next look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gitorch.core.errors import MissingError, RefusedError
from gitorch.core.lease import MARGIN, LeaseEvent, Standing, standing
from gitorch.core.lease import dead_in_s as lease_dead_in_s
from gitorch.core.model import Candidate, Derived, Job, JobId, Lease, Oid, Seen, Slot, Snapshot, State
from gitorch.core.observation import advance
from gitorch.core.plan import plan_job_event, plan_landed_already, plan_release
from gitorch.core.plan_queue import plan_leave, slot_update
from gitorch.core.queue import derived, states_of
from gitorch.core.settings import Rebase, Settings
from gitorch.core.states import Event
from gitorch.core.text import duration, one_line
from gitorch.core.verdicts import parse_landings
from gitorch.core.writes import OutcomeKind, Plan
from gitorch.engine.exchange import publish
from gitorch.engine.liveness import dead_in_s, unchanged_s
from gitorch.engine.world import World


@dataclass(frozen=True, slots=True)
class Watched:
    """Something whose holder may live; it is taken for dead when nothing moves for `dead_in_s` longer."""

    what: str
    holder: str
    dead_in_s: float


@dataclass(slots=True)
class ReapReport:
    """What was done: claims that were `returned` (the jobs as they are now, some are failed), jobs that are `landed`
    after all, jobs in `rework` for want of a target, `slots` and `leases` (as they were held) that came free; what the
    remote `refused`; what is `watched`. `snapshot` is the state after it."""

    snapshot: Snapshot
    returned: list[Job] = field(default_factory=list)
    landed: list[Job] = field(default_factory=list)
    rework: list[Job] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many things were put right."""
        done = (self.returned, self.landed, self.rework, self.slots, self.leases)
        return sum(len(things) for things in done)


def reap(world: World, target: str, snapshot: Snapshot | None = None, *, leases: bool = False) -> ReapReport:
    """Look once, and put right what can be. In passing (with the snapshot of another command) only the jobs of `target`
    are compared with it, and only by ancestry; with `leases`, the explicit command, all targets are looked at, landings
    are also found by their record and by their changes, and leases of dead holders are freed. A refusal is reported.
    Raises UnreachableError."""
    if leases:
        snapshot = _observe_all(world, target, snapshot)
    reaper = _Reaper(world, target, snapshot or world.store.observe({target}), thorough=leases)
    reaper.claims()
    reaper.slots()
    reaper.landings()
    if leases:
        reaper.leases()
    return reaper.report


def _observe_all(world: World, target: str, snapshot: Snapshot | None) -> Snapshot:
    """A snapshot with the tips of all targets that jobs name."""
    snapshot = snapshot or world.store.observe({target})
    wanted = {target, *(seen.record.target for seen in snapshot.jobs.values())}
    return snapshot if wanted <= snapshot.asked else world.store.observe(wanted)


def watch(world: World, target: str, interval_s: float) -> Iterator[ReapReport]:
    """Reap until all that is held now has come back, or shown that it lives; a report for each look."""
    awaited: dict[str, float] | None = None
    while True:
        report = reap(world, target, leases=True)
        yield report
        left = {watched.what: watched.dead_in_s for watched in report.watched}
        if awaited is not None:
            # Whoever has more time left than at the last look has given a sign of life.
            left = {what: left_s for what, left_s in left.items() if left_s <= awaited.get(what, -1.0)}
        awaited = left
        if not awaited:
            return
        world.clock.sleep(min(interval_s, max(0.05, *awaited.values())))


class _Reaper:
    """One look: the snapshot moves on with each thing that was put right."""

    def __init__(self, world: World, target: str, snapshot: Snapshot, *, thorough: bool) -> None:
        self.world = world
        self.report = ReapReport(snapshot)
        self._target = target
        self._thorough = thorough
        self._policies: dict[str, Settings] = {}

    # -- claims

    def claims(self) -> None:
        """Claims of dead workers go back to the queue; the look at the others is remembered."""
        for seen in self._jobs(State.CLAIMED):
            left_s = dead_in_s(self.world, self.report.snapshot, seen)
            if left_s > 0.0:
                self.report.watched.append(Watched(f"job {seen.record.id}", seen.record.worker or "", left_s))
                continue
            silent_s = unchanged_s(self.world, self.report.snapshot, seen)
            reason = one_line(f"nothing was heard of worker {seen.record.worker} for {duration(silent_s)}", 500)
            context = self.world.context(max_attempts=self._settings(seen.record.target).max_attempts)
            plan = plan_leave(context, self.report.snapshot, seen, Event.REAP, reason=reason)
            if self._publish(plan):
                self.report.returned.append(self.report.snapshot.jobs[seen.record.id].record)

    # -- slots

    def slots(self) -> None:
        """Slots that no claim has: a crash cannot leave one, since claims take and free them in their own push, but
        damage can. They come free when this is seen unchanged for long, since half of a push looks the same."""
        for number, seen in sorted(self.report.snapshot.slots.items()):
            if not seen.record.held or seen.record.job is None or self._is_used(seen.record):
                continue
            job = self.report.snapshot.jobs.get(seen.record.job)
            # Of both: the slot was unchanged for as long as the claim was good.
            both = Oid(seen.oid + (job.oid if job is not None else ""))
            silent_s = self.world.memory.unchanged_s(self.world.namespace.slot(number) + "/without-claim", both)
            left_s = self._settings(self._target).worker_ttl_s * MARGIN - silent_s
            if left_s > 0.0:
                self.report.watched.append(Watched(f"slot {number}", f"nobody (job {seen.record.job})", left_s))
                continue
            context = self.world.context()
            free = replace(seen.record, held=False, job=None, token=None, updated_ms=context.now_ms)
            if self._publish(Plan((slot_update(context, seen, free, "free"),), f"free slot {number}")):
                self.report.slots.append(number)

    def _is_used(self, slot: Slot) -> bool:
        seen = self.report.snapshot.jobs.get(JobId(slot.job or ""))
        if seen is None or seen.record.state is not State.CLAIMED:
            return False
        return (seen.record.slot, seen.record.token) == (slot.number, slot.token)

    # -- landings

    def landings(self) -> None:
        """Jobs whose work is on their target already are done; submitted ones whose target is gone go to rework."""
        by_target: dict[str, list[Seen[Job]]] = {}
        for seen in self._jobs(State.SUBMITTED, State.REWORK):
            by_target.setdefault(seen.record.target, []).append(seen)
        for target, jobs in by_target.items():
            tip = self.report.snapshot.tip(target) if target in self.report.snapshot.asked else None
            if tip is not None:
                self._finish_all(list(self._landed(jobs, tip)))
            elif target in self.report.snapshot.asked:
                for seen in jobs:
                    self._target_is_gone(seen)

    def _landed(self, jobs: list[Seen[Job]], tip: Oid) -> Iterator[tuple[Seen[Job], Oid]]:
        """The jobs whose work is on the target, and as which commit."""
        there = self.world.history.contained([job.record.head for job in jobs if job.record.head is not None], tip)
        for seen in jobs:
            head = seen.record.head
            if head in there:
                yield seen, head
            elif head is not None and self._thorough and (landed := self._landed_as(seen.record, head, tip)):
                yield seen, landed

    def _finish_all(self, found: list[tuple[Seen[Job], Oid]]) -> None:
        """Each after what it waits for (I6): one that waits for something else stays."""
        while found:
            states = states_of(self.report.snapshot)
            ready = [
                pair
                for pair in found
                if derived(pair[0].record, states, missing_holds=self.world.missing_holds) is Derived.READY
            ]
            for seen, landed in ready:
                self._finish(seen, landed)
            if not ready:
                return
            found = [pair for pair in found if pair not in ready]

    def _target_is_gone(self, seen: Seen[Job]) -> None:
        if seen.record.state is not State.SUBMITTED:
            return
        reason = one_line(f"its target {seen.record.target} is not on the remote any more", 500)
        plan = plan_leave(self.world.context(), self.report.snapshot, seen, Event.REAP, reason=reason)
        if self._publish(plan):
            self.report.rework.append(self.report.snapshot.jobs[seen.record.id].record)

    def _landed_as(self, job: Job, head: Oid, tip: Oid) -> Oid | None:
        """The commit that is recorded for a job on its target, or (found by its changes) the tip."""
        later = self.world.history.only_in(tip, head)
        for commit, note in self.world.store.notes(self.report.snapshot, later).items():
            if any((found.job, found.head) == (job.id, head) for found in parse_landings(note)):
                return commit
        keep_merges = self._settings(job.target).rebase is Rebase.WHEN_BEHIND
        try:
            built = self.world.catch_up.catch_up(head, tip, keep_merges=keep_merges)
        except MissingError:
            return None
        return tip if isinstance(built, Candidate) and built.commit == tip else None

    def _finish(self, seen: Seen[Job], landed: Oid) -> None:
        """A job in rework is submitted again first: killed in between, the next landing finds the same."""
        name = seen.record.id
        if seen.record.state is State.REWORK:
            if not self._publish(plan_job_event(self.world.context(), seen, Event.RETRY)):
                return
            seen = self.report.snapshot.jobs[name]
        plan, _ = plan_landed_already(self.world.context(), seen, landed, None)
        if self._publish(plan):
            self.report.landed.append(self.report.snapshot.jobs[name].record)

    # -- leases

    def leases(self) -> None:
        """Leases of dead holders come free; a lander would take them just so."""
        for target, seen in sorted(self.report.snapshot.leases.items()):
            if not seen.record.held:
                continue
            silent_s = self.world.memory.unchanged_s(self.world.namespace.lease(target), seen.oid)
            holder = seen.record.holder or ""
            if standing(seen.record, token=None, unchanged_s=silent_s) is not Standing.DEAD:
                left_s = lease_dead_in_s(seen.record, silent_s)
                self.report.watched.append(Watched(f"lease of {target}", holder, left_s))
                continue
            reason = one_line(f"nothing was heard of its holder {holder} for {duration(silent_s)}", 500)
            plan, _ = plan_release(self.world.context(), seen, reason=reason, event=LeaseEvent.BREAK)
            if self._publish(plan):
                self.report.leases.append(seen.record)

    # -- helpers

    def _jobs(self, *states: State) -> list[Seen[Job]]:
        found = (seen for seen in self.report.snapshot.jobs.values() if seen.record.state in states)
        return sorted(found, key=lambda seen: seen.record.id)

    def _settings(self, target: str) -> Settings:
        """What is configured for a target, read when the first thing needs it."""
        if target not in self._policies:
            known = target in self.report.snapshot.asked
            tip = self.report.snapshot.tip(target) if known else None
            self._policies[target] = self.world.policy.settings(target, tip)
        return self._policies[target]

    def _publish(self, plan: Plan) -> bool:
        """Publish one thing. False when somebody was faster, or the remote says no."""
        try:
            outcome = publish(self.world, plan)
        except RefusedError as problem:
            self.report.refused.append(f"{plan.reason}: {problem.message}")
            return False
        if outcome.kind is not OutcomeKind.PUBLISHED:
            return False
        self.report.snapshot = advance(self.world.namespace, self.report.snapshot, plan, outcome.oids)
        return True
