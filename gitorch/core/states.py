"""The transition table of a job. It is data, and it is the machine: a pair that is not in it cannot happen.

The diagram in docs/states.md is generated from this table. What this file does not know: who may do what (tokens,
leases), where records are kept, and what else changes in the same push.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from gitorch.core.errors import UsageError
from gitorch.core.model import Job, JobId, State


class Event(Enum):
    """What can happen to a job; the value is the word in the subject and in the `Event` trailer of its commit."""

    ADD = "add"
    EDIT = "edit"
    CLAIM = "claim"
    RENEW = "renew"
    RELEASE = "release"
    REAP = "reap"
    SUBMIT = "submit"
    CATCH_UP = "catch-up"
    CONFLICT = "conflict"
    RED = "red"
    FAIL = "fail"
    RETRY = "retry"
    REQUEUE = "requeue"
    LAND = "land"
    FINISH = "done"
    CANCEL = "cancel"


FINAL = frozenset({State.DONE, State.CANCELLED})

# (state before, event) -> (state after, state after once the attempts are used up). None before: the job does not
# exist yet.
TRANSITIONS: dict[tuple[State | None, Event], tuple[State, State]] = {
    (before, event): (after, exhausted or after)
    for before, event, after, exhausted in (
        (None, Event.ADD, State.QUEUED, None),
        (None, Event.SUBMIT, State.SUBMITTED, None),
        (State.QUEUED, Event.EDIT, State.QUEUED, None),
        (State.QUEUED, Event.CLAIM, State.CLAIMED, None),
        (State.QUEUED, Event.SUBMIT, State.SUBMITTED, None),
        (State.QUEUED, Event.CANCEL, State.CANCELLED, None),
        (State.CLAIMED, Event.EDIT, State.CLAIMED, None),
        (State.CLAIMED, Event.RENEW, State.CLAIMED, None),
        (State.CLAIMED, Event.RELEASE, State.QUEUED, State.FAILED),
        (State.CLAIMED, Event.REAP, State.QUEUED, State.FAILED),
        (State.CLAIMED, Event.SUBMIT, State.SUBMITTED, None),
        (State.CLAIMED, Event.FAIL, State.REWORK, State.FAILED),
        (State.CLAIMED, Event.FINISH, State.DONE, None),
        (State.CLAIMED, Event.CANCEL, State.CANCELLED, None),
        (State.SUBMITTED, Event.EDIT, State.SUBMITTED, None),
        (State.SUBMITTED, Event.SUBMIT, State.SUBMITTED, None),
        (State.SUBMITTED, Event.CATCH_UP, State.SUBMITTED, None),
        (State.SUBMITTED, Event.CONFLICT, State.REWORK, State.FAILED),
        (State.SUBMITTED, Event.RED, State.REWORK, State.FAILED),
        (State.SUBMITTED, Event.REAP, State.REWORK, None),
        (State.SUBMITTED, Event.LAND, State.DONE, None),
        (State.SUBMITTED, Event.CANCEL, State.CANCELLED, None),
        (State.REWORK, Event.EDIT, State.REWORK, None),
        (State.REWORK, Event.CLAIM, State.CLAIMED, None),
        (State.REWORK, Event.SUBMIT, State.SUBMITTED, None),
        (State.REWORK, Event.RETRY, State.SUBMITTED, None),
        (State.REWORK, Event.REQUEUE, State.QUEUED, None),
        (State.REWORK, Event.CANCEL, State.CANCELLED, None),
        (State.FAILED, Event.EDIT, State.FAILED, None),
        (State.FAILED, Event.SUBMIT, State.SUBMITTED, None),
        (State.FAILED, Event.RETRY, State.QUEUED, None),
        (State.FAILED, Event.CANCEL, State.CANCELLED, None),
    )
}


class IllegalTransitionError(UsageError):
    """An event that the table does not allow in the job's present state."""

    def __init__(self, job: JobId, state: State, event: Event) -> None:
        legal = ", ".join(legal_events(state))
        what = f"is not possible there (possible: {legal})" if legal else "is not possible any more"
        super().__init__(
            f"job {job} is {state.value}: `{event.value}` {what}",
            hint=f"git orch why {job}",
        )


def legal_events(state: State) -> tuple[str, ...]:
    """The events that the table allows in a state, in the table's order."""
    return tuple(event.value for before, event in TRANSITIONS if before is state)


def next_state(before: State | None, event: Event, *, exhausted: bool = False) -> State | None:
    """The state after an event, None when the table does not allow it."""
    after = TRANSITIONS.get((before, event))
    return None if after is None else after[exhausted]


def attempts_used_up(job: Job, max_attempts: int) -> bool:
    """Whether a further failure ends the job. A job that was never claimed (a person's branch) has no attempts to
    use up."""
    return 0 < max_attempts <= job.attempt


def step(job: Job, event: Event, *, now_ms: int, max_attempts: int = 0, **changes: object) -> Job:
    """The job after an event: its new state, `updated` and whatever else the event changes. Raises
    IllegalTransitionError."""
    after = next_state(job.state, event, exhausted=attempts_used_up(job, max_attempts))
    if after is None:
        raise IllegalTransitionError(job.id, job.state, event)
    # A clock that was set back must not make a job look younger than its own last event.
    return replace(job, state=after, updated_ms=max(now_ms, job.updated_ms), **changes)  # type: ignore[arg-type]


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/states.md."""
    lines = ["stateDiagram-v2"]
    for (before, event), (after, exhausted) in TRANSITIONS.items():
        if before is after:
            continue
        start = "[*]" if before is None else before.value
        lines.append(f"    {start} --> {after.value}: {event.value}")
        if exhausted is not after:
            lines.append(f"    {start} --> {exhausted.value}: {event.value}, attempts used up")
    lines.extend(f"    {state.value} --> [*]" for state in State if state in FINAL)
    return "\n".join(lines) + "\n"
