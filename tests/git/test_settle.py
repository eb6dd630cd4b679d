"""Finishing what other hands merged: a forge's button, a squash, a person."""

from __future__ import annotations

from pathlib import Path

from tests.git.landing import add_branches, assert_main_is_green, jobs, lease, project


def test_settle_finishes_what_a_forge_merged_and_frees_the_lease(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(b, 1)
    b.orch("submit", "b1")
    gated = b.orch("gate", "b1", "--json").json()["data"]
    assert b.orch("settle", check=10).status == 10, "not merged yet"
    a.git("fetch", "-q")
    a.git("merge", "-q", "--no-ff", "-m", "Merge by a button", "origin/b1")
    a.push("main")
    settled = a.orch("settle", "--json").json()["data"]
    assert settled["job"]["state"] == "done"
    assert settled["landed"] == gated["candidate"]
    assert lease(b)["state"] == "free"
    assert b.orch("settle", "b1").status == 0, "twice is the same as once"


def test_settle_keeps_the_order_where_an_edge_came_after_the_test(tmp_path: Path) -> None:
    """Found by simulation: the job would be done before what it waits for."""
    remote = project(tmp_path)
    a = remote.clone("a")
    add_branches(a, 1)
    a.orch("submit", "b1", "--id", "b1")
    a.orch("add", "First", "--id", "first", "--no-land")
    gated = a.orch("gate", "b1", "--json").json()["data"]
    a.orch("after", "b1", "first")
    remote.git("update-ref", "refs/heads/main", gated["candidate"])
    error = a.orch("settle", "b1", "--json", check=13).json()["error"]
    assert error["waits_for"] == ["first"] and jobs(a)["b1"]["state"] == "submitted"
    a.orch("claim", "first")
    a.orch("done", "first")
    assert a.orch("settle", "b1", "--json").json()["data"]["job"]["state"] == "done"


def test_settle_does_not_count_what_was_handed_in_after_the_test(tmp_path: Path) -> None:
    """Found by simulation: the job was done, and its last commit was nowhere on the target (I2)."""
    remote = project(tmp_path)
    a = remote.clone("a")
    add_branches(a, 1)
    a.orch("submit", "b1", "--id", "b1")
    gated = a.orch("gate", "b1", "--json").json()["data"]
    a.git("switch", "-q", "b1")
    a.commit({"src/more.txt": "call base\n"}, "More")
    a.git("switch", "-q", "main")
    a.orch("submit", "b1")
    remote.git("update-ref", "refs/heads/main", gated["candidate"])
    run = a.orch("settle", "b1", check=None)
    assert run.status != 0 and jobs(a)["b1"]["state"] == "submitted", run.said()
    a.orch("land", "b1")
    assert "src/more.txt" in remote.files()
    assert jobs(a)["b1"]["state"] == "done" and lease(a)["state"] == "free"


def test_settle_recognises_a_squash_by_its_tree(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    b.branch("two", {"src/x.txt": "call base\n"}, "first")
    b.git("switch", "-q", "two")
    b.commit({"src/y.txt": "call base\n"}, "second")
    b.orch("submit", "two")
    b.orch("gate", "two")
    a.git("fetch", "-q")
    a.git("merge", "-q", "--squash", "origin/two")
    squashed = a.commit({}, "Squashed by a button")
    a.push("main")
    assert a.orch("settle", "--json").json()["data"]["landed"] == squashed


def test_settle_says_when_the_target_moved_to_something_else(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(b, 1)
    b.orch("submit", "b1")
    b.orch("gate", "b1")
    a.commit({"src/other.txt": "call base\n"}, "pushed past everybody")
    a.push("main")
    run = b.orch("settle", "b1", check=1)
    assert "not the tested tree" in run.err
    b.orch("gate", "b1")
    b.orch("land", "b1")
    assert_main_is_green(remote.path, tmp_path)
