"""`git orch fsck` on a real remote: a history that went right is clean, and each kind of damage that was planted is
named. A failure here means that a broken promise would go unnoticed, or that people are sent after ghosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitorch.core.codec import encode
from gitorch.core.model import GraphEdit, JobId, Lease, Oid, State
from tests.git.checked import ONE, fsck, land, only, submit
from tests.git.landing import project
from tests.git.planted import NAMES, TIME_MS, claimed, plant, put, queued, slot, token, worker
from tests.support import Clone, Remote

pytestmark = pytest.mark.unguarded


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def test_an_empty_remote_has_no_fault(clone: Clone) -> None:
    run = clone.orch("fsck")
    assert run.out == "no fault in 0 live jobs, 0 archived jobs, 0 events, 1 targets\n"


def test_a_history_with_everything_that_may_happen_is_clean(remote: Remote, clone: Clone) -> None:
    submit(clone, "one")
    submit(clone, "two", "--after", "one")
    land(clone, "one", "two")
    submit(clone, "red", text="call nothing\n")
    clone.orch("land", "red", check=15)
    clone.branch("left", {"shared.txt": "left\n"}, "Left")
    clone.branch("right", {"shared.txt": "right\n"}, "Right")
    clone.orch("submit", "left", "--id", "left")
    clone.orch("submit", "right", "--id", "right")
    land(clone, "left")
    clone.orch("land", "right", check=14)
    submit(clone, "gone")
    clone.orch("cancel", "gone")
    submit(clone, "chain1")
    submit(clone, "chain2", "--after", "chain1")
    clone.orch("land", "--all")
    plant(remote, queued("work"), "add")
    plant(remote, claimed("work", slot=1, kept=True), "claim", on=True)
    plant(remote, slot(1, "work"), "take")
    plant(remote, worker("w-1"), "start")
    plant(remote, worker("w-1"), "beat", on=True)
    assert fsck(clone, 0) == []
    clone.orch("gc", "--now")
    assert fsck(clone, 0) == []


def test_fsck_starts_a_handful_of_processes_however_many_jobs_there_are(
    remote: Remote, clone: Clone, tmp_path: Path
) -> None:
    for number in range(30):
        plant(remote, queued(f"job-{number}"), "add")
    trace = tmp_path / "trace"
    clone.orch("fsck", env={"GIT_TRACE": str(trace)})
    assert trace.read_text().count("built-in: git") < 30


def bad_message(remote: Remote) -> None:
    put(remote, ONE, "nothing\n", [])


def bad_history(remote: Remote) -> None:
    base = put(remote, ONE, "nothing\n", [])
    plant(remote, queued("one"), "edit", parents=[base])


def unknown_ref(remote: Remote) -> None:
    put(remote, "refs/orch/what/ever", "nothing\n", [])


def other_id(remote: Remote) -> None:
    plant(remote, queued("other"), "add", ref=ONE)
    plant(remote, queued("one"), "edit", on=True)


def illegal_start(remote: Remote) -> None:
    plant(remote, claimed("one"), "claim")


def illegal_step(remote: Remote) -> None:
    plant(remote, queued("one", state=State.CANCELLED), "add", ref=ONE)
    plant(remote, queued("one"), "edit", on=True)


def illegal_result(remote: Remote) -> None:
    plant(remote, queued("one"), "add")
    plant(remote, queued("one", state=State.CANCELLED), "edit", on=True)


def unknown_event(remote: Remote) -> None:
    plant(remote, queued("one"), "add")
    plant(remote, queued("one"), "frobnicate", on=True)


def repeated_nonce(remote: Remote) -> None:
    plant(remote, queued("one"), "add", nonce="a" * 32)
    plant(remote, queued("one", priority=1), "edit", on=True, nonce="a" * 32)


def lease(epoch: int, **changes: Any) -> Lease:
    values: dict[str, Any] = {"target": "main", "held": True, "ttl_s": 300, "holder": "eve", "token": "a" * 40}
    return Lease(epoch=epoch, **(values | {"since_ms": TIME_MS, "updated_ms": TIME_MS} | changes))


def falling_epoch(remote: Remote) -> None:
    plant(remote, lease(5), "acquire")
    plant(remote, lease(4), "acquire", on=True)


def rising_epoch(remote: Remote) -> None:
    plant(remote, lease(5), "acquire")
    plant(remote, lease(6), "renew", on=True)


def stolen_lease(remote: Remote) -> None:
    plant(remote, lease(5), "acquire")
    plant(remote, lease(5, token="b" * 40), "renew", on=True)


def cycle(remote: Remote) -> None:
    plant(remote, queued("one", "two"), "add")
    plant(remote, queued("two", "one"), "add")


def lost_edit(remote: Remote) -> None:
    plant(remote, GraphEdit(job=JobId("x"), edits=1, updated_ms=TIME_MS), "edges")
    plant(remote, GraphEdit(job=JobId("x"), edits=3, updated_ms=TIME_MS), "edges", on=True)


def slot_of_nobody(remote: Remote) -> None:
    plant(remote, slot(1, "one"), "take")


def claim_without_its_slot(remote: Remote) -> None:
    plant(remote, queued("one"), "add")
    plant(remote, claimed("one", slot=1), "claim", on=True)


def slot_of_an_older_claim(remote: Remote) -> None:
    plant(remote, slot(1, "one"), "take")
    plant(remote, queued("one"), "add")
    plant(remote, claimed("one", token=token("other")), "claim", on=True)


def done_without_landing(remote: Remote) -> None:
    head = Oid(remote.tip() or "")
    plant(remote, queued("one", state=State.SUBMITTED, branch="b", head=head), "submit")
    plant(remote, queued("one", state=State.DONE, branch="b", head=head), "land", on=True)


def done_too_early(remote: Remote) -> None:
    head = Oid(remote.tip() or "")
    plant(remote, queued("two"), "add")
    plant(remote, queued("one", "two", state=State.SUBMITTED, head=head), "submit")
    plant(remote, queued("one", "two", state=State.DONE, head=head, landed=head), "land", on=True)


def landed_elsewhere(remote: Remote) -> None:
    head = Oid(remote.tip() or "")
    other = put(remote, "refs/heads/side", "side\n", [head])
    plant(remote, queued("one", state=State.SUBMITTED, head=head), "submit")
    plant(remote, queued("one", state=State.DONE, head=head, landed=other), "land", on=True)


@pytest.mark.parametrize(
    ("damage", "promise", "said"),
    [
        (bad_message, "format", "not a record of git orch"),
        (bad_history, "format", "is no event"),
        (unknown_ref, "format", "its name is nothing that git orch writes"),
        (other_id, "I3", "it changes the id from other to one"),
        (illegal_start, "I3", "it cannot begin a job"),
        (illegal_step, "I3", "it cannot happen to a job that is cancelled"),
        (illegal_result, "I3", "it leads to queued, not to cancelled"),
        (unknown_event, "I3", "nothing of this name can happen to a job"),
        (repeated_nonce, "I4", "has the nonce of a later event"),
        (falling_epoch, "I5", "the epoch falls from 5 to 4"),
        (rising_epoch, "I5", "the epoch rises from 5 to 6 without being acquired"),
        (stolen_lease, "I5", "it changes hands without being acquired"),
        (cycle, "I6", "it waits for itself: one -> two -> one"),
        (lost_edit, "I6", "edit 3 follows edit 1"),
        (slot_of_nobody, "I5", "it is held for job one, which nobody has claimed"),
        (claim_without_its_slot, "I5", "which does not name this claim"),
        (slot_of_an_older_claim, "I5", "it is held for a claim of job one that is over"),
        (done_without_landing, "I2", "is done, and nothing of it landed"),
        (done_too_early, "I6", "job one is done before two, which it waits for and which is queued"),
        (landed_elsewhere, "I2", "which is not on main"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_kind_of_damage_is_named(
    remote: Remote, clone: Clone, damage: Callable[[Remote], None], promise: str, said: str
) -> None:
    damage(remote)
    found = only(fsck(clone, 1))
    assert any(kind == promise and said in problem for _, kind, problem in found), found
    run = clone.orch("fsck", check=1)
    assert said in run.out
    assert run.err.splitlines()[-1].startswith("hint: git orch ")


def test_more_held_slots_than_the_limit_is_a_fault(remote: Remote, clone: Clone) -> None:
    for number, name in enumerate(("one", "two"), 1):
        plant(remote, queued(name), "add")
        plant(remote, claimed(name, slot=number), "claim", on=True)
        plant(remote, slot(number, name), "take")
    assert fsck(clone, 0) == []
    clone.git("config", "orch.maxConcurrency", "1")
    assert [problem for _, _, problem in only(fsck(clone, 1))] == ["2 slots are held, and orch.maxConcurrency is 1"]


def test_a_vanished_dependency_is_a_warning_and_an_unwatched_claim_a_remark(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("one", "ghost"), "add")
    plant(remote, queued("two"), "add")
    plant(remote, claimed("two", kept=True), "claim", on=True)
    found = fsck(clone, 0)
    assert only(found, "warning") == [(ONE, "I3", "it waits for ghost, which is neither live nor archived")]
    assert [promise for _, promise, _ in only(found, "info")] == ["I7"]


# -- the archive


def archived(clone: Clone) -> None:
    submit(clone, "one")
    clone.orch("cancel", "one")
    clone.orch("gc", "--now")


def test_an_id_that_is_live_and_archived_is_a_fault(remote: Remote, clone: Clone) -> None:
    archived(clone)
    plant(remote, queued("one"), "add")
    text = "another job of this id is in the archive: a job is in exactly one state"
    assert only(fsck(clone, 1)) == [(ONE, "I3", text)]


def test_half_of_an_archiving_push_is_a_warning(remote: Remote, clone: Clone) -> None:
    submit(clone, "one")
    clone.orch("cancel", "one")
    tip = remote.ref(ONE) or ""
    clone.orch("gc", "--now")
    remote.git("update-ref", ONE, tip)
    found = fsck(clone, 0)
    assert only(found, "warning") == [(ONE, "I3", "it is archived already, and its ref is still there")]


def test_an_archive_that_lost_entries_or_has_others_is_a_fault(remote: Remote, clone: Clone) -> None:
    archived(clone)
    whole = remote.ref(NAMES.archive) or ""
    message = remote.git("cat-file", "commit", whole).split("\n\n", 1)[1] + "\n"
    parents = remote.git("rev-list", "--parents", "-1", whole).split()[1:]
    put(remote, NAMES.archive, message, parents)
    problems = [problem for _, _, problem in only(fsck(clone, 1))]
    assert len(problems) == 1 and "job one was archived" in problems[0] and "its entry is gone" in problems[0]
    tree = remote.git("rev-parse", f"{whole}^{{tree}}")
    put(remote, NAMES.archive, message, parents[:1], tree)
    problems = [problem for _, _, problem in only(fsck(clone, 1))]
    assert any("is no parent of the archive" in problem for problem in problems)
    assert any("keeps no job's events" in problem for problem in problems)


def test_an_entry_that_cannot_be_read_is_a_fault(remote: Remote, clone: Clone) -> None:
    archived(clone)
    whole = remote.ref(NAMES.archive) or ""
    path = next(
        line for line in remote.git("ls-tree", "-r", "--name-only", whole).splitlines() if line.endswith("/one")
    )
    blob = remote.git("hash-object", "-w", "--stdin", stdin="rubbish\n")
    inner = remote.git("mktree", stdin=f"100644 blob {blob}\tone\n")
    tree = remote.git("mktree", stdin=f"040000 tree {inner}\t{path.split('/')[0]}\n")
    message = remote.git("cat-file", "commit", whole).split("\n\n", 1)[1] + "\n"
    put(remote, NAMES.archive, message, remote.git("rev-list", "--parents", "-1", whole).split()[1:], tree)
    assert (NAMES.archive, "I3", "the entry of job one cannot be read") in only(fsck(clone, 1))


def test_a_commit_of_the_archive_that_is_no_event_is_a_fault(remote: Remote, clone: Clone) -> None:
    archived(clone)
    whole = remote.ref(NAMES.archive) or ""
    put(remote, NAMES.archive, "rubbish\n", [whole], remote.git("rev-parse", f"{whole}^{{tree}}"))
    assert any(ref == NAMES.archive and "is no event" in problem for ref, _, problem in only(fsck(clone, 1)))


def test_a_record_of_a_later_version_is_a_warning(remote: Remote, clone: Clone) -> None:
    message = encode(queued("one"), event="add", subject="x", nonce="a" * 32)
    put(remote, ONE, message.replace("Orch-Format: 1", "Orch-Format: 2"), [])
    assert [ref for ref, _, _ in only(fsck(clone, 0), "warning")] == [ONE]
