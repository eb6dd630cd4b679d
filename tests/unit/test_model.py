"""Records are legal by construction: one that breaks a rule cannot be built."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.model import (
    AFTER_LIMIT,
    ATTEMPT_LIMIT,
    BRANCH_LIMIT,
    EPOCH_LIMIT,
    HOLDER_LIMIT,
    LABEL_LIMIT,
    OID,
    PRIORITY_LIMIT,
    REASON_LIMIT,
    RUN_LIMIT,
    SLOT_LIMIT,
    TITLE_LIMIT,
    TTL_LIMIT_S,
    GraphEdit,
    JobId,
    Oid,
    Slot,
    Snapshot,
    State,
    Worker,
    require_line,
)
from gitorch.core.writes import EventCommit, Plan, RefUpdate
from tests.records import a_claimed_job, a_job, a_job_in, a_lease, oid


def a_worker(**changes: Any) -> Worker:
    plain = Worker(id="w", holder="ada", present=True, capacity=2, ttl_s=60, since_ms=0, updated_ms=0)
    return replace(plain, **changes)


def a_slot(**changes: Any) -> Slot:
    return replace(Slot(number=3, held=True, updated_ms=0, job=JobId("a"), token="a" * 40), **changes)


def an_edit(**changes: Any) -> GraphEdit:
    return replace(GraphEdit(job=JobId("a"), edits=2, updated_ms=0), **changes)


EVENT = EventCommit(message="m", time_ms=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "Upper"},
        {"id": ""},
        {"id": "-dash"},
        {"id": "a" * 65},
        {"id": "a\n"},
        {"id": "a/b"},
        {"title": ""},
        {"title": " x"},
        {"title": "a\nb"},
        {"title": "a\x1bb"},
        {"title": "a\x9bb"},
        {"title": "a\udcffb"},
        {"title": "x" * (TITLE_LIMIT + 1)},
        {"target": ""},
        {"branch": "\u3000"},
        {"worker": "a\x00"},
        {"reason": "x" * (REASON_LIMIT + 1)},
        {"head": None},
        {"head": "abc"},
        {"head": "A" * 40},
        {"head": "a" * 41},
        {"head": "a" * 40 + "\n"},
        {"landed": "g" * 40},
        {"token": "short"},
        {"after": ("ok", "Not ok")},
        {"branch": "x" * (BRANCH_LIMIT + 1)},
        {"target": "x" * (BRANCH_LIMIT + 1)},
        {"worker": "x" * (HOLDER_LIMIT + 1)},
        {"run": "x" * (RUN_LIMIT + 1)},
        {"run": ""},
        {"labels": ("a b",)},
        {"slot": 0},
        {"slot": SLOT_LIMIT + 1},
        {"priority": PRIORITY_LIMIT + 1},
        {"priority": -PRIORITY_LIMIT - 1},
        {"attempt": -1},
        {"attempt": ATTEMPT_LIMIT + 1},
    ],
)
def test_a_job_that_breaks_a_rule_cannot_be_built(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes)).removesuffix("s")):
        a_job(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"target": ""},
        {"epoch": 0},
        {"epoch": EPOCH_LIMIT + 1},
        {"ttl_s": 0},
        {"ttl_s": 31_536_001},
        {"holder": None},
        {"token": None},
        {"token": "x"},
        {"job": "No"},
        {"base": "1"},
        {"candidate": "1"},
        {"tree": "1"},
        {"gate": "1"},
        {"reason": "\x07"},
    ],
)
def test_a_lease_that_breaks_a_rule_cannot_be_built(changes: dict[str, Any]) -> None:
    field, value = next(iter(changes.items()))
    word = "names no holder" if value is None else field.removesuffix("_s")
    with pytest.raises(ValueError, match=word):
        a_lease(**changes)


@pytest.mark.parametrize(
    ("make", "changes", "word"),
    [
        (a_job, {"after": (JobId("a"),) * (AFTER_LIMIT + 1)}, f"at most {AFTER_LIMIT} others"),
        (a_job, {"labels": ("a",) * (LABEL_LIMIT + 1)}, f"at most {LABEL_LIMIT} labels"),
        (a_claimed_job, {"ttl_s": 0}, "ttl is outside"),
        (a_claimed_job, {"ttl_s": TTL_LIMIT_S + 1}, "ttl is outside"),
        (a_claimed_job, {"ttl_s": None}, "names no worker"),
        (a_claimed_job, {"worker": None}, "names no worker"),
        (a_claimed_job, {"token": None}, "names no worker"),
        (a_lease, {"target": "x" * (BRANCH_LIMIT + 1)}, "target is longer"),
        (a_lease, {"holder": "x" * (HOLDER_LIMIT + 1)}, "holder is longer"),
        (a_lease, {"reason": "x" * (REASON_LIMIT + 1)}, "reason is longer"),
        (a_worker, {"id": "No"}, "id is malformed"),
        (a_worker, {"holder": "x" * (HOLDER_LIMIT + 1)}, "holder is longer"),
        (a_worker, {"capacity": 0}, f"capacity is outside 1..{SLOT_LIMIT}"),
        (a_worker, {"capacity": SLOT_LIMIT + 1}, "capacity is outside"),
        (a_worker, {"ttl_s": 0}, "ttl is outside"),
        (a_worker, {"ttl_s": TTL_LIMIT_S + 1}, "ttl is outside"),
        (a_slot, {"job": "No"}, "job is malformed"),
        (a_slot, {"token": "x"}, "token is malformed"),
        (a_slot, {"number": 0}, f"slot is outside 1..{SLOT_LIMIT}"),
        (a_slot, {"number": SLOT_LIMIT + 1}, "slot is outside"),
        (a_slot, {"job": None}, "a held slot names no job"),
        (a_slot, {"token": None}, "a held slot names no job"),
        (an_edit, {"job": "No"}, "job is malformed"),
        (an_edit, {"after": ("No",)}, "after is malformed"),
        (an_edit, {"after": (JobId("a"),) * (AFTER_LIMIT + 1)}, f"at most {AFTER_LIMIT} others"),
        (an_edit, {"edits": 0}, "edits is out of bounds"),
        (an_edit, {"edits": EPOCH_LIMIT + 1}, "edits is out of bounds"),
    ],
)
def test_what_is_beyond_a_limit_is_named(make: Callable[..., Any], changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(word)}"):
        make(**changes)


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (a_job, {"id": "a" * 64, "title": "x" * TITLE_LIMIT, "branch": "x" * BRANCH_LIMIT, "run": "x" * RUN_LIMIT}),
        (a_job, {"target": "x" * BRANCH_LIMIT, "reason": "x" * REASON_LIMIT, "labels": ("a",) * LABEL_LIMIT}),
        (a_job, {"priority": PRIORITY_LIMIT, "attempt": ATTEMPT_LIMIT, "after": (JobId("a"),) * AFTER_LIMIT}),
        (a_job, {"priority": -PRIORITY_LIMIT, "attempt": 0, "slot": 1}),
        (a_claimed_job, {"ttl_s": TTL_LIMIT_S, "worker": "x" * HOLDER_LIMIT, "slot": SLOT_LIMIT}),
        (a_claimed_job, {"ttl_s": 1}),
        (a_lease, {"target": "x" * BRANCH_LIMIT, "holder": "x" * HOLDER_LIMIT, "reason": "x" * REASON_LIMIT}),
        (a_lease, {"epoch": 1, "ttl_s": 1}),
        (a_lease, {"epoch": EPOCH_LIMIT, "ttl_s": TTL_LIMIT_S}),
        (a_worker, {"holder": "x" * HOLDER_LIMIT, "capacity": 1, "ttl_s": 1}),
        (a_worker, {"capacity": SLOT_LIMIT, "ttl_s": TTL_LIMIT_S}),
        (a_slot, {"number": 1, "held": False, "job": None, "token": None}),
        (a_slot, {"number": SLOT_LIMIT}),
        (an_edit, {"edits": 1, "after": (JobId("a"),) * AFTER_LIMIT}),
        (an_edit, {"edits": EPOCH_LIMIT}),
    ],
)
def test_what_is_at_a_limit_is_legal(make: Callable[..., Any], changes: dict[str, Any]) -> None:
    made = make(**changes)
    assert {name: getattr(made, name) for name in changes} == changes


def test_a_free_lease_names_no_holder() -> None:
    assert a_lease(held=False, holder=None, token=None).epoch == 7


def test_only_a_submitted_job_needs_a_head() -> None:
    for state in set(State) - {State.SUBMITTED}:
        assert a_job_in(state, head=None).head is None


def test_records_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        a_job().title = "other"  # type: ignore[misc]


def test_ids_of_both_of_gits_object_formats_are_legal() -> None:
    assert OID.fullmatch("a" * 40) and OID.fullmatch("a" * 64)
    assert not OID.fullmatch("a" * 50)
    assert replace(a_job(), head=Oid("b" * 64)).head == "b" * 64


@given(st.text(max_size=20))
def test_a_line_that_is_accepted_can_stand_in_a_message_of_utf8_lines(text: str) -> None:
    try:
        require_line("x", text, 20)
    except ValueError:
        return
    assert text.encode("utf-8").decode("utf-8").strip() == text
    assert len(text.split("\n")) == 1


def test_an_update_that_guards_nothing_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="guards nothing"):
        RefUpdate("refs/heads/main", None, None)
    with pytest.raises(ValueError, match="guards nothing"):
        RefUpdate("refs/heads/main", oid(1), oid(1))


def test_a_plan_changes_at_least_one_ref_and_each_of_them_once() -> None:
    with pytest.raises(ValueError):
        Plan((), "nothing")
    with pytest.raises(ValueError):
        Plan((RefUpdate("refs/orch/jobs/a", None, EVENT), RefUpdate("refs/orch/jobs/a", oid(1), EVENT)), "twice")


def test_asking_a_snapshot_for_a_branch_that_was_not_observed_is_a_fault_of_the_program() -> None:
    snapshot = Snapshot(heads={"main": oid(1)}, asked=frozenset({"main", "gone"}))
    assert snapshot.tip("main") == oid(1)
    assert snapshot.tip("gone") is None
    with pytest.raises(AssertionError, match="not observed"):
        snapshot.tip("other")
