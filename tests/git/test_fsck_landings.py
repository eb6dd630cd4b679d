"""`git orch fsck` on landings: what the notes, the targets and the jobs say of each other. A failure here means that
work could land twice, untested or too early, and nobody would be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.core.model import Color, JobId, LandingRecord, Oid, Verdict
from gitorch.core.verdicts import format_landing, format_verdict
from tests.git.checked import ONE, fsck, land, only, submit
from tests.git.landing import project
from tests.git.planted import NAMES, TIME_MS, plant, put, queued
from tests.support import Clone, Remote

pytestmark = pytest.mark.unguarded


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def note(clone: Clone, *lines: tuple[str, str]) -> None:
    """Note lines on objects, as anybody may who can push."""
    clone.git("fetch", "-q", "origin", "+refs/notes/orch:refs/notes/orch")
    for target, line in lines:
        clone.git("notes", "--ref=orch", "append", "-m", line, target)
    clone.git("push", "-q", "--no-verify", "origin", "refs/notes/orch")


def landing(clone: Clone, job: str, commit: str) -> tuple[str, str]:
    base = clone.git("rev-parse", f"{commit}^")
    record = LandingRecord(job=JobId(job), target="main", head=Oid(commit), base=Oid(base), time_ms=TIME_MS)
    return commit, format_landing(record)


def green(clone: Clone, commit: str) -> tuple[str, str]:
    tree = Oid(clone.git("rev-parse", f"{commit}^{{tree}}"))
    return tree, format_verdict(Verdict(color=Color.GREEN, tree=tree, gate=Oid("a" * 40), time_ms=TIME_MS))


def test_commits_that_others_put_on_the_target_are_a_remark(clone: Clone) -> None:
    submit(clone, "one")
    land(clone, "one")
    clone.git("pull", "-q", "origin", "main")
    clone.commit({"src/direct.txt": "call base\n"}, "Past the queue")
    clone.push("main")
    assert only(fsck(clone, 0), "info") == [("main", "I1", "1 commits between landings were put there by others")]


def test_a_landing_without_a_green_verdict_is_a_fault(clone: Clone) -> None:
    submit(clone, "one")
    land(clone, "one")
    clone.git("pull", "-q", "origin", "main")
    commit = clone.commit({"src/direct.txt": "call base\n"}, "Forged")
    clone.push("main")
    note(clone, landing(clone, "one", commit))
    problems = {(promise, problem) for _, promise, problem in only(fsck(clone, 1))}
    assert ("I1", f"{commit[:12]} landed for job one without a green verdict on its tree") in problems
    assert any(promise == "I2" and problem.startswith("it landed 2 times: ") for promise, problem in problems)
    note(clone, green(clone, commit))
    assert {promise for _, promise, _ in only(fsck(clone, 1))} == {"I2"}


def test_a_landing_of_a_job_that_is_nowhere_and_of_one_that_is_not_done_are_faults(
    remote: Remote, clone: Clone
) -> None:
    plant(remote, queued("open"), "add")
    first = clone.commit({"src/1.txt": "call base\n"}, "First")
    second = clone.commit({"src/2.txt": "call base\n"}, "Second")
    clone.push("main")
    clone.git("notes", "--ref=orch", "append", "-m", "somebody else's note", first)
    clone.push("refs/notes/orch")
    note(clone, landing(clone, "lost", first), landing(clone, "open", second))
    note(clone, green(clone, first), green(clone, second))
    assert only(fsck(clone, 1)) == [
        (NAMES.job(JobId("lost")), "I3", "it landed, and is neither live nor archived"),
        (NAMES.job(JobId("open")), "I2", "it landed, and is queued"),
    ]


def test_a_job_that_landed_before_what_it_waits_for_is_a_fault(remote: Remote, clone: Clone) -> None:
    submit(clone, "one")
    submit(clone, "two")
    land(clone, "one", "two")
    tip = remote.ref(ONE) or ""
    message = remote.git("cat-file", "commit", tip).split("\n\n", 1)[1]
    parents = remote.git("rev-parse", f"{tip}^").split()
    put(remote, ONE, message.replace("Attempt: 0", "Attempt: 0\nAfter: two") + "\n", parents)
    assert (ONE, "I6", "job one landed before two, which it waits for") in only(fsck(clone, 1))


def test_a_target_that_was_rewound_is_a_fault(remote: Remote, clone: Clone) -> None:
    submit(clone, "one")
    land(clone, "one")
    remote.git("update-ref", "refs/heads/main", "main^")
    assert [(ref, promise) for ref, promise, _ in only(fsck(clone, 1))] == [(ONE, "I2")]
