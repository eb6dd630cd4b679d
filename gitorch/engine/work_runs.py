"""One job in a worker's hands: how its command is begun, and what its end means for the job.

A command that ends well submits what is checked out then; everything else gives the job back with a reason. Each of
these writes relies on the claim's token, so a worker that was fenced changes nothing (I5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gitorch.core.errors import OrchError, UnreachableError, UsageError
from gitorch.core.model import REASON_LIMIT, Job, JobId, Oid, Seen, Snapshot, State
from gitorch.core.names import is_branch_name
from gitorch.core.plan_queue import has_claim
from gitorch.core.states import Event
from gitorch.core.text import one_line
from gitorch.engine.claims import LeaveEnd, leave
from gitorch.engine.submit import SubmitEnd, SubmitWish, submit
from gitorch.engine.world import World
from gitorch.ports import WorkEnd, WorkOrder, Workplace

_PAYLOAD_LIMIT = 16 * 1024
_ON_THEIR_WAY = frozenset({State.SUBMITTED, State.DONE})


class WorkOutcome(Enum):
    """What became of a job that a worker took."""

    SUBMITTED = "submitted"
    DONE = "done"
    RELEASED = "released"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkResult:
    """One job that a worker took, and how that ended. `kept` is where unsaved work stays, `reason` one sentence."""

    job: JobId
    outcome: WorkOutcome
    attempt: int
    branch: str | None = None
    head: Oid | None = None
    reason: str = ""
    seconds: float = 0.0
    log: str | None = None
    kept: str | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """A claim and what is done for it. `place` is None until its command is ordered, `end` until that has ended. `lost`
    says why the claim is not ours any more; `spoke` that the command itself handed the job in."""

    job: Job
    event: Oid
    token: str
    command: str
    base: Oid | None = None
    start: Oid | None = None
    place: Workplace | None = None
    end: WorkEnd | None = None
    lost: str = ""
    spoke: bool = False

    @property
    def branch(self) -> str:
        """What its work is called."""
        return self.job.branch or f"job/{self.job.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the end of a command needs to know besides the run: where the branch goes, how many attempts a job has."""

    remote: str
    is_self: bool
    max_attempts: int


def begin(world: World, run: Run) -> WorkOrder | str:
    """What is to be done for a claim: from the tip of the job's branch if the remote has it, from its head after
    rework, else from the target's tip. A sentence when it cannot be begun. Raises UnreachableError."""
    if not is_branch_name(run.branch):
        return f"{run.branch} is not the name of a branch"
    snapshot = world.store.observe({run.job.target, run.branch})
    base = snapshot.tip(run.job.target)
    if base is None:
        return f"the remote has no branch {run.job.target} to work on"
    run.base, run.start = base, snapshot.tip(run.branch) or run.job.head or base
    return WorkOrder(
        job=run.job,
        token=run.token,
        command=run.command,
        branch=run.branch,
        start=run.start,
        base=base,
        body=world.store.body(run.event),
    )


def judge(run: Run, snapshot: Snapshot) -> None:
    """Notice that the claim is not ours any more. A job that was handed in or finished in the very attempt that is ours
    was so by its own command, which has the token: nobody else works on it, and the command may end in peace."""
    seen = snapshot.jobs.get(run.job.id)
    if run.lost or (seen is not None and has_claim(seen.record, run.token)):
        return
    if seen is not None and seen.record.state in _ON_THEIR_WAY and seen.record.attempt == run.job.attempt:
        run.spoke = True
        return
    run.lost = _why_lost(seen)


def _why_lost(seen: Seen[Job] | None) -> str:
    if seen is None:
        return "the job is not on the remote any more"
    job = seen.record
    if job.state is State.CLAIMED:
        return f"the claim was taken by {job.worker}"
    why = f" ({job.reason})" if job.reason else ""
    return f"the claim was taken away: the job is {job.state.value} now{why}"


def deliver(world: World, run: Run, how: Delivery) -> WorkResult:
    """Say on the remote what a command's end means, and give its worktree back. Raises UnreachableError; then nothing
    is given back, and it may be tried again."""
    end = run.end
    assert end is not None
    saved: Oid | None = None
    if run.lost or run.spoke:
        outcome, reason = _by_others(run)
    elif why := _why_not(world, run, end):
        outcome, reason = _give_back(world, run, how, why, refund=end.fault, tail=end.tail)
    elif run.job.lands:
        outcome, reason = _submit(world, run, how, end)
        saved = end.head if outcome is WorkOutcome.SUBMITTED else None
    else:
        outcome, reason = _leave(world, run, Event.FINISH, WorkOutcome.DONE)
    world.memory.forget_claim(run.job.id)
    return _closed(run, outcome, reason, saved)


