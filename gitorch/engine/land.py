"""The merge gate: one job at a time onto its target, under the target's lease (design: the six steps).

Each round starts from one observation and repeats the whole decision: a lost race, a moved target, a resubmitted
head and a re-drive after a crash all take this same path. What makes repeating cheap is that verdicts are kept by
tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from gitorch.core.errors import MissingError, RefusedError, UsageError
from gitorch.core.gates import Gate
from gitorch.core.model import Candidate, Color, Derived, Job, JobId, Lease, Oid, Seen, Snapshot, State, TextualConflict
from gitorch.core.names import branch_ref
from gitorch.core.observation import advance
from gitorch.core.plan import (
    Context,
    Landing,
    Notes,
    Rework,
    plan_gate_green,
    plan_land,
    plan_landed_already,
    plan_rework,
    plan_target_red,
)
from gitorch.core.queue import derived, is_target, open_dependencies, states_of
from gitorch.core.settings import Rebase, Settings
from gitorch.core.states import Event
from gitorch.core.text import escape, one_line, printable_block, typed
from gitorch.core.writes import OutcomeKind, Plan
from gitorch.engine.exchange import MAX_ROUNDS, pause, publish, require_readable, too_busy
from gitorch.engine.gating import Tested, try_base, try_candidate
from gitorch.engine.hold import Busy, Hold, Taken
from gitorch.engine.lookup import archived_job
from gitorch.engine.world import World


class LandEnd(Enum):
    """How an attempt to land (or to gate) one job ended."""

    LANDED = "landed"
    ALREADY = "already"
    GREEN = "green"
    BUSY = "busy"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    RED = "red"
    TARGET_RED = "target-red"
    LOST = "lost"
    GONE = "gone"
    BROKEN = "broken"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LandResult:
    """What happened to one job. `reason` is one sentence; `waits_for` names open dependencies; `lease` is as last
    seen; `left` says why the job's branch is not at the candidate, where it might be expected there."""

    end: LandEnd
    job: Job
    candidate: Candidate | None = None
    landed: Oid | None = None
    tested: Tested | None = None
    lease: Lease | None = None
    reason: str = ""
    left: str = ""
    paths: tuple[str, ...] = ()
    waits_for: tuple[JobId, ...] = ()
    dead_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round decided upon."""

    snapshot: Snapshot
    seen: Seen[Job]
    settings: Settings
    gate: Gate
    tip: Oid


class Lander:
    """Lands jobs of one target, or gates one. Keeps the last snapshot, so that jobs landed in a row need no fetch
    between them."""

    def __init__(self, world: World, target: str, hold: Hold, object_format: str = "sha1") -> None:
        self.world = world
        self.target = target
        self.hold = hold
        self.snapshot: Snapshot | None = None
        self.fresh = False
        self._object_format = object_format
        self._branches_wanted: set[str] = set()
        self._refused_branches: set[str] = set()

    def observe(self) -> Snapshot:
        """A fresh snapshot, kept for the next round."""
        self.snapshot = self.world.store.observe({self.target, *self._branches_wanted})
        self.fresh = True
        return self.snapshot

    def land(self, job_id: JobId, *, keep: bool = False) -> LandResult:
        """Land one job. `keep` leaves the lease held for a next one. Raises OrchError for what is nobody's turn to
        wait for: no gate, no target, a dirty checkout; the lease is free then."""
        return self._guarded(job_id, hold_on_green=False, keep=keep)

    def gate(self, job_id: JobId) -> LandResult:
        """Steps 1 to 5: the lease stays held on green, for hosts where something else performs the merge."""
        return self._guarded(job_id, hold_on_green=True, keep=False)

    def _guarded(self, job_id: JobId, *, hold_on_green: bool, keep: bool) -> LandResult:
        try:
            return self._rounds(job_id, hold_on_green=hold_on_green, keep=keep)
        except BaseException:
            # Errors and Ctrl-C alike: a lease that nobody works under must not make others wait.
            self.hold.release(reason="interrupted")
            raise

    def _rounds(self, job_id: JobId, *, hold_on_green: bool, keep: bool) -> LandResult:
        for _ in range(MAX_ROUNDS):
            snapshot = self.snapshot or self.observe()
            result = self._round(snapshot, job_id, hold_on_green=hold_on_green, keep=keep)
            if result is not None:
                return result
            self.snapshot = None
            pause(self.world)
        raise too_busy(self.hold.detail)

    # -- one round; None means that the world moved: look again

    def _round(self, snapshot: Snapshot, job_id: JobId, *, hold_on_green: bool, keep: bool) -> LandResult | None:
        seen = snapshot.jobs.get(job_id) or archived_job(self.world, job_id)
        if not self.hold.check(snapshot):
            return self._result(LandEnd.LOST, seen.record, reason="the lease was taken by somebody else")
        stop = self._not_now(snapshot, seen)
        if stop is not None:
            return self._let_go(stop)
        this = self._read_policy(snapshot, seen)
        stranger = self.world.trust.distrust(snapshot, seen)
        if stranger:
            return self._let_go(self._result(LandEnd.UNTRUSTED, seen.record, reason=stranger))
        try:
            caught_up = self._catch_up(this)
        except MissingError as problem:
            # Of this job alone: those behind it must not wait for whoever damaged it.
            return self._let_go(self._result(LandEnd.BROKEN, seen.record, reason=problem.message))
        if isinstance(caught_up, Candidate) and caught_up.commit == this.tip:
            return self._landed_already(this, keep=keep)
        if isinstance(caught_up, Candidate):
            self._require_room(caught_up)
        if self.hold.held is None and self._take(this, caught_up) is Taken.RACED:
            return None
        if isinstance(caught_up, TextualConflict):
            return self._conflict(this, caught_up, keep=keep)
        return self._test_and_finish(this, caught_up, hold_on_green=hold_on_green, keep=keep)

    def _not_now(self, snapshot: Snapshot, seen: Seen[Job]) -> LandResult | None:
        """Why this job cannot land at all now: done already, not submitted, waiting, or the lease is busy."""
        job = seen.record
        if job.state is State.DONE:
            return self._result(LandEnd.ALREADY, job, landed=job.landed, reason="it has landed already")
        if job.state is not State.SUBMITTED:
            reason = f"it is {job.state.value}" + (f" ({job.reason})" if job.reason else "")
            return self._result(LandEnd.GONE, job, reason=reason)
        states = states_of(snapshot)
        found = derived(job, states, missing_holds=self.world.missing_holds)
        if found is not Derived.READY:
            waits = tuple(open_dependencies(job, states))
            word = "waits for" if found is Derived.WAITING else "is blocked by"
            return self._result(LandEnd.BLOCKED, job, waits_for=waits, reason=f"it {word} {', '.join(waits[:10])}")
        busy = None if self.hold.held else self.hold.judge(snapshot, job.id)
        if isinstance(busy, Busy):
            lease = busy.lease
            reason = f"the lease of {self.target} is held by {lease.holder}" + (
                f" for {lease.job}" if lease.job else ""
            )
            return self._result(LandEnd.BUSY, job, lease=lease, reason=reason, dead_in_s=busy.dead_in_s)
        return None

    def _read_policy(self, snapshot: Snapshot, seen: Seen[Job]) -> _Round:
        """The target's tip, its configuration and its gate. Raises OrchError when there is none of them."""
        require_readable(snapshot, self.world.namespace.notes, "the notes with the verdicts")
        tip = snapshot.tip(self.target)
        if tip is None:
            raise UsageError(
                f"the remote has no branch {self.target} to land on",
                hint=f"git push REMOTE HEAD:refs/heads/{typed(self.target)}",
            )
        settings = self.world.policy.settings(self.target, tip)
        settings.check()
        gate = settings.gate(self._object_format)
        if gate is None:
            raise no_gate()
        obstacle = self.world.checkouts.obstacle(self.target)
        if obstacle is not None:
            raise obstacle
        return _Round(snapshot, seen, settings, gate, tip)

    def _catch_up(self, this: _Round) -> Candidate | TextualConflict:
        """Built before the lease is asked for: it is local work, and the lease then names its candidate from the
        start. A target that moves meanwhile is noticed by the landing push."""
        job = this.seen.record
        assert job.head is not None
        self.world.reporter.say(f"{job.id}: catching up with {self.target}")
        keep_merges = this.settings.rebase is Rebase.WHEN_BEHIND
        return self.world.catch_up.catch_up(job.head, this.tip, keep_merges=keep_merges)

    def _require_room(self, candidate: Candidate) -> None:
        """Nothing that a user wrote is overwritten (I8). Raises RefusedError."""
        obstacle = self.world.checkouts.in_the_way(self.target, candidate.base, candidate.commit)
        if obstacle is not None:
            raise obstacle

    def _take(self, this: _Round, caught_up: Candidate | TextualConflict) -> Taken:
        candidate = caught_up if isinstance(caught_up, Candidate) else None
        ttl_s = this.settings.lease_ttl_s
        return self.hold.take(this.snapshot, ttl_s, job=this.seen.record.id, candidate=candidate)

    def _conflict(self, this: _Round, conflict: TextualConflict, *, keep: bool) -> LandResult | None:
        paths = tuple(escape(path) for path in conflict.paths)
        shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        reason = one_line(f"conflicts with {self.target} in {shown}" if paths else f"conflicts with {self.target}", 500)
        files = {"paths": "".join(f"{path}\n" for path in paths).encode()}
        body = f"It could not be rebased onto {this.tip}:\n\n" + "\n".join(f"  {path}" for path in paths[:50])
        why = Rework(event=Event.CONFLICT, reason=reason, body=body, files=files)
        held = self._held()
        plan, lease = plan_rework(self._context(this), held, this.seen, why, Notes(base=this.snapshot.notes), keep=keep)
        return self._finish(this, plan, lease, LandEnd.CONFLICT, reason=reason, paths=paths)

    def _test_and_finish(
        self, this: _Round, candidate: Candidate, *, hold_on_green: bool, keep: bool
    ) -> LandResult | None:
        tested = try_candidate(
            self.world, self.hold, this.snapshot, this.gate, candidate, this.seen.record.id, self.target
        )
        if tested.color is None:
            return self._stopped(this, candidate, tested)
        if tested.color is Color.RED:
            return self._red(this, candidate, tested, keep=keep)
        if hold_on_green:
            return self._green(this, candidate, tested)
        return self._land(this, candidate, tested, keep=keep)

    def _stopped(self, this: _Round, candidate: Candidate, tested: Tested) -> LandResult:
        if self.hold.silent:
            reason = "nothing was heard from the remote for as long as the lease lives, so the gate was stopped"
        else:
            reason = "the lease was taken by somebody else, so the gate was stopped"
        self.hold.lost = True
        return self._result(LandEnd.LOST, this.seen.record, candidate=candidate, tested=tested, reason=reason)

    def _red(self, this: _Round, candidate: Candidate, tested: Tested, *, keep: bool) -> LandResult | None:
        base = try_base(self.world, self.hold, this.snapshot, this.gate, candidate, self.target)
        if base.color is None:
            return self._stopped(this, candidate, base)
        notes = Notes(base=this.snapshot.notes, verdicts=tested.fresh + base.fresh)
        if base.color is Color.RED:
            return self._target_red(this, candidate, tested, notes, base.reason or tested.reason)
        reason = one_line(f"the gate is red on {self.target} plus this branch: {tested.reason}", 500)
        why = Rework(
            event=Event.RED,
            reason=reason,
            body=_quoted_tail(tested),
            files={"log": tested.tail},
            candidate=candidate,
            gate=this.gate,
        )
        plan, lease = plan_rework(self._context(this), self._held(), this.seen, why, notes, keep=keep)
        return self._finish(this, plan, lease, LandEnd.RED, candidate=candidate, tested=tested, reason=reason)

    def _target_red(
        self, this: _Round, candidate: Candidate, tested: Tested, notes: Notes, why: str
    ) -> LandResult | None:
        reason = one_line(
            f"{self.target} itself is red at {this.tip[:12]}, so nothing can be blamed on a branch: {why}", 500
        )
        plan, lease = plan_target_red(self._context(this), self._held(), notes, reason)
        return self._finish(this, plan, lease, LandEnd.TARGET_RED, candidate=candidate, tested=tested, reason=reason)

    def _green(self, this: _Round, candidate: Candidate, tested: Tested) -> LandResult | None:
        left = self._why_left(this, candidate)
        landing = Landing(candidate=candidate, gate=this.gate, move_branch=not left)
        notes = Notes(base=this.snapshot.notes, verdicts=tested.fresh)
        plan, lease = plan_gate_green(self._context(this), self._held(), this.seen, landing, notes)
        return self._finish(this, plan, lease, LandEnd.GREEN, candidate=candidate, tested=tested, left=left)

    def _land(self, this: _Round, candidate: Candidate, tested: Tested, *, keep: bool) -> LandResult | None:
        # An explicit lease on a branch would also permit a rewind; git does not check it for us.
        assert self.world.history.is_ancestor(this.tip, candidate.commit), "I1: a landing descends from the tip"
        assert self.world.history.tree_of(candidate.commit) == candidate.tree, "I1: what lands is what was tested"
        self._require_room(candidate)
        left = self._why_left(this, candidate)
        landing = Landing(candidate=candidate, gate=this.gate, move_branch=not left)
        notes = Notes(base=this.snapshot.notes, verdicts=tested.fresh)
        plan, lease = plan_land(self._context(this), self._held(), this.seen, landing, notes, keep=keep)
        return self._finish(
            this, plan, lease, LandEnd.LANDED, candidate=candidate, tested=tested, landed=candidate.commit, left=left
        )

    def _landed_already(self, this: _Round, *, keep: bool) -> LandResult | None:
        """Nothing of the head is missing on the target: its commits are there, or the same changes are. No lease is
        needed to say so."""
        head = this.seen.record.head
        assert head is not None
        landed = head if self.world.history.is_ancestor(head, this.tip) else this.tip
        plan, lease = plan_landed_already(self._context(this), this.seen, landed, self.hold.held, keep=keep)
        reason = f"its work is on {self.target} already"
        return self._finish(this, plan, lease, LandEnd.ALREADY, landed=landed, reason=reason)

    # -- helpers

    def _why_left(self, this: _Round, candidate: Candidate) -> str:
        """Why the job's branch does not follow its candidate: it moved since it was submitted, it is gone, somebody
        has it checked out, it is a target itself, or the remote does not let it move. Empty when it follows. Whether
        it moved is only looked up after a push that assumed the usual case was refused."""
        job, branch = this.seen.record, this.seen.record.branch
        if branch is None or candidate.commit == job.head:
            return ""
        if is_target(this.snapshot, branch):
            return "it is a target itself"
        if not self.world.checkouts.may_move(branch):
            return "it is checked out or being rebased here"
        if branch in self._refused_branches:
            return "the remote does not let it be rewritten"
        if branch not in this.snapshot.asked or this.snapshot.tip(branch) == job.head:
            return ""
        return "it is gone" if this.snapshot.tip(branch) is None else "it moved after it was submitted"

    def _context(self, this: _Round) -> Context:
        return self.world.context(max_attempts=this.settings.max_attempts)

    def _held(self) -> Seen[Lease]:
        held = self.hold.held
        assert held is not None, "I5: nothing is published for a target without its lease"
        return held

    def _finish(
        self, this: _Round, plan: Plan, lease: Lease | None, end: LandEnd, **found: object
    ) -> LandResult | None:
        """Publish what was decided. None after a lost race: everything is looked at again, the job's own branch too.
        A remote that refuses that branch and nothing else (it forbids rewriting branches) is asked again without."""
        branch = this.seen.record.branch
        try:
            outcome = publish(self.world, plan) if lease is None else self.hold.publish(plan, lease)
        except RefusedError as problem:
            if branch is None or problem.refs != (branch_ref(branch),) or branch in self._refused_branches:
                raise
            self._refused_branches.add(branch)
            return None
        if outcome.kind is not OutcomeKind.PUBLISHED:
            self._branches_wanted |= {this.seen.record.branch} if this.seen.record.branch else set()
            return None
        self.fresh = False
        self.snapshot = advance(self.world.namespace, this.snapshot, plan, outcome.oids)
        job = self.snapshot.jobs[this.seen.record.id].record
        return LandResult(end=end, job=job, lease=lease, **found)  # type: ignore[arg-type]

    def _result(self, end: LandEnd, job: Job, **found: object) -> LandResult:
        lease = found.pop("lease", None) or (self.hold.held.record if self.hold.held else None)
        return LandResult(end=end, job=job, lease=lease, **found)  # type: ignore[arg-type]

    def _let_go(self, result: LandResult) -> LandResult:
        """A job that cannot land now leaves no lease held behind."""
        if self.hold.held is not None:
            self.hold.release()
            return replace(result, lease=None)
        return result


def no_gate() -> UsageError:
    """Why nothing lands while nobody has said what must pass."""
    return UsageError(
        "no gate is configured, so nothing can be tested and nothing lands",
        hint="git orch init --gate 'make test' (or `none`, to land without a test on purpose)",
    )


def _quoted_tail(tested: Tested, lines: int = 20) -> str:
    """The end of the gate's output for the event's message; the whole tail is its payload."""
    text = printable_block(tested.tail).splitlines()[-lines:]
    return "\n".join([f"{tested.reason}", "", *(f"  | {line}" for line in text)]).strip()
