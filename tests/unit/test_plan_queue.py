"""What the plans of the queue write, and what they rest on (I3 to I6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitorch.core.codec import decode_graph, decode_job, decode_slot, decode_worker
from gitorch.core.lease import token_digest
from gitorch.core.model import GraphEdit, Job, JobId, Seen, Slot, Snapshot, State, Worker
from gitorch.core.names import Namespace
from gitorch.core.plan import Context
from gitorch.core.plan_queue import (
    Addition,
    Changes,
    Claim,
    Folding,
    has_claim,
    own_token,
    plan_add,
    plan_claim,
    plan_edges,
    plan_edit,
    plan_fold,
    plan_leave,
    plan_presence,
)
from gitorch.core.states import Event, IllegalTransitionError
from gitorch.core.writes import ArchiveEntry, ArchiveFold, EventCommit, Plan, RefUpdate
from tests.records import TIME_MS, a_claimed_job, a_job, oid

TOKEN = "secret"
DIGEST = token_digest(TOKEN)
QUEUED = Seen(oid(1), a_job("fix", state=State.QUEUED, head=None))
CLAIMED = Seen(oid(2), a_claimed_job("fix", head=None, token=DIGEST, attempt=2, slot=3))
HELD = Seen(oid(3), Slot(number=3, held=True, job=JobId("fix"), token=DIGEST, updated_ms=TIME_MS))
MINE = Claim(worker="w", token=TOKEN, ttl_s=60, kept=True, slot=3)


def ctx(max_attempts: int = 0) -> Context:
    return Context(namespace=Namespace(), now_ms=TIME_MS + 5, nonce="n", max_attempts=max_attempts)


def update(plan: Plan, name: str) -> RefUpdate:
    return next(update for update in plan.updates if update.name == f"refs/orch/{name}")


def event(plan: Plan, name: str) -> bytes:
    new = update(plan, name).new
    assert isinstance(new, EventCommit)
    assert new.previous == update(plan, name).expected_old, "an event stands on the value that it replaces"
    return new.message.encode()


def job_of(plan: Plan, name: str = "fix") -> Job:
    return decode_job(event(plan, f"jobs/{name}")).record


def test_a_claim_writes_the_job_and_its_slot_each_from_what_was_read() -> None:
    free = replace(HELD, record=replace(HELD.record, held=False, job=None, token=None))
    plan = plan_claim(ctx(), Snapshot(slots={3: free}), QUEUED, MINE)
    job, slot = job_of(plan), decode_slot(event(plan, "slots/3")).record
    assert (job.state, job.worker, job.token, job.ttl_s, job.kept, job.slot, job.attempt) == (
        State.CLAIMED,
        "w",
        DIGEST,
        60,
        True,
        3,
        1,
    )
    assert (slot.held, slot.job, slot.token) == (True, "fix", DIGEST)
    assert update(plan, "jobs/fix").expected_old == QUEUED.oid and update(plan, "slots/3").expected_old == HELD.oid
    assert TOKEN not in event(plan, "jobs/fix").decode()
    assert update(plan_claim(ctx(), Snapshot(), QUEUED, MINE), "slots/3").expected_old is None


def test_only_what_can_be_claimed_is() -> None:
    for state in set(State) - {State.QUEUED, State.REWORK, State.CLAIMED}:
        with pytest.raises(IllegalTransitionError):
            plan_claim(ctx(), Snapshot(), Seen(oid(1), a_job("fix", state=state)), MINE)


@pytest.mark.parametrize(
    ("happens", "after"),
    [
        (Event.RELEASE, State.QUEUED),
        (Event.REAP, State.QUEUED),
        (Event.FAIL, State.REWORK),
        (Event.FINISH, State.DONE),
        (Event.CANCEL, State.CANCELLED),
    ],
)
def test_whatever_ends_a_claim_takes_all_of_it_off_the_job_and_frees_the_slot(happens: Event, after: State) -> None:
    plan = plan_leave(ctx(), Snapshot(slots={3: HELD}), CLAIMED, happens, reason="why")
    job, slot = job_of(plan), decode_slot(event(plan, "slots/3")).record
    assert (job.state, job.worker, job.token, job.ttl_s, job.kept, job.slot) == (after, None, None, None, False, None)
    assert (slot.held, slot.job, slot.token, job.reason) == (False, None, None, "why")
    assert update(plan, "jobs/fix").expected_old == CLAIMED.oid and update(plan, "slots/3").expected_old == HELD.oid


def test_a_slot_of_other_hands_is_left_alone() -> None:
    strange = replace(HELD, record=replace(HELD.record, token="0" * 40))
    plan = plan_leave(ctx(), Snapshot(slots={3: strange}), CLAIMED, Event.RELEASE)
    assert [update.name for update in plan.updates] == ["refs/orch/jobs/fix"]


def test_the_last_failure_that_is_allowed_ends_the_job_and_a_refund_is_none() -> None:
    assert job_of(plan_leave(ctx(2), Snapshot(), CLAIMED, Event.FAIL, reason="no")).state is State.FAILED
    assert "attempts used up" in str(job_of(plan_leave(ctx(2), Snapshot(), CLAIMED, Event.RELEASE, reason="no")).reason)
    assert job_of(plan_leave(ctx(3), Snapshot(), CLAIMED, Event.REAP)).state is State.QUEUED
    given_back = job_of(plan_leave(ctx(), Snapshot(), CLAIMED, Event.RELEASE, refund=True))
    assert (given_back.state, given_back.attempt) == (State.QUEUED, 1)


def test_edges_are_written_to_the_job_and_the_graph_in_one_push() -> None:
    graph = Seen(oid(9), GraphEdit(job=JobId("x"), edits=4, updated_ms=TIME_MS))
    plan = plan_edges(ctx(), Snapshot(graph=graph), QUEUED, (JobId("a"), JobId("b")))
    edit = decode_graph(event(plan, "graph")).record
    assert (edit.job, edit.after, edit.edits) == ("fix", ("a", "b"), 5)
    assert job_of(plan).after == ("a", "b") and update(plan, "graph").expected_old == graph.oid
    assert update(plan_edges(ctx(), Snapshot(), QUEUED, ()), "graph").expected_old is None


def test_an_edit_changes_what_was_named_and_an_empty_word_takes_away() -> None:
    before = Seen(oid(1), a_job("fix", state=State.QUEUED, run="make", labels=("x",), priority=4))
    job = job_of(plan_edit(ctx(), before, Changes(run="", title="New")))
    assert (job.run, job.title, job.labels, job.priority) == (None, "New", ("x",), 4)
    new = plan_edit(ctx(), before, Changes(body=b"")).updates[0].new
    assert isinstance(new, EventCommit) and new.files == {"body": b""}


def test_jobs_are_made_where_nothing_was() -> None:
    additions = [Addition(id=JobId(name), title=name, target="main", body=b"b") for name in ("a", "b")]
    plan = plan_add(ctx(), additions)
    assert {u.name: u.expected_old for u in plan.updates} == {"refs/orch/jobs/a": None, "refs/orch/jobs/b": None}
    assert job_of(plan, "a").state is State.QUEUED


def test_a_folding_names_every_value_that_it_takes_away() -> None:
    worker = Worker(id="w", holder="h", present=False, capacity=1, ttl_s=1, since_ms=TIME_MS, updated_ms=TIME_MS)
    folding = Folding(jobs=(ArchiveEntry(JobId("a"), oid(5), "m"),), workers=(Seen(oid(6), worker),), archive=oid(7))
    plan = plan_fold(ctx(), folding)
    assert {u.name: (u.expected_old, u.new is None) for u in plan.updates} == {
        "refs/orch/archive": (oid(7), False),
        "refs/orch/jobs/a": (oid(5), True),
        "refs/orch/workers/w": (oid(6), True),
    }
    assert isinstance(plan.updates[0].new, ArchiveFold)


def test_a_sign_of_life_stands_on_the_one_before_unless_it_begins_anew() -> None:
    worker = Worker(id="w", holder="h", present=True, capacity=1, ttl_s=1, since_ms=TIME_MS, updated_ms=TIME_MS)
    plan, beaten = plan_presence(ctx(), Seen(oid(6), worker), worker, "beat")
    assert decode_worker(event(plan, "workers/w")).record == beaten and beaten.updated_ms == TIME_MS + 5
    anew, _ = plan_presence(ctx(), Seen(oid(6), worker), worker, "beat", anew=True)
    new: Any = anew.updates[0].new
    assert (anew.updates[0].expected_old, new.previous) == (oid(6), None)


def test_a_claim_is_known_by_its_token_alone() -> None:
    assert has_claim(CLAIMED.record, TOKEN)
    assert not has_claim(CLAIMED.record, "other") and not has_claim(CLAIMED.record, None)
    assert not has_claim(QUEUED.record, TOKEN)
    assert own_token(CLAIMED.record, ("other", TOKEN)) == TOKEN
    assert own_token(CLAIMED.record, ("other",)) == "other" and own_token(CLAIMED.record, ()) is None
