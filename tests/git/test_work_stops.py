"""Workers that are stopped, killed, paused or robbed: what they held goes on, they change nothing any more (I5, I7)."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.git.landing import assert_main_is_green, landed_jobs
from tests.git.working import COMMIT, add, alive, await_file, job, places, queue, results, send, state, worker_clone
from tests.support import Clone, eventually, git

WAITS = 'echo $$ > "{0}.pid"; touch "{0}.began"; while [ ! -e "{0}.go" ]; do sleep 0.05; done; '
"""A command that says who it is and then waits for a file."""


def waits(out: Path) -> str:
    return WAITS.format(out)


def began(out: Path) -> int:
    """Wait for a command that `waits`; its process id."""
    await_file(Path(f"{out}.began"), "the command began")
    return int(Path(f"{out}.pid").read_text())


def go(out: Path) -> None:
    Path(f"{out}.go").touch()


def claimed_by_nobody(clone: Clone, name: str) -> bool:
    found = job(clone, name)
    return found["state"] == "queued" and found["worker"] is None


def test_a_lost_claim_stops_the_command(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    add(clone, "one")
    out = tmp_path / "out"
    running = clone.start_orch("work", "--once", "--json", "--", f"touch mine; {waits(out)}{COMMIT}")
    pid = began(out)
    other = worker_clone(remote, "bob")
    other.orch("release", "one", "--break", "--reason", "wanted elsewhere")
    eventually(lambda: not alive(pid), "the command of a lost claim is stopped", 30)
    other.orch("cancel", "one")
    run = running.wait()
    assert results(run.json()) == {"one": "lost"}
    assert remote.tip("job/one") is None
    assert (places(clone)[0] / "mine").exists(), "I8: what the command left is kept"
    assert "unsaved work" in run.err


def test_a_cancelled_job_stops_its_command(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "one")
    out = tmp_path / "out"
    running = clone.start_orch("work", "--once", "--", waits(out) + COMMIT)
    pid = began(out)
    clone.orch("cancel", "one")
    eventually(lambda: not alive(pid), "the command is stopped", 30)
    assert running.wait().status == 0
    assert state(clone, "one") == "cancelled"


def test_signals_give_everything_back(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        name = signum.name.lower()
        add(clone, name)
        out = tmp_path / name
        running = clone.start_orch("work", "--", waits(out) + COMMIT)
        pid = began(out)
        send(running, signum)
        run = running.wait()
        assert run.status == 130, run.said()
        assert not alive(pid)
        found = job(clone, name)
        assert (found["state"], found["attempt"], found["worker"]) == ("queued", 0, None)
        assert found["reason"] == "interrupted"
        clone.orch("cancel", name)
    tips = remote.refs("refs/orch/workers").values()
    assert all(git(remote.path, "log", "-1", "--format=%s", tip).startswith("leave:") for tip in tips)


def test_a_command_that_ignores_signals_is_killed(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "deaf")
    out = tmp_path / "out"
    running = clone.start_orch("work", "--", f"trap '' TERM INT HUP; {waits(out)}")
    pid = began(out)
    send(running, signal.SIGTERM)
    run = running.wait()
    assert run.status == 130, run.said()
    assert not alive(pid)
    assert claimed_by_nobody(clone, "deaf")


def test_another_worker_continues_after_a_kill(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path, workerTTL="2")
    add(clone, "one")
    out = tmp_path / "out"
    running = clone.start_orch("work", "--", waits(out) + COMMIT)
    pid = began(out)
    send(running, signal.SIGKILL)
    running.wait()
    eventually(lambda: not alive(pid), "a command dies with its worker", 30)
    assert state(clone, "one") == "claimed"
    other = worker_clone(remote, "bob", workerTTL="2")
    second = other.start_orch("work", "--", COMMIT)
    eventually(lambda: state(other, "one") == "submitted", "the job is done by another", 40)
    send(second, signal.SIGTERM)
    second.wait()
    assert job(other, "one")["attempt"] == 2


def test_a_paused_worker_is_fenced(tmp_path: Path) -> None:
    """I5: it can neither hand in nor land when it wakes up, although its command went on."""
    remote, clone = queue(tmp_path, workerTTL="2", leaseTTL="3")
    add(clone, "one")
    out = tmp_path / "out"
    theirs = f'{waits(out)}echo > "src/by-ada-$ORCH_JOB.txt"; git add -A; git commit -qm theirs; touch "{out}.over"'
    running = clone.start_orch("work", "--land", "--json", "--", theirs)
    began(out)
    send(running, signal.SIGSTOP)
    other = worker_clone(remote, "bob", workerTTL="2", leaseTTL="3")
    second = other.start_orch("work", "--land", "--", COMMIT)
    eventually(lambda: state(other, "one") == "done", "another worker does the job", 60)
    go(out)
    await_file(Path(f"{out}.over"), "the command of the paused worker ended by itself")
    send(running, signal.SIGCONT)
    eventually(lambda: len(places(clone)) == 1, "it has its place")
    add(other, "two")
    eventually(lambda: state(other, "two") == "done", "both go on", 60)
    for worker in (running, second):
        send(worker, signal.SIGTERM)
    first = running.wait()
    second.wait()
    assert results(first.json())["one"] == "lost", first.said()
    assert "src/by-ada-one.txt" not in remote.files("main")
    other.git("fetch", "-q", "origin")
    assert landed_jobs(other) == ["one", "two"], "I2"
    assert (places(clone)[0] / "src/by-ada-one.txt").exists(), "I8: what it made is kept"
    assert_main_is_green(remote.path, tmp_path)


def test_worktrees_are_made_in_parallel(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    names = [f"job-{number}" for number in range(8)]
    for name in names:
        add(clone, name)
    running = [clone.start_orch("work", "-j", "4", "--once", "--json", "--", COMMIT) for _ in range(2)]
    found = [worker.wait(120).json() for worker in running]
    assert {**results(found[0]), **results(found[1])} == dict.fromkeys(names, "submitted")
    assert sum(len(each["data"]["done"]) for each in found) == len(names), "I4: each job was taken once"


def test_a_worker_outlives_an_outage_of_its_remote(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path, workerTTL="2")
    add(clone, "one")
    out = tmp_path / "out"
    running = clone.start_orch("work", "--once", "--json", "--", waits(out) + COMMIT)
    began(out)
    away = remote.path.with_name("away.git")
    remote.path.rename(away)
    go(out)
    since = time.monotonic()
    eventually(lambda: time.monotonic() - since > 3, "longer than the TTL")
    away.rename(remote.path)
    run = running.wait()
    assert results(run.json()) == {"one": "submitted"}
    assert "trying again" in run.err


def test_a_worker_whose_sign_of_life_was_dropped_gives_a_new_one(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path, workerTTL="3")
    running = clone.start_orch("work", "--", COMMIT)
    eventually(lambda: remote.refs("refs/orch/workers"), "it gives signs of life")
    (ref,) = remote.refs("refs/orch/workers")
    remote.git("update-ref", "-d", ref)
    eventually(lambda: ref in remote.refs("refs/orch/workers"), "it gives them again")
    add(clone, "one")
    eventually(lambda: state(clone, "one") == "submitted", "it works on")
    send(running, signal.SIGTERM)
    assert running.wait().status == 130


def test_a_claim_that_nobody_runs_is_given_back_by_its_worker(tmp_path: Path) -> None:
    """A push whose answer never came: the claim is there, and its worker does not know."""
    remote, clone = queue(tmp_path, workerTTL="60")
    remote.hook("post-receive", f'grep -q "refs/orch/jobs/one" && [ -e {tmp_path}/break ] && kill -9 $PPID; exit 0\n')
    add(clone, "one")
    (tmp_path / "break").touch()
    running = clone.start_orch("work", "--", COMMIT)
    eventually(lambda: "claim:" in remote.git("log", "--format=%s", "refs/orch/jobs/one"), "it was claimed")
    (tmp_path / "break").unlink()
    eventually(lambda: state(clone, "one") == "submitted", "it is done all the same", 40)
    send(running, signal.SIGTERM)
    running.wait()
