"""What one event may do, word by word. `fsck` and the server's rules say these sentences; the vectors of the hook ask
whether they are said at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitorch.core.codec import Decoded
from gitorch.core.model import GraphEdit, JobId, Slot, Worker
from gitorch.core.steps import graph_step, slot_step, worker_step

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
