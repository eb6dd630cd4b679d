"""The transition table is the machine: what is not in it cannot happen. A failure here is a job in a wrong state."""

from __future__ import annotations

import runpy
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.model import Job, State
from gitorch.core.states import (
    FINAL,
    TRANSITIONS,
    Event,
    IllegalTransitionError,
    attempts_used_up,
    diagram,
    legal_events,
    next_state,
    step,
)
from tests.records import CLAIM, TIME_MS, a_job, a_job_in, jobs, oid

DOCS = Path(__file__).parents[2] / "docs"

# Written down a second time on purpose: a change of the table must be made twice, by somebody who means it.
LEGAL = {
    State.QUEUED: {"edit": "queued", "claim": "claimed", "submit": "submitted", "cancel": "cancelled"},
    State.CLAIMED: {
        "edit": "claimed",
        "renew": "claimed",
        "release": "queued/failed",
        "reap": "queued/failed",
        "submit": "submitted",
        "fail": "rework/failed",
        "done": "done",
        "cancel": "cancelled",
    },
    State.SUBMITTED: {
        "edit": "submitted",
        "submit": "submitted",
        "catch-up": "submitted",
        "conflict": "rework/failed",
        "red": "rework/failed",
        "reap": "rework",
        "land": "done",
        "cancel": "cancelled",
    },
    State.REWORK: {
        "edit": "rework",
        "claim": "claimed",
        "submit": "submitted",
        "retry": "submitted",
        "requeue": "queued",
        "cancel": "cancelled",
    },
    State.FAILED: {"edit": "failed", "submit": "submitted", "retry": "queued", "cancel": "cancelled"},
    State.DONE: {},
    State.CANCELLED: {},
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=lambda value: str(value.value))
def test_exactly_what_the_table_holds_is_possible(state: State, event: Event) -> None:
    usual, _, exhausted = LEGAL[state].get(event.value, "").partition("/")
    job = a_job_in(state, attempt=3, **CLAIM)
    if not usual:
        assert next_state(state, event) is None
        with pytest.raises(IllegalTransitionError) as caught:
            step(job, event, now_ms=TIME_MS + 1)
        assert state.value in caught.value.message and event.value in caught.value.message
        assert caught.value.code == "usage"
        return
    assert step(job, event, now_ms=TIME_MS + 1, max_attempts=4).state is State(usual)
    assert step(job, event, now_ms=TIME_MS + 1, max_attempts=3).state is State(exhausted or usual)


def test_a_job_begins_by_being_added_or_submitted() -> None:
    assert {event for event in Event if next_state(None, event)} == {Event.ADD, Event.SUBMIT}
    assert next_state(None, Event.ADD) is State.QUEUED
    assert next_state(None, Event.SUBMIT) is State.SUBMITTED


def test_nothing_happens_to_a_final_job_and_every_other_can_be_cancelled() -> None:
    for state in State:
        assert bool(legal_events(state)) == (state not in FINAL)
        assert ("cancel" in legal_events(state)) == (state not in FINAL)


def test_every_state_is_reached_and_every_job_that_is_not_final_can_still_become_done() -> None:
    reached: set[State | None] = {None}
    while True:
        more = {after for (before, _), pair in TRANSITIONS.items() if before in reached for after in pair}
        if more <= reached:
            break
        reached |= more
    assert reached == {None, *State}
    hopeful: set[State | None] = {State.DONE}
    while True:
        more_hope = {before for (before, _), pair in TRANSITIONS.items() if hopeful.intersection(pair)}
        if more_hope <= hopeful:
            break
        hopeful |= more_hope
    assert hopeful == {None, *State} - {State.CANCELLED}


def test_only_landing_a_submitted_job_or_finishing_a_claimed_one_makes_it_done() -> None:
    ways = {pair for pair, after in TRANSITIONS.items() if State.DONE in after}
    assert ways == {(State.SUBMITTED, Event.LAND), (State.CLAIMED, Event.FINISH)}


def test_attempts_count_only_where_a_limit_is_set_and_the_job_was_ever_claimed() -> None:
    assert not attempts_used_up(a_job(attempt=0), 3)
    assert not attempts_used_up(a_job(attempt=2), 3)
    assert attempts_used_up(a_job(attempt=3), 3)
    assert attempts_used_up(a_job(attempt=9), 3)
    assert not attempts_used_up(a_job(attempt=9), 0)


@given(jobs(), st.integers(0, 2 * TIME_MS))
def test_a_step_changes_the_state_and_the_time_and_nothing_that_was_not_asked_for(job: Job, now_ms: int) -> None:
    for event in Event:
        to = next_state(job.state, event)
        lacks = (to is State.SUBMITTED and not job.head) or (to is State.CLAIMED and not (job.worker and job.token))
        if to is None or lacks or (to is State.CLAIMED and job.ttl_s is None):
            continue
        after = step(job, event, now_ms=now_ms)
        assert {name for name in job.__slots__ if getattr(after, name) != getattr(job, name)} <= {"state", "updated_ms"}


def test_a_clock_that_was_set_back_makes_no_job_younger_than_its_last_event() -> None:
    job = a_job(updated_ms=TIME_MS)
    assert step(job, Event.EDIT, now_ms=TIME_MS - 5000).updated_ms == TIME_MS
    assert step(job, Event.EDIT, now_ms=TIME_MS + 5000).updated_ms == TIME_MS + 5000


def test_a_step_takes_the_changes_that_come_with_the_event() -> None:
    after = step(a_job(), Event.LAND, now_ms=TIME_MS, landed=oid(5))
    assert (after.state, after.landed) == (State.DONE, oid(5))


def test_without_a_limit_a_failure_is_never_the_last() -> None:
    job = a_job_in(State.CLAIMED, attempt=1)
    assert next_state(State.CLAIMED, Event.FAIL) is State.REWORK
    assert step(job, Event.FAIL, now_ms=0).state is State.REWORK
    assert step(job, Event.FAIL, now_ms=0, max_attempts=1).state is State.FAILED


def test_the_error_of_an_illegal_event_says_what_is_possible() -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        step(a_job(state=State.REWORK), Event.LAND, now_ms=0)
    assert caught.value.message.startswith("job fix is rework: `land` is not possible there")
    assert caught.value.message.endswith("(possible: edit, claim, submit, retry, requeue, cancel)")
    assert caught.value.hint == "git orch why fix"
    with pytest.raises(IllegalTransitionError, match=r"is done: `land` is not possible any more$"):
        step(a_job(state=State.DONE), Event.LAND, now_ms=0)


def test_the_diagram_draws_every_way_from_one_state_to_another() -> None:
    drawn = set(diagram().splitlines())
    for (before, event), (after, exhausted) in TRANSITIONS.items():
        start = "[*]" if before is None else before.value
        assert (f"    {start} --> {after.value}: {event.value}" in drawn) == (before is not after)
        if exhausted is not after:
            assert f"    {start} --> {exhausted.value}: {event.value}, attempts used up" in drawn
    assert "    done --> [*]" in drawn and "    cancelled --> [*]" in drawn


def test_the_page_in_the_documentation_is_current() -> None:
    page = runpy.run_path(str(DOCS / "generate.py"))["states_page"]()
    assert (DOCS / "states.md").read_text("utf-8") == page, "run `make docs`"
    assert diagram() in page
