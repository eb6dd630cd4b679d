"""`git orch work` on real git: what a worker does with jobs, and what it says when one fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.git.landing import assert_main_is_green, landed_jobs, project_alone
from tests.git.working import COMMIT, add, job, places, queue, results, state
from tests.support import git


def test_a_worker_does_three_jobs_two_at_a_time_and_submits_their_branches(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    for name in ("one", "two", "three"):
        add(clone, name)
    run = clone.orch("work", "-j", "2", "--once", "--json", "--", COMMIT)
    assert results(run.json()) == {"one": "submitted", "two": "submitted", "three": "submitted"}
    for name in ("one", "two", "three"):
        found = job(clone, name)
        assert (found["state"], found["branch"], found["attempt"]) == ("submitted", f"job/{name}", 1)
        assert (found["worker"], found["reason"]) == (None, None)
        assert remote.tip(f"job/{name}") == found["head"]
        assert remote.files(f"job/{name}")[f"src/{name}.txt"] == f"module {name}\ncall base\n"
    assert len(places(clone)) == 2
    assert clone.git("status", "--porcelain") == ""


def test_a_worker_that_finds_nothing_says_so(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    run = clone.orch("work", "--once", "--", COMMIT, check=10)
    assert "nothing was ready" in run.err
    refs = remote.refs("refs/orch/workers")
    events = [git(remote.path, "log", "--first-parent", "--format=%s", oid) for oid in refs.values()]
    assert [event.split(":")[0] for event in events[0].splitlines()] == ["leave", "start"]


def test_a_job_that_does_not_land_is_done_when_its_command_succeeds(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "look", "--no-land")
    run = clone.orch("work", "--once", "--json", "--", "cat README* api.txt >/dev/null; true")
    assert results(run.json()) == {"look": "done"}
    assert state(clone, "look") == "done"
    assert remote.tip("job/look") is None


def test_a_failing_command_uses_up_the_attempts_and_says_why(tmp_path: Path) -> None:
    _, clone = queue(tmp_path, maxAttempts="2")
    add(clone, "bad")
    run = clone.orch("work", "--once", "--json", "--", 'printf "so it went\\nthe \\033[31mlast\\033[m word\\n"; exit 7')
    outcomes = [(result["outcome"], result["attempt"]) for result in run.json()["data"]["done"]]
    assert outcomes == [("released", 1), ("failed", 2)]
    found = job(clone, "bad")
    assert (found["state"], found["attempt"]) == ("failed", 2)
    assert found["reason"] == "exit status 7: the \\x1b[31mlast\\x1b[m word (attempts used up)"
    log = Path(run.json()["data"]["done"][0]["log"])
    assert "so it went" in log.read_text()
    event = clone.ref("refs/orch-remotes/origin/state/jobs/bad")
    assert event is not None
    assert "so it went" in clone.git("show", f"{event}:log")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("true", "the command committed nothing"),
        ("echo more >> api.txt", "the command left changes that are not committed: api.txt"),
        (f"{COMMIT} && echo x > left-over", "the command left changes that are not committed: left-over"),
        ('rm -rf "$PWD"', "the command left no worktree behind"),
        ("kill -9 $$", "exit status 137 (killed by SIGKILL)"),
        ("no-such-program", "exit status 127: `no-such-program` could not be started, it was not found"),
        ("git reset -q --hard HEAD", "the command committed nothing"),
    ],
)
def test_what_is_not_a_finished_branch_is_refused_with_the_reason(tmp_path: Path, command: str, reason: str) -> None:
    remote, clone = queue(tmp_path, maxAttempts="1")
    add(clone, "odd")
    run = clone.orch("work", "--once", "--json", "--", command)
    assert results(run.json()) == {"odd": "failed"}
    found = job(clone, "odd")
    assert found["state"] == "failed"
    assert found["reason"].startswith(reason)
    assert remote.tip("job/odd") is None


def test_a_branch_that_the_command_made_is_free_when_its_work_is_handed_in(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "one")
    clone.orch("work", "--once", "--", f"git switch -q -c topic && {COMMIT}")
    assert state(clone, "one") == "submitted"
    clone.git("switch", "-q", "topic")
    assert (clone.path / "src/one.txt").exists()


def test_ignored_files_are_no_work(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    (clone.path / ".git/info/exclude").write_text("*.o\n")
    add(clone, "one")
    clone.orch("work", "--once", "--", f"{COMMIT} && echo x > built.o")
    assert state(clone, "one") == "submitted"


@pytest.mark.parametrize(
    "then",
    [
        "exit 1",
        "rm .git; exit 1",
        "git add notes.txt; git commit -qm half; exit 1",
        "git add notes.txt; git switch -q -c mine; exit 1",
        "git add notes.txt; git commit -qm half; git tag kept; git commit -q --allow-empty -m rest; exit 1",
    ],
)
def test_unsaved_work_is_kept_and_its_place_is_not_used_again(tmp_path: Path, then: str) -> None:
    _, clone = queue(tmp_path, maxAttempts="1")
    add(clone, "first")
    run = clone.orch("work", "--once", "--", f"echo precious > notes.txt; {then}")
    kept = places(clone)[0]
    assert str(kept) in run.err
    add(clone, "second")
    again = clone.orch("work", "--once", "--", COMMIT)
    assert state(clone, "second") == "submitted"
    assert (kept / "notes.txt").read_text() == "precious\n"  # I8
    assert again.err.count(str(kept)) == 1
    add(clone, "third")
    clone.orch("work", "--once", "--", COMMIT)
    assert len(places(clone)) == 2, "a place without unsaved work is used again"


def test_commits_of_a_failed_attempt_are_kept(tmp_path: Path) -> None:
    _, clone = queue(tmp_path, maxAttempts="1")
    add(clone, "first")
    clone.orch("work", "--once", "--", f"{COMMIT}; exit 1")
    add(clone, "second")
    clone.orch("work", "--once", "--", COMMIT)
    first, second = places(clone)
    assert git(first, "log", "-1", "--format=%s") == "Do first"
    assert git(second, "log", "-1", "--format=%s") == "Do second"


def test_a_job_brings_its_own_command(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "own", "--run", "echo own > src/own.txt; git add -A; git commit -qm own")
    add(clone, "none")
    clone.orch("work", "--once")
    assert (state(clone, "own"), state(clone, "none")) == ("submitted", "queued")
    assert remote.files("job/own")["src/own.txt"] == "own\n"


def test_a_clone_may_refuse_the_commands_of_jobs(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path, jobCommands="false")
    add(clone, "own", "--run", "exit 1")
    clone.orch("work", "--once", "--", COMMIT)
    assert remote.files("job/own")["src/own.txt"] == "module own\ncall base\n"


def test_a_command_is_told_about_its_job_and_nothing_else(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "told", "--body", "first line\nsecond line")
    out = tmp_path / "told"
    say = f'env | grep ^ORCH_ | sort > {out}; cp "$ORCH_BODY_FILE" {out}.body; pwd > {out}.pwd; {COMMIT}'
    clone.orch("work", "--once", "--", say, env={"ORCH_JOB": "foreign", "ORCH_CANDIDATE": "x", "ORCH_TEST_X": "1"})
    told = dict(line.split("=", 1) for line in out.read_text().splitlines())
    base = remote.git("rev-parse", "main")
    body_file = Path(told.pop("ORCH_BODY_FILE"))
    assert len(told.pop("ORCH_TOKEN")) == 32
    assert told == {
        "ORCH_JOB": "told",
        "ORCH_TITLE": "Do told",
        "ORCH_BRANCH": "job/told",
        "ORCH_ATTEMPT": "1",
        "ORCH_REASON": "",
        "ORCH_TARGET": "main",
        "ORCH_BASE": base,
    }
    assert Path(f"{out}.body").read_text() == "first line\nsecond line"
    assert not body_file.is_relative_to(Path(f"{out}.pwd").read_text().strip())


def test_rework_begins_at_the_head_with_the_reason(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "again")
    clone.orch("work", "--once", "--", f'echo "call missing" > src/x.txt; {COMMIT}')
    clone.orch("land", "--all", check=None)
    assert state(clone, "again") == "rework"
    out = tmp_path / "told"
    repair = f'echo "$ORCH_ATTEMPT $ORCH_REASON" > {out}; ls src > {out}.files; rm src/x.txt; git commit -qam fix'
    clone.orch("work", "--once", "--", repair)
    assert state(clone, "again") == "submitted"
    assert out.read_text().startswith("2 the gate is red on main plus this branch")
    assert "x.txt" in Path(f"{out}.files").read_text()
    clone.orch("land", "--all")
    assert "src/x.txt" not in remote.files("main")


def test_a_word_is_a_line_of_shell_and_several_are_arguments(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    out = tmp_path / "said"
    add(clone, "words", "--no-land")
    clone.orch("work", "--once", "--", "sh", "-c", f'printf "%s|" "$@" > {out}', "x", "a b", "$HOME;")
    assert out.read_text() == "a b|$HOME;|"


def test_a_worker_lands_what_is_ready(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "a")
    add(clone, "b", "--after", "a")
    add(clone, "c", "--after", "b")
    run = clone.orch("work", "-j", "2", "--once", "--land", "--json", "--", COMMIT)
    assert [landing["job"] for landing in run.json()["data"]["landed"]] == ["a", "b", "c"]
    clone.git("fetch", "-q", "origin")
    assert landed_jobs(clone) == ["a", "b", "c"]
    assert_main_is_green(remote.path, tmp_path)
    assert [state(clone, name) for name in "abc"] == ["done", "done", "done"]


def test_a_command_may_hand_its_job_in_itself(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "self")
    orch = f"{sys.executable} -m gitorch"
    mine = f'{COMMIT} && git branch "$ORCH_BRANCH" && {orch} submit "$ORCH_BRANCH" --job "$ORCH_JOB"'
    run = clone.orch("work", "--once", "--json", "--", f"{mine} && sleep 3")
    assert results(run.json()) == {"self": "submitted"}
    assert state(clone, "self") == "submitted"


def test_the_answer_is_one_document(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "one")
    run = clone.orch("work", "--once", "--json", "--worker", "agent", "--", COMMIT)
    document = json.loads(run.out)
    assert document["ok"] is True
    assert document["data"]["worker"].startswith("agent-")
    result = document["data"]["done"][0]
    assert (result["job"], result["branch"], result["kept"]) == ("one", "job/one", None)
    assert Path(result["log"]).exists()


def test_a_repository_without_a_remote_works_alone(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    add(clone, "a")
    add(clone, "b", "--after", "a")
    clone.orch("work", "--once", "--land", "--", COMMIT)
    assert [state(clone, name) for name in "ab"] == ["done", "done"]
    assert (clone.path / "src/b.txt").exists(), "the checked-out target moved with its files"
    assert clone.git("status", "--porcelain") == ""
