"""Dependencies: declared, changed later, never in a circle however edits race (I6), and kept when jobs are archived."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitorch.core.graph import on_cycles
from tests.git.landing import project
from tests.support import Clone, Remote, Run, git


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def add(clone: Clone, *names: str) -> None:
    for name in names:
        clone.orch("add", f"Do {name}", "--id", name)


def after(clone: Clone) -> dict[str, list[str]]:
    jobs = clone.orch("list", "--json").json()["data"]["jobs"]
    return {job["id"]: job["after"] for job in jobs}


def test_what_waits_is_decided_by_edges_and_edges_can_change(clone: Clone) -> None:
    add(clone, "a", "b", "c")
    assert clone.orch("after", "c", "a", "b", "--json").json()["data"]["derived"] == "waiting"
    again = clone.orch("after", "c", "b", "--json").json()["data"]
    assert again["changed"] is False
    clone.orch("after", "c", "a", "--remove")
    assert after(clone)["c"] == ["b"]
    clone.orch("after", "c", "b", "--remove")
    assert clone.orch("show", "c", "--json").json()["data"]["derived"] == "ready"
    assert clone.orch("after", "c", "b", "--remove", check=2).status == 2


@pytest.mark.parametrize(("job", "dependency"), [("a", "a"), ("a", "c"), ("b", "c")])
def test_an_edge_that_would_close_a_cycle_is_refused_with_the_path(clone: Clone, job: str, dependency: str) -> None:
    add(clone, "a", "b", "c")
    clone.orch("after", "b", "a")
    clone.orch("after", "c", "b")
    before = after(clone)
    run = clone.orch("after", job, dependency, check=13)
    assert f"{job} -> " in run.err and "cycle" in run.err
    assert after(clone) == before


def test_unknown_and_finished_jobs_are_refused(clone: Clone) -> None:
    add(clone, "a", "b")
    assert "nobody" in clone.orch("after", "a", "nobody", check=2).err
    assert "nobody" in clone.orch("add", "X", "--after", "nobody", check=2).err
    clone.orch("cancel", "b")
    assert "cancelled" in clone.orch("after", "b", "a", check=2).err
    assert after(clone) == {"a": []}


def test_an_archived_dependency_counts_for_what_it_was(clone: Clone) -> None:
    add(clone, "good", "bad", "top", "stuck")
    clone.orch("after", "top", "good")
    clone.orch("after", "stuck", "bad")
    clone.orch("edit", "good", "--no-land")
    clone.orch("claim", "good")
    clone.orch("done", "good")
    clone.orch("cancel", "bad")
    clone.orch("gc", "--now")
    assert sorted(after(clone)) == ["stuck", "top"]
    shown = {name: clone.orch("show", name, "--json").json()["data"] for name in ("top", "stuck", "good", "bad")}
    assert (shown["top"]["derived"], shown["stuck"]["derived"]) == ("ready", "blocked")
    assert (shown["good"]["state"], shown["bad"]["state"]) == ("done", "cancelled")
    assert clone.orch("claim", "stuck", check=13).status == 13
    clone.orch("after", "top", "bad")
    assert clone.orch("show", "top", "--json").json()["data"]["derived"] == "blocked"
    clone.orch("add", "Later", "--id", "later", "--after", "good")
    assert "already" in clone.orch("add", "Again", "--id", "good", check=2).err


def test_a_vanished_dependency_warns_and_does_not_hold_back_unless_told_to(remote: Remote, clone: Clone) -> None:
    add(clone, "gone", "top")
    clone.orch("after", "top", "gone")
    git(remote.path, "update-ref", "-d", "refs/orch/jobs/gone")
    assert "gone" in clone.orch("status").out
    clone.git("config", "orch.missingDependency", "closed")
    assert clone.orch("claim", "top", check=13).status == 13
    clone.git("config", "--unset", "orch.missingDependency")
    clone.orch("claim", "top")


def test_landing_refuses_a_job_that_waits_since_later(clone: Clone) -> None:
    add(clone, "base")
    clone.branch("b1", {"src/b1.txt": "call base\n"}, "Add b1")
    clone.orch("submit", "b1", "--id", "b1")
    clone.orch("after", "b1", "base")
    assert clone.orch("land", "b1", check=13).status == 13
    clone.orch("after", "b1", "base", "--remove")
    clone.orch("land", "b1")


def test_trailers_of_a_submitted_branch_are_edges_of_a_job_that_exists(clone: Clone) -> None:
    add(clone, "base", "work")
    clone.orch("after", "base", "work")
    clone.branch("w", {"src/w.txt": "call base\n"}, "Work\n\nDepends-on: base")
    assert "cycle" in clone.orch("submit", "w", "--job", "work", check=13).err
    clone.orch("after", "base", "work", "--remove")
    clone.orch("submit", "w", "--job", "work")
    assert after(clone)["work"] == ["base"]
    assert clone.orch("land", "work", check=13).status == 13


def test_two_edits_that_would_close_a_cycle_together_are_never_both_made(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    for number in range(4):
        a, b = f"a{number}", f"b{number}"
        add(clone, a, b)
        racing = [clone.start_orch("after", a, b), other.start_orch("after", b, a)]
        assert sorted(racer.wait().status for racer in racing) == [0, 13]


def test_however_many_edit_the_graph_at_once_it_stays_without_a_cycle(remote: Remote, clone: Clone) -> None:
    """A ring of eight, each edge by another process in another clone, twice over and in both directions."""
    names = [f"n{i}" for i in range(8)]
    add(clone, *names)
    clones = [remote.clone(f"c{i}") for i in range(8)]

    def edit(number: int) -> list[Run]:
        mine, step = names[number], 1 if number % 2 else 3
        return [
            clones[number].orch("after", mine, names[(number + step) % 8], check=None),
            clones[number].orch("after", mine, names[(number + 5) % 8], check=None),
        ]

    with ThreadPoolExecutor(8) as pool:
        runs = [run for found in pool.map(edit, range(8)) for run in found]
    assert {run.status for run in runs} <= {0, 13}, "\n".join(run.said() for run in runs)
    assert any(run.status == 13 for run in runs), "these sixteen edges cannot all stand"
    edges = after(clone)
    assert on_cycles(edges) == frozenset()
    made = sum(len(found) for found in edges.values())
    assert made == sum(run.status == 0 for run in runs), "each edge that was said to be made is there"


def test_without_edges_nothing_of_the_graph_or_the_archive_is_touched(remote: Remote, clone: Clone) -> None:
    add(clone, "a", "b")
    clone.orch("claim", "a")
    assert not [name for name in remote.refs("refs/orch") if "graph" in name or "archive" in name or "slots" in name]
