"""Commands of workers that misbehave, and the bound on how many jobs are worked on at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.git.working import COMMIT, add, job, queue, state, worker_clone
from tests.support import eventually, git


def test_a_command_that_makes_itself_a_daemon_does_not_hold_the_worker_up(tmp_path: Path) -> None:
    _, clone = queue(tmp_path)
    add(clone, "daemon")
    pid = tmp_path / "pid"
    daemon = f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' >/dev/null 2>&1 & while [ ! -s {pid} ]; do :; done; "
    run = clone.orch("work", "--once", "--", daemon + COMMIT)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert state(clone, "daemon") == "submitted", run.said()


def test_a_command_that_deletes_its_worktree_gives_the_job_back_and_the_next_one_works(tmp_path: Path) -> None:
    _, clone = queue(tmp_path, maxAttempts="1")
    add(clone, "vandal")
    clone.orch("work", "--once", "--", 'rm -rf "$PWD"', check=None)
    found = job(clone, "vandal")
    assert found["state"] == "failed" and found["reason"]
    add(clone, "good")
    clone.orch("work", "--once", "--", COMMIT)
    assert state(clone, "good") == "submitted"


def test_a_command_that_can_write_no_more_gives_the_job_back(tmp_path: Path) -> None:
    _, clone = queue(tmp_path, maxAttempts="1")
    add(clone, "full")
    clone.orch("work", "--once", "--", "ulimit -f 8; head -c 1000000 /dev/zero > big && " + COMMIT, check=None)
    assert state(clone, "full") == "failed"


def test_workers_together_never_have_more_jobs_than_is_allowed(tmp_path: Path) -> None:
    remote, clone = queue(tmp_path, maxConcurrency="1")
    other = worker_clone(remote, "bob", maxConcurrency="1")
    for number in range(4):
        add(clone, f"j{number}")
    busy = tmp_path / "busy"
    alone = f"mkdir {busy} || exit 9; " + COMMIT + f"; rmdir {busy}"
    running = [each.start_orch("work", "-j", "2", "--", alone) for each in (clone, other)]
    states = ("for-each-ref", "--format=%(contents:trailers:key=State,valueonly)", "refs/orch/jobs")
    eventually(lambda: git(remote.path, *states).split() == ["submitted"] * 4, "all are handed in", 60.0)
    for each in running:
        os.kill(each.process.pid, signal.SIGTERM)
        each.wait()
    for number in range(4):
        assert job(clone, f"j{number}")["attempt"] == 1, "nobody met somebody else at work"
    assert len(remote.refs("refs/orch/slots")) == 1
    clone.orch("fsck")
