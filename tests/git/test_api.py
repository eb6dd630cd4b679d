"""The queue for programs, on a real remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch import Draft, Orch, OrchError, State
from gitorch.engine.claims import ClaimEnd, LeaveEnd
from gitorch.engine.land import LandEnd
from gitorch.engine.submit import SubmitEnd
from tests.git.landing import project
from tests.support import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return project(tmp_path).clone("a")


def test_a_program_adds_claims_submits_and_lands(clone: Clone) -> None:
    with Orch.open(clone.path) as queue:
        assert queue.add("Base", id="base", priority=2, labels=["x"], body="b").state is State.QUEUED
        queue.add("Top", id="top", after=["base"])
        claimed = queue.claim()
        assert claimed.end is ClaimEnd.CLAIMED and claimed.job is not None and claimed.job.id == "base"
        assert queue.claim().end is ClaimEnd.NOTHING
        blocked = queue.claim("top")
        assert blocked.end is ClaimEnd.BLOCKED and blocked.waits_for == ("base",)
        clone.branch("work", {"src/w.txt": "call base\n"}, "Work")
        assert queue.submit("work", job="base", token=claimed.token).end is SubmitEnd.SUBMITTED
        landed = queue.land("base")
        assert landed.end is LandEnd.LANDED and landed.landed is not None
        assert queue.job("base").state is State.DONE
        assert queue.status().counts["ready"] == 1
        assert queue.claim("top").end is ClaimEnd.CLAIMED
    clone.orch("fsck")


def test_two_programs_in_one_clone_never_share_a_claim(clone: Clone) -> None:
    with Orch.open(clone.path) as one, Orch.open(clone.path) as two:
        one.add("One", id="one", lands=False)
        mine = one.claim("one", worker="w")
        assert two.claim("one", worker="w").end is ClaimEnd.BUSY
        assert two.release("one", token="0" * 32).end is LeaveEnd.LOST
        assert one.done("one", token=mine.token).end is LeaveEnd.DONE
        assert two.job("one").state is State.DONE


def test_attempts_edges_and_many_jobs(clone: Clone) -> None:
    with Orch.open(clone.path) as queue:
        done = queue.add_many([Draft(title="A", id="a", after=("b",)), Draft(title="B", id="b"), Draft(title="")])
        assert [refusal.line for refusal in done.refused] == [3] and done.added == []
        done = queue.add_many([Draft(title="A", id="a", after=("b",)), Draft(title="B", id="b")])
        assert {job.id for job in done.added} == {"a", "b"}
        with pytest.raises(OrchError, match="cycle"):
            queue.after("b", "a")
        assert queue.after("a", "b", remove=True).job.after == ()
        taken = queue.claim("a")
        assert queue.fail("a", token=taken.token, reason="no").job.state is State.REWORK
        assert queue.retry("a").state is State.QUEUED
        taken = queue.claim("a")
        assert queue.release("a", token=taken.token).job.attempt == 1
        assert queue.cancel("a").state is State.CANCELLED
        assert queue.reap().done == 0
        assert queue.land_all() == []


def test_outside_of_a_repository_there_is_no_queue(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="not a git repository"):
        Orch.open(tmp_path)
