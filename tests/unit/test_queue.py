"""Who is ready, who waits, in what order. A failure here lands a job before what it needs."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.errors import UsageError
from gitorch.core.model import Derived, Job, JobId, Seen, Snapshot, State
from gitorch.core.queue import (
    derived,
    find_job,
    is_ready,
    jobs_of_branch,
    open_dependencies,
    open_job_of_branch,
    order_key,
    states_of,
    to_claim,
    to_land,
)
from tests.records import TIME_MS, a_job, a_job_in, oid


def board(*jobs: Job) -> dict[JobId, Seen[Job]]:
    return {job.id: Seen(oid(number), job) for number, job in enumerate(jobs, 1)}


def ids(seen: list[Seen[Job]]) -> list[str]:
    return [one.record.id for one in seen]


PICKABLE = [State.QUEUED, State.SUBMITTED, State.REWORK]
WAITING = a_job("b", after=("a",))


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (State.DONE, Derived.READY),
        (State.FAILED, Derived.BLOCKED),
        (State.CANCELLED, Derived.BLOCKED),
        (State.QUEUED, Derived.WAITING),
        (State.CLAIMED, Derived.WAITING),
        (State.SUBMITTED, Derived.WAITING),
        (State.REWORK, Derived.WAITING),
    ],
)
def test_a_job_waits_for_what_is_not_done_and_is_blocked_by_what_will_not_be(state: State, answer: Derived) -> None:
    for mine in PICKABLE:
        job = a_job("b", after=("a",), state=mine)
        assert derived(job, {JobId("a"): state, JobId("b"): mine}) is answer


@given(st.lists(st.sampled_from(State), max_size=5))
def test_of_many_dependencies_the_worst_decides(states: list[State]) -> None:
    names = [JobId(f"d{number}") for number in range(len(states))]
    found = derived(a_job("b", after=tuple(names)), dict(zip(names, states, strict=True)))
    if any(state in (State.FAILED, State.CANCELLED) for state in states):
        assert found is Derived.BLOCKED
    elif all(state is State.DONE for state in states):
        assert found is Derived.READY
    else:
        assert found is Derived.WAITING


def test_a_job_that_nobody_could_take_or_land_is_neither_ready_nor_waiting() -> None:
    for state in set(State) - set(PICKABLE):
        assert derived(a_job_in(state, "b", after=("a",)), {JobId("a"): State.DONE}) is None


def test_a_dependency_that_cannot_be_found_does_not_hold_the_job_back() -> None:
    assert derived(WAITING, {}) is Derived.READY
    assert open_dependencies(WAITING, {}) == []


def test_damaged_data_with_a_cycle_never_raises_and_lets_nothing_on_it_through() -> None:
    jobs = board(a_job("a", after=("b",)), a_job("b", after=("a",)), a_job("c", after=("c",)), a_job("d"))
    snapshot = Snapshot(jobs=jobs)
    assert ids(to_land(snapshot)) == ["d"]
    states = states_of(snapshot)
    assert states.cyclic == {"a", "b", "c"}
    assert derived(jobs[JobId("a")].record, states) is Derived.BLOCKED


def test_what_a_job_still_waits_for_is_listed_in_its_own_order() -> None:
    job = a_job("z", after=("c", "a", "b", "x"))
    states = {JobId("a"): State.DONE, JobId("b"): State.FAILED, JobId("c"): State.QUEUED}
    assert open_dependencies(job, states) == ["c", "b"]


def test_jobs_land_by_priority_then_age_then_id_in_whatever_order_they_are_seen() -> None:
    jobs = [
        a_job("z", priority=5, created_ms=TIME_MS + 9),
        a_job("c", created_ms=TIME_MS),
        a_job("a", created_ms=TIME_MS + 1),
        a_job("b", created_ms=TIME_MS + 1),
        a_job("y", priority=-1, created_ms=0),
    ]
    for order in permutations(jobs):
        assert ids(to_land(Snapshot(jobs=board(*order)))) == ["z", "c", "a", "b", "y"]


def test_a_job_keeps_its_place_when_it_comes_back_from_rework() -> None:
    old = a_job("old", created_ms=1, updated_ms=TIME_MS + 99)
    assert order_key(old) < order_key(a_job("new", created_ms=2, updated_ms=2))


def test_a_job_that_waited_stands_behind_those_that_were_ready_before_it() -> None:
    snapshot = Snapshot(
        jobs=board(a_job("old", created_ms=1, after=("dep", "gone")), a_job("young", created_ms=50)),
        archived=board(a_job("dep", state=State.DONE, updated_ms=60)),
    )
    assert ids(to_land(snapshot)) == ["young", "old"]


def test_archived_dependencies_count_for_what_they_were() -> None:
    jobs = board(a_job("a", after=("was-done",)), a_job("b", after=("was-cancelled",)))
    archived = board(a_job("was-done", state=State.DONE), a_job("was-cancelled", state=State.CANCELLED))
    snapshot = Snapshot(jobs=jobs, archived=archived)
    assert ids(to_land(snapshot)) == ["a"]
    assert derived(jobs[JobId("b")].record, states_of(snapshot)) is Derived.BLOCKED


def test_only_queued_and_reworked_ready_jobs_are_to_be_claimed() -> None:
    jobs = board(*(a_job_in(state, state.value) for state in State), a_job("w", state=State.QUEUED, after=("queued",)))
    assert ids(to_claim(Snapshot(jobs=jobs))) == ["queued", "rework"]
    assert ids(to_claim(Snapshot(jobs=jobs), "release")) == []


def test_what_cannot_be_found_holds_a_job_back_only_where_that_is_wanted() -> None:
    assert derived(WAITING, {}, missing_holds=True) is Derived.BLOCKED
    found = {JobId("a"): State.QUEUED}
    assert derived(WAITING, found, missing_holds=True) is Derived.WAITING, "what is there is not missing"
    assert derived(a_job("b", after=("a", "gone")), found, missing_holds=False) is Derived.WAITING
    snapshot = Snapshot(jobs=board(WAITING, a_job("c", state=State.QUEUED, after=("a",))))
    assert (ids(to_land(snapshot)), ids(to_claim(snapshot))) == (["b"], ["c"])
    assert to_land(snapshot, missing_holds=True) == to_claim(snapshot, missing_holds=True) == []
    assert not any(is_ready(a_job_in(state), {}) for state in set(State) - set(PICKABLE))
    assert is_ready(WAITING, {}) and not is_ready(WAITING, {}, missing_holds=True)


def test_only_submitted_and_ready_jobs_of_the_target_land() -> None:
    jobs = board(
        a_job("ok"),
        a_job("queued", state=State.QUEUED),
        a_job("rework", state=State.REWORK),
        a_job("done", state=State.DONE),
        a_job("waits", after=("queued",)),
        a_job("other", target="release"),
        a_job("after-done", after=("done",)),
    )
    snapshot = Snapshot(jobs=jobs)
    assert ids(to_land(snapshot, "main")) == ["after-done", "ok"]
    assert ids(to_land(snapshot)) == ["after-done", "ok", "other"]
    assert states_of(snapshot)[JobId("rework")] is State.REWORK


# -- which job a word names


def test_an_id_names_its_job_even_where_it_begins_another_or_is_a_branch() -> None:
    jobs = board(a_job("fix"), a_job("fix-2"), a_job("x", branch="fix"))
    assert find_job(jobs, "fix").record.id == "fix"


def test_a_branch_names_its_job_and_a_prefix_the_only_one_that_begins_so() -> None:
    jobs = board(a_job("abc", branch="b1"), a_job("abd", branch="a"), a_job("xyz", branch="b3"))
    assert find_job(jobs, "b1").record.id == "abc"
    assert find_job(jobs, "a").record.id == "abd"
    assert find_job(jobs, "xy").record.id == "xyz"


def test_an_open_job_of_a_branch_is_meant_rather_than_an_old_one() -> None:
    old = a_job("old", branch="b", state=State.DONE)
    older = a_job("older", branch="b", state=State.CANCELLED, created_ms=1)
    assert find_job(board(old, older, a_job("new", branch="b")), "b").record.id == "new"
    assert find_job(board(old, older), "b").record.id == "old"
    assert ids(jobs_of_branch(board(older, old), "b")) == ["old"]
    assert jobs_of_branch(board(old), "other") == []
    assert ids(jobs_of_branch(board(old), "b")) == ["old"]
    oldest = a_job("oldest", branch="b", state=State.DONE, created_ms=0)
    assert ids(jobs_of_branch(board(old, oldest, older), "b")) == ["old"]


@pytest.mark.parametrize("word", ["", "nothing", "FIX", "fix ", "*", "--all"])
def test_a_word_that_names_no_job_is_a_usage_error(word: str) -> None:
    with pytest.raises(UsageError, match="no job and no submitted branch is named") as caught:
        find_job(board(a_job("fix")), word)
    assert caught.value.hint == "git orch list"


def test_a_word_that_could_be_several_is_refused_and_a_few_are_named() -> None:
    jobs = board(*(a_job(f"job-{number}", branch=f"b{number}") for number in range(9)))
    with pytest.raises(UsageError, match=r"could be any of job-0, job-1, job-2, job-3, job-4, …$") as caught:
        find_job(jobs, "job")
    assert caught.value.hint == "git orch show job-0"
    five = {JobId(name): jobs[JobId(name)] for name in ("job-0", "job-1", "job-2", "job-3", "job-4")}
    with pytest.raises(UsageError, match=r"job-4$"):
        find_job(five, "job")
    with pytest.raises(UsageError, match=r"job-4, …$"):
        find_job({**five, JobId("job-5"): jobs[JobId("job-5")]}, "job")
    with pytest.raises(UsageError, match=r"could be any of one, two$"):
        find_job(board(a_job("one", branch="b"), a_job("two", branch="b", target="release")), "b")


def test_a_strange_word_is_shown_without_its_control_characters() -> None:
    with pytest.raises(UsageError) as caught:
        find_job({}, "\x1b[31m\u202e")
    assert caught.value.message.isprintable()


def test_submitting_a_branch_again_continues_its_open_job_for_the_same_target() -> None:
    jobs = board(
        a_job("done", branch="b", state=State.DONE),
        a_job("elsewhere", branch="b", target="release"),
        a_job("young", branch="b", created_ms=TIME_MS + 1),
        a_job("old", branch="b", state=State.REWORK),
    )
    assert open_job_of_branch(jobs.values(), "b", "main").record.id == "old"  # type: ignore[union-attr]
    assert open_job_of_branch(jobs.values(), "c", "main") is None
