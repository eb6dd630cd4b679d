"""What people and scripts see of a queue, on a real remote with records of every kind. A failure here means that
somebody looks and is told something that is not so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitorch.core.model import State
from tests.git.landing import project
from tests.git.planted import claimed, plant, put, queued, slot, worker
from tests.support import Clone, Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def data(clone: Clone, *args: str) -> Any:
    return clone.orch(*args, "--json").json()["data"]


def ids(clone: Clone, *args: str) -> list[str]:
    return [job["id"] for job in data(clone, "list", *args)["jobs"]]


def plant_jobs(remote: Remote, *names: str, **changes: Any) -> None:
    for name in names:
        plant(remote, queued(name, **changes), "add")


# -- list


def test_a_job_tells_its_labels_its_command_and_its_claim(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("one", labels=("fast", "parser"), run="make it", lands=False), "add")
    plant(remote, claimed("two", kept=True, slot=3), "claim")
    one, two = data(clone, "list")["jobs"]
    assert (one["labels"], one["run"], one["lands"], one["claim"]) == (["fast", "parser"], "make it", False, None)
    assert (two["slot"], two["lands"], two["labels"]) == (3, True, [])
    assert two["claim"] == {"worker": "w-1", "kept": True, "ttl": 300, "since": two["updated"]}
    assert data(clone, "show", "two")["claim"] == two["claim"]
    assert token_is_hidden(clone.orch("list", "--json").out, "two")


def token_is_hidden(text: str, name: str) -> bool:
    return str(claimed(name).token) not in text


def test_ready_jobs_are_those_that_can_be_claimed_or_landed_now(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, "free")
    plant(remote, queued("waits", "free"), "add")
    plant(remote, claimed("taken"), "claim")
    plant(remote, queued("broken", "ended"), "add")
    plant(remote, queued("ended", state=State.CANCELLED), "cancel")
    assert ids(clone, "--ready") == ["free"]
    assert ids(clone, "--state", "claimed") == ["taken"]


def test_a_label_chooses_jobs(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("one", labels=("a", "b")), "add")
    plant(remote, queued("two", labels=("b",)), "add")
    assert ids(clone, "--label", "a") == ["one"]
    assert ids(clone, "--label", "b") == ["one", "two"]
    assert ids(clone, "--label", "c") == []


def test_archived_jobs_are_listed_shown_and_explained(clone: Clone) -> None:
    clone.branch("b", {"src/b.txt": "call base\n"}, "Add b")
    clone.orch("submit", "b", "--id", "one")
    clone.orch("cancel", "one", "--reason", "not now")
    clone.orch("gc", "--now")
    assert ids(clone) == []
    assert ids(clone, "--all") == ["one"]
    assert data(clone, "list", "--all")["jobs"][0]["archived"] is True
    assert data(clone, "show", "one")["reason"] == "not now"
    assert "not now" in clone.orch("why", "one").out
    assert [event["subject"] for event in data(clone, "log", "one")["events"]] == ["cancel: Add b", "submit: Add b"]


# -- status


def test_status_sorts_jobs_by_what_can_be_done_about_them(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, "ready1")
    plant(remote, queued("waits1", "ready1"), "add")
    plant(remote, queued("gone1", state=State.CANCELLED, reason="no need"), "cancel")
    plant(remote, queued("stuck1", "gone1"), "add")
    plant(remote, queued("rework1", state=State.REWORK, reason="it is red"), "fail")
    plant(remote, claimed("work1", worker="busy-bee"), "claim")
    text = clone.orch("status").out
    parts = {part.split("\n")[0]: part for part in text.split("\n\n")}
    assert "rework1" in parts["needs attention"] and "it is red" in parts["needs attention"]
    assert "stuck1: gone1 is cancelled: no need" in parts["needs attention"]
    assert "busy-bee" in parts["in work"]
    assert "ready1" in parts["ready"] and "waits1" not in parts["ready"]
    assert "waits1" in parts["waiting"]
    assert data(clone, "status")["counts"]["blocked"] == 1


def test_status_tells_who_is_there_who_left_and_how_many_slots_are_used(remote: Remote, clone: Clone) -> None:
    clone.git("config", "orch.maxConcurrency", "2")
    plant(remote, claimed("one", worker="w-1", kept=True, slot=1), "claim")
    plant(remote, slot(1, "one"), "take")
    plant(remote, worker("w-1"), "start")
    plant(remote, worker("w-2", present=False), "leave")
    found = data(clone, "status")
    assert [(w["id"], w["state"], w["jobs"]) for w in found["workers"]] == [
        ("w-1", "present", ["one"]),
        ("w-2", "left", []),
    ]
    assert found["slots"] == {"used": 1, "limit": 2}
    assert "slots: 1 of 2 used" in clone.orch("status").out


def test_a_worker_that_was_seen_silent_for_its_ttl_is_said_to_be_silent_and_its_claim_dead(
    remote: Remote, clone: Clone
) -> None:
    plant(remote, claimed("one", worker="w-1", kept=True, ttl_s=1), "claim")
    plant(remote, worker("w-1", ttl_s=1), "start")
    assert data(clone, "status")["workers"][0]["state"] == "present"
    wait_until_dead(clone, "one")
    assert data(clone, "status")["workers"][0]["state"] == "silent"
    run = clone.orch("status")
    assert "dead: git orch reap" in run.out
    assert "hint: git orch reap" in run.err


def wait_until_dead(clone: Clone, job: str) -> None:
    from tests.support import eventually

    eventually(lambda: data(clone, "why", job)["dead_in"] == 0, f"the claim of {job} is seen dead")


def test_a_sign_of_life_of_the_worker_keeps_its_claim_alive_in_our_eyes(remote: Remote, clone: Clone) -> None:
    plant(remote, claimed("one", worker="w-1", kept=True, ttl_s=1), "claim")
    plant(remote, worker("w-1", ttl_s=1), "start")
    wait_until_dead(clone, "one")
    plant(remote, worker("w-1", ttl_s=1), "beat", on=True)
    assert data(clone, "why", "one")["dead_in"] > 0


def test_the_beats_of_a_worker_do_not_keep_a_claim_that_is_not_kept(remote: Remote, clone: Clone) -> None:
    plant(remote, claimed("one", worker="w-1", kept=False, ttl_s=1), "claim")
    plant(remote, worker("w-1", ttl_s=1), "start")
    wait_until_dead(clone, "one")
    plant(remote, worker("w-1", ttl_s=1), "beat", on=True)
    assert data(clone, "why", "one")["dead_in"] == 0


def test_looking_remembers_claims_and_workers_and_nothing_of_other_jobs(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, *(f"idle-{number}" for number in range(30)))
    plant(remote, claimed("one", worker="w-1", kept=True), "claim")
    plant(remote, worker("w-1"), "start")
    clone.orch("status")
    kept = sorted(path.name for path in (clone.path / ".git/orch/seen/origin").iterdir())
    assert [name.rsplit("%2F", 1)[1] for name in kept] == ["one", "w-1"]


def test_a_long_section_is_cut_and_says_how_much_is_left(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, *(f"job-{number:03}" for number in range(20)))
    text = clone.orch("status").out
    assert "job-014" in text and "job-015" not in text
    assert "and 5 more: git orch list" in text


def test_a_cycle_and_a_vanished_job_are_warned_about_and_raise_nowhere(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("a", "b"), "add")
    plant(remote, queued("b", "a"), "add")
    plant(remote, queued("c", "ghost"), "add")
    warned = data(clone, "status")["warnings"]
    assert warned == ["cycle: a -> b -> a", "c waits for ghost, which vanished, and is not held back"]
    assert "cycle: a -> b -> a" in clone.orch("status").out
    assert ids(clone, "--ready") == ["c"]
    why = data(clone, "why", "a")
    assert why["cycle"] == ["a", "b", "a"] and why["derived"] == "blocked"
    assert "ghost, which vanished" in data(clone, "why", "c")["why"]
    for command in ("list", "log", "graph"):
        clone.orch(command)


def test_a_vanished_job_holds_back_where_that_is_configured(remote: Remote, clone: Clone) -> None:
    clone.git("config", "orch.missingDependency", "closed")
    plant(remote, queued("c", "ghost"), "add")
    assert ids(clone, "--ready") == []
    assert data(clone, "list")["jobs"][0]["derived"] == "blocked"
    found = data(clone, "why", "c")
    assert found["waits_for"] == [{"id": "ghost", "state": "vanished", "worker": None}]
    assert found["next"] == "git orch fsck"


def test_what_cannot_be_read_is_shown_beside_the_rest(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, "good")
    put(remote, "refs/orch/jobs/bad", "not an event\n", [])
    assert ids(clone) == ["good"]
    assert [damage["ref"] for damage in data(clone, "status")["damaged"]] == ["refs/orch/jobs/bad"]
    assert "refs/orch/jobs/bad" in clone.orch("list").out


# -- why


def test_why_names_what_a_job_waits_for_and_who_works_on_that(remote: Remote, clone: Clone) -> None:
    plant(remote, claimed("first", worker="bee"), "claim")
    plant_jobs(remote, "second")
    plant(remote, queued("last", "first", "second"), "add")
    found = data(clone, "why", "last")
    assert found["why"] == "it waits for first (claimed by bee), second (queued)"
    assert found["next"] == "git orch why first"
    assert found["waits_for"][0] == {"id": "first", "state": "claimed", "worker": "bee"}


@pytest.mark.parametrize(
    ("state", "hint"), [(State.FAILED, "git orch retry first"), (State.CANCELLED, "git orch show first")]
)
def test_why_names_what_blocks_a_job_and_hints_at_nothing_that_takes_an_edge_away(
    remote: Remote, clone: Clone, state: State, hint: str
) -> None:
    plant(remote, queued("first", state=state, reason="no time"), "fail")
    plant(remote, queued("last", "first"), "add")
    found = data(clone, "why", "last")
    assert f"first, which is {state.value}: no time" in found["why"]
    assert found["next"] == hint


def test_why_of_a_claim_names_the_holder_and_when_it_would_be_dead(remote: Remote, clone: Clone) -> None:
    plant(remote, claimed("one", worker="w-1", kept=True, ttl_s=1_000), "claim")
    plant(remote, worker("w-1", holder="eve on host-7 (pid 9)"), "start")
    found = data(clone, "why", "one")
    assert "w-1 (eve on host-7 (pid 9)) works on it since" in found["why"]
    assert 1_190 < found["dead_in"] <= 1_200
    assert found["next"] == "git orch log one"


def test_why_of_a_queued_job_counts_those_before_it_and_workers_and_slots(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("first", priority=5), "add")
    plant_jobs(remote, "second")
    assert "1 before it" in data(clone, "why", "second")["why"]
    assert "no worker is around" in data(clone, "why", "first")["why"]
    assert data(clone, "why", "first")["next"] == "git orch claim first"
    plant(remote, worker("w-1"), "start")
    assert "1 worker around" in data(clone, "why", "first")["why"]
    clone.git("config", "orch.maxConcurrency", "1")
    plant(remote, claimed("held", slot=1), "claim")
    plant(remote, slot(1, "held"), "take")
    found = data(clone, "why", "first")
    assert "all 1 slots are taken" in found["why"] and found["next"] == "git orch why held"
    assert clone.orch("status").err == "hint: git orch why held\n"


def test_why_of_a_failed_job_says_that_its_attempts_are_used_up(remote: Remote, clone: Clone) -> None:
    plant(remote, queued("one", state=State.FAILED, reason="it never works", attempt=3), "fail")
    found = data(clone, "why", "one")
    assert found["why"] == "its attempts are used up: it never works"
    assert found["next"] == "git orch retry one"


def test_text_of_strangers_is_shown_escaped_everywhere(remote: Remote, clone: Clone) -> None:
    evil = "Fix \u202e it"
    plant(remote, queued("one", state=State.REWORK, title=evil, reason=evil), "fail")
    plant(remote, worker("w-1", holder=evil), "start")
    for command in (["status"], ["list"], ["show", "one"], ["why", "one"], ["graph", "--all"], ["log"]):
        run = clone.orch(*command)
        assert "\u202e" not in run.out + run.err, command


# -- show and log


def test_show_prints_the_description_and_several_jobs(remote: Remote, clone: Clone) -> None:
    blob = remote.git("hash-object", "-w", "--stdin", stdin="Do \x1b[31mthis\nand that\n")
    tree = remote.git("mktree", stdin=f"100644 blob {blob}\tbody\n")
    first = plant(remote, queued("one"), "add")
    message = remote.git("cat-file", "commit", first).split("\n\n", 1)[1] + "\n"
    put(remote, "refs/orch/jobs/one", message, [], tree)
    plant(remote, claimed("one"), "claim", on=True)
    plant_jobs(remote, "two")
    run = clone.orch("show", "one", "two")
    assert "  | Do \\x1b[31mthis\n  | and that\n" in run.out
    assert "two" in run.out
    assert data(clone, "show", "one")["body"] == "Do \\x1b[31mthis\nand that\n"
    assert [job["id"] for job in data(clone, "show", "one", "two")["jobs"]] == ["one", "two"]


def test_the_log_of_all_jobs_is_read_by_one_process_however_many_there_are(
    remote: Remote, clone: Clone, tmp_path: Path
) -> None:
    plant_jobs(remote, *(f"job-{number:03}" for number in range(40)))
    trace = tmp_path / "trace"
    run = clone.orch("log", "-n", "30", "--json", env={"GIT_TRACE": str(trace)})
    assert len(run.json()["data"]["events"]) == 30
    assert trace.read_text().count("built-in: git log") == 1


def test_the_log_of_everything_has_archived_jobs_too(clone: Clone) -> None:
    for name in ("one", "two"):
        clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Add {name}")
        clone.orch("submit", name, "--id", name)
    clone.orch("cancel", "one")
    clone.orch("gc", "--now")
    assert [event["job"] for event in data(clone, "log")["events"]] == ["two"]
    assert sorted(event["job"] for event in data(clone, "log", "--all")["events"]) == ["one", "one", "two"]


# -- graph


def test_the_graph_is_drawn_as_text_dot_mermaid_and_json(remote: Remote, clone: Clone) -> None:
    plant_jobs(remote, "base", "alone")
    plant(remote, queued("left", "base"), "add")
    plant(remote, queued("right", "base"), "add")
    plant(remote, queued("top", "left", "right"), "add")
    assert clone.orch("graph").out.splitlines() == [
        "top (queued, waiting) Do top",
        "├─ left (queued, waiting) Do left",
        "│  └─ base (queued, ready) Do base",
        "└─ right (queued, waiting) Do right",
        "   └─ base (queued, ready)",
    ]
    assert clone.orch("graph", "left").out.splitlines()[1:] == ["└─ base (queued, ready) Do base"]
    assert "alone" in clone.orch("graph", "--all").out
    assert '"left" -> "top";' in clone.orch("graph", "--dot").out
    assert clone.orch("graph", "--mermaid").out.startswith("flowchart LR\n")
    found = data(clone, "graph")
    assert [node["id"] for node in found["nodes"]] == ["base", "left", "right", "top"]
    assert {"job": "top", "after": "left"} in found["edges"]
