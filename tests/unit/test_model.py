"""Records are legal by construction: one that breaks a rule cannot be built."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.model import (
    ATTEMPT_LIMIT,
    EPOCH_LIMIT,
    OID,
    PRIORITY_LIMIT,
    REASON_LIMIT,
    TITLE_LIMIT,
    Oid,
    Snapshot,
    State,
    require_line,
)
from gitorch.core.writes import EventCommit, Plan, RefUpdate
from tests.records import a_job, a_job_in, a_lease, oid

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
        {"priority": PRIORITY_LIMIT + 1},
        {"priority": -PRIORITY_LIMIT - 1},
        {"attempt": -1},
        {"attempt": ATTEMPT_LIMIT + 1},
    ],
)
def test_a_job_that_breaks_a_rule_cannot_be_built(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
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
    with pytest.raises(ValueError):
        a_lease(**changes)


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