def give_up(world: World, run: Run, reason: str) -> WorkResult:
    """Give a claim back whose command was stopped by us, or never began; the attempt does not count. Raises
    UnreachableError."""
    no_failures = Delivery(remote="", is_self=False, max_attempts=0)
    if run.lost or run.spoke:
        outcome, reason = _by_others(run)
    else:
        outcome, reason = _give_back(world, run, no_failures, reason, refund=True)
    world.memory.forget_claim(run.job.id)
    return _closed(run, outcome, reason, None)


def _by_others(run: Run) -> tuple[WorkOutcome, str]:
    if run.lost:
        return WorkOutcome.LOST, run.lost
    return WorkOutcome.SUBMITTED if run.job.lands else WorkOutcome.DONE, "by its own command"


def _why_not(world: World, run: Run, end: WorkEnd) -> str:
    """Why the end of a command is a failure; empty when it is not."""
    if end.why:
        return end.why
    if not run.job.lands:
        return ""
    if end.head is None:
        return "the command left no worktree behind"
    if end.changes:
        return f"the command left changes that are not committed: {end.changes}"
    if end.head == run.start and run.job.head is None:
        return "the command committed nothing"
    if run.base is not None and world.history.is_ancestor(end.head, run.base):
        return f"the command left no commits that {run.job.target} lacks"
    return ""


def _submit(world: World, run: Run, how: Delivery, end: WorkEnd) -> tuple[WorkOutcome, str]:
    wish = SubmitWish(
        branch=run.branch,
        target=run.job.target,
        job=run.job.id,
        head=end.head,
        token=run.token,
        remote=how.remote,
        is_self=how.is_self,
    )
    try:
        result = submit(world, wish)
    except UnreachableError:
        raise
    except OrchError as problem:
        return _give_back(world, run, how, f"its branch could not be submitted: {problem.message}", tail=end.tail)
    if result.end in (SubmitEnd.LOST, SubmitEnd.BUSY):
        return WorkOutcome.LOST, "the claim was taken away before its work could be submitted"
    if result.end is SubmitEnd.ALREADY:
        return _give_back(world, run, how, f"its commits are on {run.job.target} already", tail=end.tail)
    return WorkOutcome.SUBMITTED, ""


def _give_back(
    world: World, run: Run, how: Delivery, reason: str, *, refund: bool = False, tail: bytes = b""
) -> tuple[WorkOutcome, str]:
    reason = one_line(reason, REASON_LIMIT // 4)
    files: Mapping[str, bytes] = {"log": tail[-_PAYLOAD_LIMIT:]} if tail else {}
    attempts = 0 if refund else how.max_attempts
    used_up = attempts > 0 and run.job.attempt >= attempts
    outcome = WorkOutcome.FAILED if used_up else WorkOutcome.RELEASED
    ending = _Leaving(reason=reason, max_attempts=attempts, refund=refund, files=files)
    outcome, because = _leave(world, run, Event.RELEASE, outcome, ending)
    return outcome, because or reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaving:
    """What goes with the end of a claim."""

    reason: str | None = None
    max_attempts: int = 0
    refund: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)


def _leave(
    world: World, run: Run, event: Event, outcome: WorkOutcome, how: _Leaving | None = None
) -> tuple[WorkOutcome, str]:
    """End the claim: the outcome that was wanted, or LOST and why."""
    how = how or _Leaving()
    try:
        left = leave(
            world,
            run.job.id,
            event,
            token=run.token,
            reason=how.reason,
            max_attempts=how.max_attempts,
            refund=how.refund,
            files=how.files,
        )
    except UsageError as gone:
        return WorkOutcome.LOST, gone.message
    if left.end is LeaveEnd.DONE:
        return outcome, ""
    return WorkOutcome.LOST, "the claim was taken away before its end could be said"


def _closed(run: Run, outcome: WorkOutcome, reason: str, saved: Oid | None) -> WorkResult:
    kept = None
    if run.place is not None and not run.place.leave(saved):
        kept = run.place.path
    end = run.end or WorkEnd()
    return WorkResult(
        job=run.job.id,
        outcome=outcome,
        attempt=run.job.attempt,
        branch=run.branch if run.job.lands else None,
        head=saved,
        reason=reason,
        seconds=end.seconds,
        log=end.log,
        kept=kept,
    )
