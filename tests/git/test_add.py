"""Jobs are added one by one, or by the file, and what no job may be is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.git.landing import project
from tests.support import Clone, Remote, git


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def jobs(clone: Clone) -> dict[str, dict[str, Any]]:
    found = clone.orch("list", "--all", "--json").json()["data"]["jobs"]
    return {job["id"]: job for job in found}


def lines(*objects: Any) -> str:
    return "".join(json.dumps(found) + "\n" for found in objects)


def test_a_job_has_all_that_it_was_given(clone: Clone) -> None:
    clone.orch("add", "Base", "--id", "base")
    options = (
        "--priority",
        "5",
        "--branch",
        "fix",
        "--after",
        "base",
        "--label",
        "b/x",
        "--label",
        "c",
        "--run",
        "make",
    )
    clone.orch("add", "Fix it", "--id", "fix-it", "--body", "-", *options, stdin="Long\nstory\n")
    job = clone.orch("show", "fix-it", "--json").json()["data"]
    wanted = {
        "title": "Fix it",
        "priority": 5,
        "branch": "fix",
        "after": ["base"],
        "labels": ["b/x", "c"],
        "run": "make",
    }
    assert {key: job[key] for key in wanted} == wanted
    assert (job["state"], job["derived"], job["lands"]) == ("queued", "waiting", True)
    assert "story" in clone.orch("show", "fix-it").out


def test_editing_changes_what_was_named_and_nothing_else(clone: Clone) -> None:
    clone.orch("add", "Old", "--id", "j", "--priority", "5", "--run", "make", "--body", "old body")
    clone.orch("edit", "j", "--title", "New", "--run", "", "--label", "x")
    job = jobs(clone)["j"]
    assert (job["title"], job["run"], job["labels"], job["priority"]) == ("New", None, ["x"], 5)
    assert "old body" in clone.orch("show", "j").out
    clone.orch("edit", "j", "--body", "new body")
    assert "new body" in clone.orch("show", "j").out and "old body" not in clone.orch("show", "j").out
    assert "nothing was to be changed" in clone.orch("edit", "j", check=2).err
    clone.orch("claim", "j")
    clone.orch("edit", "j", "--priority", "9")
    clone.orch("release", "j")
    clone.orch("cancel", "j")
    assert "cancelled" in clone.orch("edit", "j", "--priority", "1", check=2).err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("",), "a title has"),
        (("x" * 501,), "a title has"),
        (("T", "--id", "Fix"), "lower-case"),
        (("T", "--id", "-x"), "lower-case"),
        (("T", "--priority", "99999999"), "priority"),
        (("T", "--priority", "-1000001"), "priority"),
        (("T", "--branch", "a..b"), "not the name of a branch"),
        (("T", "--branch", "main"), "cannot be the target"),
        (("T", "--label", "a b"), "no label"),
        (("T", "--run", "a\nb"), "one line"),
        (("T", "--target", "nowhere"), "no branch"),
        (("T", "--after", "nobody"), "nobody"),
        (("T", "--from", "x"), "TITLE"),
        ((), "TITLE"),
        (("--from", "no-such-file"), "cannot be read"),
    ],
)
def test_what_no_job_may_be_is_refused_in_a_sentence_and_a_hint(
    remote: Remote, clone: Clone, args: tuple[str, ...], says: str
) -> None:
    run = clone.orch("add", *args, check=2)
    assert says in run.err and run.err.splitlines()[-1].startswith("hint: git ")
    assert remote.refs("refs/orch") == {}


def test_the_id_that_was_probably_meant_is_suggested(clone: Clone) -> None:
    assert "--id fix-parser" in clone.orch("add", "T", "--id", "Fix Parser", check=2).err


def test_a_description_is_bounded_and_text(clone: Clone) -> None:
    assert "at most 1048576 bytes" in clone.orch("add", "T", "--body", "-", stdin="x" * 10_000_000, check=2).err
    assert jobs(clone) == {}


def test_titles_are_kept_on_one_harmless_line(clone: Clone) -> None:
    clone.orch("add", "one\x1b[31m\ntwo\u202e", "--id", "odd")
    shown = clone.orch("list").out
    assert "\x1b" not in shown and "\u202e" not in shown and "two" in shown


def test_ids_that_are_taken_or_damaged_are_left_alone(remote: Remote, clone: Clone) -> None:
    clone.orch("add", "One", "--id", "one")
    assert "already" in clone.orch("add", "Two", "--id", "one", check=2).err
    blob = git(remote.path, "hash-object", "-w", "--stdin", stdin="damage")
    git(remote.path, "update-ref", "refs/orch/jobs/bad", blob)
    assert "left alone" in clone.orch("add", "Three", "--id", "bad", check=1).err
    assert git(remote.path, "rev-parse", "refs/orch/jobs/bad") == blob


# -- many


def test_a_file_is_added_in_few_pushes_whatever_the_order_of_its_lines(remote: Remote, clone: Clone) -> None:
    remote.hook("post-receive", "echo x >> pushes\n")
    count = 120
    text = lines(
        *({"id": f"j{i}", "title": f"Job {i}", "after": [f"j{i + 1}"] if i % 7 else []} for i in range(count - 1))
    )
    text += lines({"title": "Last", "id": f"j{count - 1}", "body": "b", "labels": ["l"], "land": False, "priority": -3})
    answer = clone.orch("add", "--from", "-", "--json", stdin=text).json()
    assert answer["data"]["added"] == [f"j{i}" for i in range(count)]
    assert len((remote.path / "pushes").read_text().splitlines()) <= 4
    found = jobs(clone)
    assert len(found) == count and found["j1"]["after"] == ["j2"] and found[f"j{count - 1}"]["lands"] is False
    again = clone.orch("add", "--from", "-", "--json", stdin=text).json()["data"]
    assert (again["added"], len(again["there"])) == ([], count)


BAD = [
    ("not json", "not JSON"),
    ("[1]", "not a JSON object"),
    ('"x"', "not a JSON object"),
    ('{"id": "x"}', "no title"),
    ('{"title": ""}', "a title has"),
    ('{"title": 5}', "title must be a string"),
    ('{"title": null}', "title must be a string"),
    ('{"title": "t", "colour": 1}', "unknown key"),
    ('{"title": "t", "priority": true}', "whole number"),
    ('{"title": "t", "priority": 1.5}', "whole number"),
    ('{"title": "t", "priority": NaN}', "not JSON"),
    ('{"title": "t", "priority": 99999999}', "priority"),
    ('{"title": "t", "land": "no"}', "true or false"),
    ('{"title": "t", "after": "x"}', "list of ids"),
    ('{"title": "t", "after": [1]}', "list of ids"),
    ('{"title": "t", "after": ["nobody"]}', "neither a job nor a line"),
    ('{"title": "t", "id": "Upper"}', "lower-case"),
    ('{"title": "t", "id": "good"}', "the same id"),
    ('{"title": "t", "id": "self", "after": ["self"]}', "cycle"),
    ('{"title": "t", "id": "old"}', "already"),
    ('{"title": "t", "target": "nowhere"}', "no branch"),
    ('{"title": "t", "run": "a\\nb"}', "one line"),
    ('{"title": "' + "\\ud800" + '", "body": "\\ud800"}', "half characters"),
    ("[" * 100_000, "nested"),
]


@pytest.mark.parametrize(("line", "says"), BAD)
def test_a_bad_line_is_named_and_nothing_is_added_unless_a_part_is_wanted(clone: Clone, line: str, says: str) -> None:
    clone.orch("add", "Old", "--id", "old")
    text = '{"title": "Good", "id": "good"}\n\n' + line + "\n" + '{"title": "Follower", "id": "f", "after": ["good"]}\n'
    error = clone.orch("add", "--from", "-", "--json", stdin=text, check=2).json()["error"]
    assert [refused["line"] for refused in error["refused"]] == [3]
    assert says in error["refused"][0]["reason"]
    assert set(jobs(clone)) == {"old"}
    clone.orch("add", "--from", "-", "--partial", stdin=text, check=2)
    assert set(jobs(clone)) == {"old", "good", "f"}


def test_lines_that_wait_for_a_refused_one_are_refused_too_and_cycles_are_named(clone: Clone) -> None:
    text = lines(
        {"id": "a", "title": "A", "after": ["b"]},
        {"id": "b", "title": "B", "after": ["c"]},
        {"id": "c", "title": "C", "after": ["b"]},
        {"id": "d", "title": "D"},
    )
    error = clone.orch("add", "--from", "-", "--partial", "--json", stdin=text, check=2).json()["error"]
    reasons = {refused["id"]: refused["reason"] for refused in error["refused"]}
    assert set(reasons) == {"a", "b", "c"} and "cycle" in reasons["b"] and "refused" in reasons["a"]
    assert set(jobs(clone)) == {"d"}


def test_ten_thousand_and_one_dependencies_are_too_many(clone: Clone) -> None:
    text = json.dumps({"title": "t", "after": [f"d{i}" for i in range(10_001)]}) + "\n"
    error = clone.orch("add", "--from", "-", "--json", stdin=text, check=2).json()["error"]
    assert "at most 10000" in error["refused"][0]["reason"]


def test_an_import_that_was_killed_is_continued_by_the_same_command(remote: Remote, clone: Clone) -> None:
    text = lines(*({"id": f"j{i}", "title": f"Job {i}"} for i in range(110)))
    remote.hook("post-receive", "echo x >> pushes; [ $(wc -l < pushes) -lt 2 ] || kill -9 $(cat pid)\n")
    running = clone.start_orch("add", "--from", "-", stdin=text)
    (remote.path / "pid").write_text(str(running.process.pid))
    assert running.wait().status == -9
    (remote.path / "hooks/post-receive").unlink()
    made = len(remote.refs("refs/orch/jobs"))
    assert 0 < made < 110
    clone.orch("add", "--from", "-", stdin=text)
    assert len(remote.refs("refs/orch/jobs")) == 110
    assert clone.orch("fsck").status == 0


def test_two_imports_of_the_same_ids_at_once_make_each_job_once(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    ours = lines(*({"id": f"j{i}", "title": "Ours"} for i in range(60)))
    theirs = lines(*({"id": f"j{i}", "title": "Theirs"} for i in range(59, -1, -1)))
    racing = [clone.start_orch("add", "--from", "-", stdin=ours), other.start_orch("add", "--from", "-", stdin=theirs)]
    runs = [racer.wait() for racer in racing]
    assert {run.status for run in runs} <= {0, 2}, [run.said() for run in runs]
    found = jobs(clone)
    assert len(found) == 60
    assert all(git(remote.path, "rev-list", "--count", ref) == "1" for ref in remote.refs("refs/orch/jobs"))
