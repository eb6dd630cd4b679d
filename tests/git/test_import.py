"""Files of jobs: what a line waits for is what it names, no line is lost, and a run that is repeated makes nothing
twice, whatever becomes of its pushes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gitorch.core.additions import Draft
from gitorch.core.model import JobId, Oid
from gitorch.engine.add import add_many
from gitorch.memory import MemoryRemote
from tests.git.landing import project
from tests.git.test_add import jobs, lines
from tests.support import Clone, Remote, git
from tests.unit.test_exchange import world


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def finish(clone: Clone, job: str) -> None:
    clone.orch("add", f"Do {job}", "--id", job, "--no-land")
    clone.orch("claim", job)
    clone.orch("done", job)


def refused(clone: Clone, text: str) -> dict[int, str]:
    error = clone.orch("add", "--from", "-", "--partial", "--json", stdin=text, check=2).json()["error"]
    return {found["line"]: found["reason"] for found in error["refused"]}


def test_the_id_of_a_refused_line_is_not_taken_for_the_beginning_of_another(clone: Clone) -> None:
    clone.orch("add", "Other", "--id", "fix-parser")
    text = lines(
        {"id": "fix", "title": "Fix", "priority": 10**9},
        {"id": "use", "title": "Use", "after": ["fix"]},
        {"id": "more", "title": "More", "after": ["use"]},
    )
    assert set(refused(clone, text)) == {1, 2, 3}
    assert set(jobs(clone)) == {"fix-parser"}


def test_the_exact_id_of_an_archived_job_goes_before_the_beginning_of_a_live_one(clone: Clone) -> None:
    finish(clone, "fix")
    clone.orch("gc", "--now")
    clone.orch("add", "Other", "--id", "fix-parser")
    clone.orch("add", "--from", "-", stdin=lines({"id": "use", "title": "Use", "after": ["fix"]}))
    assert jobs(clone)["use"]["after"] == ["fix"]


def test_a_line_may_wait_for_live_archived_and_other_lines(clone: Clone) -> None:
    finish(clone, "old")
    clone.orch("gc", "--now")
    clone.orch("add", "Live", "--id", "live")
    text = lines({"id": "x", "title": "X", "after": ["y", "old", "live"]}, {"id": "y", "title": "Y"})
    clone.orch("add", "--from", "-", stdin=text)
    assert jobs(clone)["x"]["after"] == ["y", "old", "live"]


class Repeating:
    """Randomness that gives the same ids again and again, before it comes upon another."""

    def __init__(self, *ids: str) -> None:
        self._ids: Iterator[str] = iter(ids)

    def short_id(self) -> str:
        return next(self._ids)

    def token(self) -> str:
        return "0" * 32

    def uniform(self, low: float, high: float) -> float:
        return low


def test_ids_that_are_made_up_never_take_the_place_of_another_line() -> None:
    """I3: of two lines with one id only one would ever be made, and nobody would be told."""
    remote = MemoryRemote()
    remote.refs["refs/heads/main"] = Oid("1" * 40)
    here = replace(world(remote), random=cast(Any, Repeating("same", "same", "named", "other")))
    drafts = {1: Draft(title="One"), 2: Draft(title="Two"), 3: Draft(title="Three", id="named")}
    result = add_many(here, drafts, (), "main", partial=False)
    assert [(job.title, job.id) for job in result.added] == [
        ("One", JobId("same")),
        ("Two", JobId("other")),
        ("Three", JobId("named")),
    ]


def test_a_push_of_the_same_lines_that_arrives_late_is_no_refusal(remote: Remote, clone: Clone) -> None:
    """The first run was cut off, its push was still under way, and the second run had looked already."""
    text = lines({"id": "x", "title": "X"}, {"id": "y", "title": "Y", "after": ["x"]})
    clone.orch("add", "--from", "-", stdin=text)
    made = remote.refs("refs/orch/jobs")
    for ref in made:
        git(remote.path, "update-ref", "-d", ref)
    late = "".join(f"create {ref} {oid}\n" for ref, oid in made.items() if ref.endswith("/x"))
    (remote.path / "late").write_text(late)
    remote.hook(
        "pre-receive", "[ ! -f late ] || { env -u GIT_QUARANTINE_PATH git update-ref --stdin < late; rm late; }\n"
    )
    answer = clone.orch("add", "--from", "-", "--json", stdin=text).json()["data"]
    assert (answer["added"], answer["there"], answer["refused"]) == (["y"], ["x"], [])
    assert jobs(clone)["y"]["after"] == ["x"]


def test_a_remote_that_takes_few_refs_at_once_gets_smaller_pushes(remote: Remote, clone: Clone) -> None:
    remote.hook("pre-receive", "[ $(wc -l) -le 10 ] || { echo too many refs >&2; exit 1; }\n")
    clone.orch("add", "--from", "-", stdin=lines(*({"id": f"j{i}", "title": f"Job {i}"} for i in range(60))))
    assert len(jobs(clone)) == 60


def test_lines_that_are_no_text_or_too_long_are_named(clone: Clone, tmp_path: Path) -> None:
    long = json.dumps({"title": "t", "body": "x" * 3_000_000}).encode()
    big = json.dumps({"title": "t", "body": "x" * 1_048_577}).encode()
    file = tmp_path / "jobs"
    file.write_bytes(b"\n".join([b'{"title": "\xff"}', long, big, b'{"title": "t", "priority": Infinity}']))
    run = clone.orch("add", "--from", str(file), "--json", check=2)
    reasons = [found["reason"] for found in run.json()["error"]["refused"]]
    for reason, says in zip(reasons, ("not UTF-8", "longer than", "at most 1048576", "no number"), strict=True):
        assert says in reason and len(reason) < 200
    assert jobs(clone) == {}


def test_making_a_job_again_that_others_wait_for_closes_no_cycle(remote: Remote, clone: Clone) -> None:
    clone.orch("add", "Gone", "--id", "gone")
    clone.orch("add", "Top", "--id", "top", "--after", "gone")
    git(remote.path, "update-ref", "-d", "refs/orch/jobs/gone")
    run = clone.orch("add", "Gone", "--id", "gone", "--after", "top", check=13)
    assert "gone -> top -> gone" in run.err
    assert set(jobs(clone)) == {"top"} and remote.refs("refs/orch/graph") == {}
    clone.orch("add", "Base", "--id", "base")
    clone.orch("add", "Gone", "--id", "gone", "--after", "base")
    assert remote.refs("refs/orch/graph"), "an edge from a job that others wait for is an edit of the graph (I6)"


def test_edges_by_submitting_and_by_hand_never_close_a_cycle_together(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    for number in range(3):
        a, b = f"a{number}", f"b{number}"
        for job in (a, b):
            clone.orch("add", f"Do {job}", "--id", job)
        clone.branch(f"branch-{a}", {f"src/{a}.txt": "call base\n"}, "Work")
        racing = [
            clone.start_orch("submit", f"branch-{a}", "--job", a, "--after", b),
            other.start_orch("after", b, a),
        ]
        assert sorted(racer.wait().status for racer in racing) == [0, 13]
