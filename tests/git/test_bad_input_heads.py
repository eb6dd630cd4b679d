"""Heads and branches that changed under a job, and jobs that cannot go where they are sent. A failure here means:
something that a user wrote was moved or lost, or the wrong commit landed."""

from __future__ import annotations

from pathlib import Path

from tests.git.landing import add_branches, gate_runs, project, steps
from tests.git.prepared import submitted
from tests.git.refusals import LEASES, assert_no_lease_is_held, job_of, record, refuses
from tests.support import eventually


def test_a_branch_that_was_deleted_everywhere_lands_as_it_was_submitted(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    other = remote.clone("b")
    clone.push(":b1")
    clone.git("branch", "-q", "-D", "b1")
    log = tmp_path / "runs"
    landed = other.orch("land", "b1", "--json", env={"GATE_LOG": str(log)}).json()["data"]
    assert landed["branch_left"] == "it is gone"
    assert remote.tip() == landed["landed"] and "src/b1.txt" in remote.files()
    assert remote.tip("b1") is None, "nobody brings it back"
    assert len(gate_runs(log)) == 1, "looking again costs no second run"
    assert_no_lease_is_held(remote)


def test_a_branch_that_was_force_pushed_stays_and_the_pinned_head_lands(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    clone.git("switch", "-q", "b1")
    clone.git("reset", "-q", "--hard", "HEAD^")
    rewritten = clone.commit({"src/rewritten.txt": "call base\n"}, "rewritten")
    clone.push("--force", "b1")
    clone.git("switch", "-q", "main")
    run = clone.orch("land", "b1")
    assert "b1 stays where it is: it moved after it was submitted" in run.out
    assert remote.tip("b1") == clone.tip("b1") == rewritten
    assert "src/b1.txt" in remote.files() and "src/rewritten.txt" not in remote.files()
    again = clone.orch("submit", "b1", "--json").json()["data"]
    assert again["outcome"] == "submitted" and again["head"] == rewritten, "what landed was another head"


def test_commits_that_were_pushed_after_the_submission_wait_for_the_next_one(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    head = clone.branch("b1", {"src/b1.txt": "call base\n"}, "Add b1")
    clone.orch("submit", "b1")
    clone.git("switch", "-q", "b1")
    more = clone.commit({"src/more.txt": "call base\n"}, "more")
    clone.push("b1")
    clone.orch("land")
    assert (remote.tip(), remote.tip("b1")) == (head, more)
    clone.orch("submit")
    clone.orch("land")
    assert remote.tip() == more


def test_gate_says_which_commit_to_merge_when_the_branch_moved(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    clone.push("--force", "main:b1")
    run = clone.orch("gate", "b1")
    candidate = record(remote, f"{LEASES}/main")["Candidate"]
    assert f"hint: merge commit {candidate[:12]} now" in run.err, "the branch is not what was tested"
    assert remote.tip("b1") == remote.tip("main")


def test_submitting_never_drops_commits_that_only_the_remote_has(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(a, 1)
    a.push("b1")
    b.git("fetch", "-q")
    b.git("switch", "-q", "b1")
    b.commit({"src/theirs.txt": "call base\n"}, "theirs")
    b.push("b1")
    says, hint = "has commits that your branch lacks", "git switch b1 && git pull --rebase origin b1"
    refuses(a, "submit", "b1", status=1, says=says, hint=hint, untouched=remote)
    a.git("switch", "-q", "b1")
    a.git("pull", "-q", "--rebase", "origin", "b1")
    a.orch("submit")


def test_a_detached_head_is_not_submitted_but_a_named_branch_is(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.git("checkout", "-q", "--detach")
    refuses(clone, "submit", status=2, says="HEAD is detached", hint="git switch -c my-branch", untouched=remote)
    clone.orch("submit", "b1")
    clone.orch("land")
    assert remote.tip() == clone.tip("b1")
    assert clone.git("rev-parse", "--abbrev-ref", "HEAD") == "HEAD", "the checkout stays as it is"


def test_a_branch_that_is_on_the_remote_only_is_submitted_from_there(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(a, 1)
    a.push("b1")
    head = b.orch("submit", "b1", "--json").json()["data"]["head"]
    assert head == a.tip("b1") and b.tip("b1") is None
    b.orch("land")
    assert remote.tip() == head


def test_a_cancelled_job_stays_cancelled_whatever_is_asked_of_it(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, behind=False)
    clone.orch("cancel", "one")
    for command in ("land", "gate", "settle", "retry", "cancel"):
        error = refuses(
            clone, command, "one", status=2, says="cancelled", hint="git orch why one", untouched=remote, both=False
        )
        assert "tests it again" not in error["hint"]
    refuses(clone, "submit", "b1", "--job", "one", status=2, says="is cancelled", hint="git orch why one")
    plan = clone.orch("land", "one", "-n", "--json").json()["data"]
    assert plan["steps"] == [{"job": "one", "would": "nothing", "why": "it is cancelled"}]
    assert clone.orch("submit", "b1", "--json").json()["data"]["id"] != "one"


def test_a_job_without_its_target_is_refused_and_the_others_land(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.push("main:old")
    clone.orch("submit", "b1", "--target", "old", "--id", "one")
    clone.orch("submit", "b2")
    clone.push(":old")
    says, hint = "the remote has no branch old to land on", "git push REMOTE HEAD:refs/heads/old"
    refuses(clone, "land", "one", status=2, says=says, hint=hint, untouched=remote)
    refuses(clone, "submit", "b1", "--target", "old", status=2, says="no branch 'old'", hint="--target BRANCH")
    clone.orch("land", "--all")
    assert len(steps(remote.path)) == 2 and remote.tip("old") is None


def test_a_server_that_forbids_rewriting_branches_lands_and_leaves_the_branch(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    head = remote.tip("b1")
    remote.git("config", "receive.denyNonFastForwards", "true")
    run = clone.orch("land", "b1")
    assert "b1 stays where it is: the remote does not let it be rewritten" in run.out
    assert remote.tip("b1") == head and remote.tip() == job_of(remote, "b1")["Landed"]
    assert_no_lease_is_held(remote)
    clone.git("switch", "-q", "b1")
    clone.git("commit", "-q", "--amend", "-m", "again")
    clone.branch("b2", {"src/b2.txt": "call base\n"}, "b2")
    clone.orch("submit", "b2")
    clone.git("switch", "-q", "b2")
    clone.git("commit", "-q", "--amend", "-m", "again")
    refuses(clone, "submit", status=16, says="non-fast-forward", hint="git switch -c NEW-NAME", untouched=remote)


def test_landing_while_the_branch_is_submitted_again_lands_one_of_the_heads_once(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 1, behind=False)
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    clone.git("switch", "-q", "b1")
    more = clone.commit({"src/more.txt": "call base\n"}, "more")
    submitting = [clone.start_orch("submit", "b1") for _ in range(3)]
    ends = [one.wait() for one in submitting]
    assert [end.status for end in ends] == [0, 0, 0], [end.said() for end in ends]
    hold.unlink()
    assert running.wait().status == 0
    assert remote.tip() == more and len(remote.refs("refs/orch/jobs")) == 1
    assert_no_lease_is_held(remote)


def test_two_landers_in_one_worktree_take_turns(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 2, behind=False)
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    env = {"GATE_HOLD": str(hold), "GATE_LOG": str(log)}
    first = clone.start_orch("land", "b1", env=env)
    eventually(lambda: gate_runs(log), "the gate starts")
    error = refuses(clone, "land", "b1", status=11, says="the lease of main is held by", hint="--wait", env=env)
    assert error["retryable"] is True
    second = clone.start_orch("land", "b2", "--wait", env=env)
    hold.unlink()
    ends = first.wait(), second.wait()
    assert [end.status for end in ends] == [0, 0], [end.said() for end in ends]
    assert len(gate_runs(log)) == 2 and len(steps(remote.path)) == 3
    assert_no_lease_is_held(remote)
