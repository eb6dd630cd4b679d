"""What one event may do, word by word. `fsck` and the server's rules say these sentences; the vectors of the hook ask
whether they are said at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitorch.core.codec import Decoded
from gitorch.core.model import Color, GraphEdit, Job, JobId, Lease, Slot, State, Worker
from gitorch.core.steps import graph_step, job_step, lease_step, slot_step, worker_step
from tests.records import a_claimed_job, a_job, a_lease, oid

HELD = Slot(number=3, held=True, updated_ms=0, job=JobId("a"), token="a" * 40)
FREE = Slot(number=3, held=False, updated_ms=0)
WORKER = Worker(id="w", holder="ada", present=True, capacity=1, ttl_s=60, since_ms=0, updated_ms=0)
EDIT = GraphEdit(job=JobId("a"), edits=1, updated_ms=0)
SAME = "it has the nonce of the event before it"


def event(record: Any, word: str, nonce: str = "n2") -> Decoded[Any]:
    return Decoded(record=record, event=word, nonce=nonce)


def before(record: Any, word: str = "x") -> Decoded[Any]:
    return event(record, word, "n1")


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        (None, HELD, "take", ""),
        (None, FREE, "free", "a slot begins with being taken"),
        (FREE, HELD, "take", ""),
        (HELD, FREE, "free", ""),
        (HELD, HELD, "take", "the slot is held already"),
        (FREE, FREE, "free", "the slot is free already"),
        (HELD, FREE, "take", "the slot is not in the state that the event leads to"),
        (FREE, HELD, "free", "the slot is not in the state that the event leads to"),
        (HELD, replace(FREE, number=4), "free", "it changes the number"),
        (HELD, replace(FREE, job=JobId("a")), "free", "a free slot names no job"),
        (HELD, replace(FREE, token="a" * 40), "free", "a free slot names no job"),
        (HELD, FREE, "drop", "nothing of this name can happen to a slot"),
    ],
)
def test_a_slot_is_taken_and_freed_in_turn(old: Slot | None, new: Slot, word: str, says: str) -> None:
    assert slot_step(None if old is None else before(old), event(new, word)) == says


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        (None, WORKER, "start", ""),
        (None, WORKER, "beat", ""),
        (WORKER, WORKER, "beat", ""),
        (WORKER, replace(WORKER, present=False), "leave", ""),
        (WORKER, WORKER, "leave", "the worker is not in the state that the event leads to"),
        (WORKER, replace(WORKER, present=False), "beat", "the worker is not in the state that the event leads to"),
        (WORKER, replace(WORKER, id="v"), "beat", "it changes the worker's id"),
        (WORKER, replace(WORKER, holder="bob"), "beat", "it changes the worker's holder"),
        (WORKER, WORKER, "rest", "nothing of this name can happen to a worker"),
    ],
)
def test_a_worker_starts_beats_and_leaves(old: Worker | None, new: Worker, word: str, says: str) -> None:
    assert worker_step(None if old is None else before(old), event(new, word)) == says


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        (None, EDIT, "edges", ""),
        (None, replace(EDIT, edits=2), "edges", "edit 2 follows edit 0"),
        (EDIT, replace(EDIT, edits=2), "edges", ""),
        (EDIT, EDIT, "edges", "edit 1 follows edit 1"),
        (EDIT, replace(EDIT, edits=3), "edges", "edit 3 follows edit 1"),
        (EDIT, replace(EDIT, edits=2), "edit", "nothing of this name can happen to the graph"),
    ],
)
def test_edits_of_the_graph_are_counted(old: GraphEdit | None, new: GraphEdit, word: str, says: str) -> None:
    assert graph_step(None if old is None else before(old), event(new, word)) == says


def test_two_events_in_a_row_have_two_nonces() -> None:
    """I4, I5: what has the nonce of the event before it is no event of its own."""
    assert slot_step(before(HELD), event(FREE, "free", "n1")) == SAME
    assert worker_step(before(WORKER), event(WORKER, "beat", "n1")) == SAME
    assert graph_step(before(EDIT), event(replace(EDIT, edits=2), "edges", "n1")) == SAME
    assert job_step(before(QUEUED), event(claimed(1), "claim", "n1")) == SAME
    assert lease_step(before(LEASE), event(LEASE, "renew", "n1")) == SAME


QUEUED = a_job(state=State.QUEUED, head=None)
LEASE = a_lease()
FREED = replace(LEASE, held=False, holder=None, token=None)
DIGEST = "1" * 40


def claimed(attempt: int, **changes: Any) -> Job:
    return a_claimed_job(head=None, attempt=attempt, **changes)


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        (QUEUED, claimed(1), "claim", ""),
        (QUEUED, claimed(2), "claim", "it counts 2 attempts after 0"),
        (QUEUED, claimed(0), "claim", "it counts 0 attempts after 0"),
        (claimed(3), replace(QUEUED, attempt=3), "release", ""),
        (claimed(3), replace(QUEUED, attempt=2), "release", ""),
        (claimed(3), replace(QUEUED, attempt=1), "release", "it counts 1 attempts after 3"),
        (claimed(3), replace(QUEUED, attempt=4), "release", "it counts 4 attempts after 3"),
        (claimed(1), replace(QUEUED, attempt=0), "reap", ""),
        (claimed(0), replace(QUEUED, attempt=0), "reap", ""),
        (replace(QUEUED, state=State.FAILED, attempt=5), replace(QUEUED, attempt=0), "retry", ""),
        (replace(QUEUED, state=State.FAILED, attempt=5), replace(QUEUED, attempt=3), "retry", ""),
        (
            replace(QUEUED, state=State.FAILED, attempt=5),
            replace(QUEUED, attempt=6),
            "retry",
            "it counts 6 attempts after 5",
        ),
        (replace(QUEUED, attempt=2), replace(QUEUED, attempt=1), "edit", "it changes the job's attempt"),
        (claimed(1), replace(QUEUED, attempt=1, slot=2), "release", "it leaves a claim on a job that is queued"),
        (claimed(1), replace(QUEUED, attempt=1, token=DIGEST), "release", "it leaves a claim on a job that is queued"),
        (None, QUEUED, "add", ""),
        (None, replace(QUEUED, attempt=1), "add", "a job begins without attempts, claim and landing"),
        (None, replace(QUEUED, landed=oid(1)), "add", "a job begins without attempts, claim and landing"),
        (None, replace(QUEUED, token=DIGEST), "add", "a job begins without attempts, claim and landing"),
        (None, replace(QUEUED, slot=1), "add", "a job begins without attempts, claim and landing"),
    ],
)
def test_attempts_and_claims_are_counted_and_taken_off(old: Job | None, new: Job, word: str, says: str) -> None:
    assert job_step(None if old is None else before(old), event(new, word)) == says


GREEN = replace(LEASE, verdict=Color.GREEN, gate=oid(9))


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        (FREED, replace(LEASE, epoch=8), "acquire", ""),
        (FREED, replace(FREED, epoch=8), "acquire", "it is acquired, and nobody holds it"),
        (LEASE, replace(FREED, token=DIGEST), "release", "a free lease names no holder"),
        (LEASE, replace(FREED, holder="ada"), "release", "a free lease names no holder"),
        (LEASE, LEASE, "renew", ""),
        (LEASE, GREEN, "verdict", ""),
        (LEASE, GREEN, "renew", "a renewal brings no verdict"),
        (LEASE, replace(LEASE, verdict=Color.RED), "renew", "a renewal brings no verdict"),
        (GREEN, GREEN, "renew", ""),
        (GREEN, LEASE, "renew", ""),
        (LEASE, FREED, "renew", "it is free, and was not given up"),
        (LEASE, replace(LEASE, token=DIGEST), "land", "it changes hands without being acquired"),
        (LEASE, LEASE, "break", "it is given up, and still held"),
    ],
)
def test_a_lease_changes_hands_only_by_being_acquired(old: Lease, new: Lease, word: str, says: str) -> None:
    assert lease_step(before(old), event(new, word)) == says
