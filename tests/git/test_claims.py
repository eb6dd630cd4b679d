"""Claims: one of any number gets a job, its token is what it has, and nobody else can end it (I4, I5, I6)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.support import Clone, Remote, eventually, git

RACERS = 8


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return project(tmp_path)


@pytest.fixture
def clone(remote: Remote) -> Clone:
    return remote.clone("a")


def job(clone: Clone, name: str) -> dict[str, object]:
    found: dict[str, object] = clone.orch("show", name, "--json").json()["data"]
    return found


def token_of(clone: Clone, *args: str) -> str:
    return str(clone.orch("claim", *args, "--json").json()["data"]["token"])


def test_of_many_who_race_for_one_job_one_gets_it_and_the_others_are_told_who(remote: Remote) -> None:
    clones = [remote.clone(f"c{i}") for i in range(RACERS)]
    clones[0].orch("add", "The only one", "--id", "only")
    racing = [c.start_orch("claim", "only", "--worker", f"w{i}", "--json") for i, c in enumerate(clones)]
    runs = [racer.wait() for racer in racing]
    winners = [i for i, run in enumerate(runs) if run.status == 0]
    assert len(winners) == 1, [run.said() for run in runs]
    assert job(clones[0], "only")["worker"] == f"w{winners[0]}"
    for i, run in enumerate(runs):
        if i not in winners:
            assert run.status == 11, run.said()
            assert (
                run.json()["error"]["worker"] == f"w{winners[0]}" and f"w{winners[0]}" in run.json()["error"]["message"]
            )


def test_claimers_who_take_what_comes_never_share_a_job(remote: Remote) -> None:
    clones = [remote.clone(f"c{i}") for i in range(RACERS)]
    lines = "".join(json.dumps({"title": f"Job {i}", "id": f"j{i}"}) + "\n" for i in range(RACERS))
    clones[0].orch("add", "--from", "-", stdin=lines)
    runs = [racer.wait() for racer in [c.start_orch("claim", "--json") for c in clones]]
    assert [run.status for run in runs] == [0] * RACERS, [run.said() for run in runs]
    assert {run.json()["data"]["id"] for run in runs} == {f"j{i}" for i in range(RACERS)}
    assert clones[0].orch("claim", check=10).status == 10


def test_two_agents_of_one_user_in_one_clone_never_share_a_claim(clone: Clone) -> None:
    clone.orch("add", "One", "--id", "one")
    clone.orch("claim", "one", "--worker", "ada")
    again = clone.orch("claim", "one", "--worker", "ada", check=11)
    assert "ada" in again.err and "this worktree" in again.err
    assert clone.orch("claim", check=10).status == 10


def test_of_those_who_race_in_one_worktree_the_winner_keeps_its_token(clone: Clone) -> None:
    for number in range(3):
        name = f"j{number}"
        clone.orch("add", name, "--id", name)
        runs = [racer.wait() for racer in [clone.start_orch("claim", name, "--json") for _ in range(6)]]
        assert sorted(run.status for run in runs) == [0] + [11] * 5
        clone.orch("release", name)


def test_who_is_alone_takes_jobs_in_order(clone: Clone) -> None:
    for name, priority in (("late", 0), ("first", 5), ("second", 5)):
        clone.orch("add", name, "--id", name, "--priority", str(priority))
    taken = []
    for _ in range(3):
        found = clone.orch("claim", "--worker", "w", "--json").json()["data"]["id"]
        taken.append(found)
    assert taken == ["first", "second", "late"]


def test_a_claim_ends_by_its_token_alone(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    clone.orch("add", "One", "--id", "one")
    clone.orch("add", "Two", "--id", "two")
    token = token_of(clone, "one")
    wrong = token_of(other, "two")
    for verb in ("release", "fail", "done"):
        assert other.orch(verb, "one", check=11).status == 11
        lost = other.orch(verb, "one", check=12, env={"ORCH_TOKEN": wrong})
        assert "nothing was changed" in lost.err
    assert job(clone, "one")["state"] == "claimed"
    other.orch("release", "one", env={"ORCH_TOKEN": token})
    assert job(clone, "one")["state"] == "queued"
    assert job(clone, "one")["attempt"] == 0, "who gives a job back has not tried it"
    assert clone.orch("release", "one", check=12).status == 12


def test_a_claimed_job_is_handed_in_by_its_holder_alone_without_naming_it(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    clone.orch("add", "Write it", "--id", "one")
    clone.orch("claim", "one")
    other.branch("theirs", {"src/x.txt": "call base\n"}, "Theirs")
    assert other.orch("submit", "theirs", "--job", "one", check=11).status == 11
    clone.branch("mine", {"src/y.txt": "call base\n"}, "Mine")
    clone.orch("submit", "mine")
    found = job(clone, "one")
    assert (found["state"], found["branch"], found["title"]) == ("submitted", "mine", "Write it")
    assert found["worker"] is None and found["claim"] is None
    clone.orch("land", "one")
    assert job(clone, "one")["state"] == "done"


def test_a_broken_claim_fences_its_holder(remote: Remote, clone: Clone) -> None:
    other = remote.clone("b")
    clone.orch("add", "One", "--id", "one")
    token = token_of(clone, "one")
    assert "reason" in other.orch("release", "one", "--break", check=2).err
    other.orch("release", "one", "--break", "--reason", "it takes too long")
    assert "it takes too long" in str(job(other, "one")["reason"])
    clone.branch("mine", {"src/y.txt": "call base\n"}, "Mine")
    env = {"ORCH_TOKEN": token, "ORCH_JOB": "one"}
    assert clone.orch("submit", "mine", "--job", "one", check=12, env=env).status == 12
    other.orch("claim", "one")
    assert clone.orch("submit", "mine", "--job", "one", check=12, env=env).status == 12
    assert clone.orch("fail", "one", check=12, env=env).status == 12
    assert job(other, "one")["state"] == "claimed"


def test_failing_uses_up_attempts_and_retry_gives_them_back(clone: Clone) -> None:
    clone.git("config", "orch.maxAttempts", "2")
    clone.orch("add", "Hard", "--id", "hard")
    clone.orch("claim", "hard")
    clone.orch("fail", "hard", "--reason", "no idea")
    assert (job(clone, "hard")["state"], job(clone, "hard")["reason"]) == ("rework", "no idea")
    clone.orch("claim", "hard")
    clone.orch("fail", "hard", "--reason", "still none")
    assert job(clone, "hard")["state"] == "failed"
    assert "attempts used up" in str(job(clone, "hard")["reason"])
    assert clone.orch("claim", "hard", check=2).status == 2
    clone.orch("retry", "hard")
    assert (job(clone, "hard")["state"], job(clone, "hard")["attempt"]) == ("queued", 0)


def test_work_without_a_branch_is_done_by_word_and_other_work_is_not(clone: Clone) -> None:
    clone.orch("add", "Minutes", "--id", "minutes", "--no-land")
    clone.orch("add", "Code", "--id", "code")
    clone.branch("notes", {"notes": "x"}, "Notes")
    assert "lands nothing" in clone.orch("submit", "notes", "--job", "minutes", check=2).err
    clone.orch("claim", "minutes")
    clone.orch("claim", "code")
    clone.orch("done", "minutes")
    assert job(clone, "minutes")["state"] == "done"
    assert "landed" in clone.orch("done", "code", check=2).err


def test_what_waits_is_not_claimed_and_takes_no_slot(clone: Clone) -> None:
    clone.git("config", "orch.maxConcurrency", "2")
    clone.orch("add", "Base", "--id", "base")
    clone.orch("add", "Top", "--id", "top", "--after", "base")
    blocked = clone.orch("claim", "top", "--json", check=13)
    assert blocked.json()["error"]["waits_for"] == ["base"]
    assert clone.orch("claim", "--json").json()["data"]["id"] == "base"
    assert clone.orch("claim", check=10).status == 10
    assert len(git(clone.path.parent / "remote.git", "for-each-ref", "refs/orch/slots").splitlines()) == 1


def test_no_more_jobs_are_claimed_at_once_than_is_allowed_however_many_race(remote: Remote) -> None:
    clones = [remote.clone(f"c{i}") for i in range(6)]
    for c in clones:
        c.git("config", "orch.maxConcurrency", "2")
    lines = "".join(json.dumps({"title": f"Job {i}", "id": f"j{i}"}) + "\n" for i in range(6))
    clones[0].orch("add", "--from", "-", stdin=lines)
    runs = [racer.wait() for racer in [c.start_orch("claim", "--json") for c in clones]]
    assert sorted(run.status for run in runs) == [0, 0, 11, 11, 11, 11], [run.said() for run in runs]
    holders = [(clones[i], run.json()["data"]["id"]) for i, run in enumerate(runs) if run.status == 0]
    slots = {job(clones[0], name)["slot"] for _, name in holders}
    assert slots == {1, 2}
    holders[0][0].orch("release", holders[0][1])
    loser = clones[next(i for i, run in enumerate(runs) if run.status == 11)]
    loser.orch("claim")
    assert clones[0].orch("claim", check=11).status == 11
    holders[1][0].orch("cancel", holders[1][1])
    clones[0].orch("claim")


def test_waiting_for_a_job_ends_when_there_is_one(remote: Remote, clone: Clone) -> None:
    clone.git("config", "orch.pollInterval", "1")
    waiter = clone.start_orch("claim", "--wait", "--json")
    other = remote.clone("b")
    eventually(lambda: clone.ref("refs/orch-remotes/origin/heads/main"), "the waiter has looked once")
    other.orch("add", "At last", "--id", "last")
    run = waiter.wait()
    assert run.status == 0 and run.json()["data"]["id"] == "last"


@pytest.mark.parametrize("name", ["UPPER", "-x", "a b", "x" * 101, "\x1b[31m", "a/b"])
def test_a_worker_that_no_ref_can_hold_is_refused_in_a_sentence(clone: Clone, name: str) -> None:
    run = clone.orch("claim", f"--worker={name}", check=2)
    assert "lower-case" in run.err and "\x1b" not in run.err


def test_unknown_and_finished_jobs_cannot_be_claimed(clone: Clone) -> None:
    assert clone.orch("claim", "nobody", check=2).status == 2
    clone.orch("add", "One", "--id", "one")
    clone.orch("cancel", "one")
    assert "cancelled" in clone.orch("claim", "one", check=2).err


def test_a_claim_whose_token_cannot_be_kept_is_not_made(clone: Clone) -> None:
    clone.orch("add", "One", "--id", "one")
    claims = clone.path / ".git/orch/claims"
    claims.parent.mkdir(exist_ok=True)
    claims.write_text("a file where the folder should be")
    assert "cannot be kept" in clone.orch("claim", "one", check=1).err
    assert job(clone, "one")["state"] == "queued"


def test_tokens_are_for_their_owner_alone(clone: Clone) -> None:
    clone.orch("add", "One", "--id", "one")
    token = token_of(clone, "one")
    (kept,) = (clone.path / ".git/orch/claims").glob("one.*.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert token not in clone.git("log", "--format=%B", "refs/orch-remotes/origin/state/jobs/one")
