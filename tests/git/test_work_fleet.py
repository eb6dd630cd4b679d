"""Three clones of workers over a graph of thirty jobs, while one is killed twice and one stands still past its TTL."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.git.landing import assert_main_is_green, landed_jobs, project
from tests.git.working import COMMIT, add_all, send, worker_clone
from tests.support import Clone, Remote, Running, eventually, git

LAYERS = (1, 7, 1, 9, 1, 10, 1)
"""Diamonds in a row: one job, then many that wait for it, then one that waits for all of these."""

LIMIT_S = 150.0

WORK = "sleep 0.5; " + COMMIT


def graph() -> dict[str, list[str]]:
    """Job to what it waits for, in an order in which they can be made."""
    found: dict[str, list[str]] = {}
    before: list[str] = []
    for number, width in enumerate(LAYERS):
        layer = [f"l{number}-{each}" for each in range(width)]
        found |= {name: list(before) for name in layer}
        before = layer
    return found


class Fleet:
    """Workers that run, each in a clone of its own and called by its name; quiet, since nobody reads what they say."""

    def __init__(self, remote: Remote, clones: list[Clone]) -> None:
        self.remote = remote
        self.clones = clones
        self.running: list[Running] = [self._start(clone) for clone in clones]

    def _start(self, clone: Clone) -> Running:
        return clone.start_orch("work", "-j", "2", "--land", "-q", "--worker", clone.path.name, "--", WORK)

    def await_claim(self, number: int) -> None:
        """Until a worker is in the middle of something."""
        mine = f"\nWorker: {self.clones[number].path.name}-"
        records = ("for-each-ref", "--format=%(contents)", "refs/orch/jobs")
        eventually(lambda: mine in self.remote.git(*records), "the worker has a claim", LIMIT_S)

    def kill(self, number: int) -> None:
        """`kill -9` to a worker that has a claim, and start it again."""
        self.await_claim(number)
        send(self.running[number], signal.SIGKILL)
        self.running[number].wait()
        self.running[number] = self._start(self.clones[number])

    def stop(self) -> list[int]:
        for running in self.running:
            send(running, signal.SIGTERM)
        return [running.wait().status for running in self.running]


def done_on(remote: Path) -> int:
    """How many jobs have landed, by the commits on main."""
    return int(git(remote, "rev-list", "--count", "main")) - 1


def test_a_fleet_survives_kills_and_a_pause(tmp_path: Path) -> None:
    remote = project(tmp_path)
    times = {"workerTTL": "3", "leaseTTL": "4", "maxAttempts": "20"}
    clones = [worker_clone(remote, name, **times) for name in ("ada", "bob", "cyd")]
    jobs = graph()
    assert len(jobs) == 30
    add_all(clones[0], jobs)
    began = time.monotonic()
    fleet = Fleet(remote, clones)
    try:
        eventually(lambda: done_on(remote.path) >= 3, "the first jobs have landed", LIMIT_S)
        fleet.kill(0)
        fleet.await_claim(1)
        send(fleet.running[1], signal.SIGSTOP)
        eventually(lambda: done_on(remote.path) >= 9, "more have landed while one stands still", LIMIT_S)
        fleet.kill(0)
        paused = time.monotonic()
        eventually(lambda: done_on(remote.path) >= 14 and time.monotonic() - paused > 4, "it is past its TTL", LIMIT_S)
        send(fleet.running[1], signal.SIGCONT)
        eventually(lambda: done_on(remote.path) >= len(jobs), "all have landed", LIMIT_S)
    finally:
        for running in fleet.running:
            os.kill(running.process.pid, signal.SIGCONT)
        statuses = fleet.stop()
    assert statuses == [130, 130, 130]
    assert_all_is_well(tmp_path, remote.path, clones[2], jobs)
    assert time.monotonic() - began < LIMIT_S


def assert_all_is_well(tmp_path: Path, remote: Path, clone: Clone, jobs: dict[str, list[str]]) -> None:
    """Each job is done exactly once (I2, I3), in an order that the graph allows (I6), with main green at each step
    (I1), and few refs are left."""
    states = {name: clone.orch("show", name, "--json").json()["data"]["state"] for name in jobs}
    assert states == dict.fromkeys(jobs, "done")
    clone.git("fetch", "-q", "origin")
    landed = landed_jobs(clone)
    assert sorted(landed) == sorted(jobs), "each job landed once"
    diaries = git(remote, "log", "--format=%s", "--glob=refs/orch/archive*", "--glob=refs/orch/jobs/*").splitlines()
    assert any(line.startswith("reap:") for line in diaries), "claims of the killed and the paused came back"
    place = {name: number for number, name in enumerate(landed)}
    early = [(name, before) for name, after in jobs.items() for before in after if place[before] > place[name]]
    assert early == []
    assert_main_is_green(remote, tmp_path)
    refs = git(remote, "for-each-ref", "--format=%(refname)", "refs/orch").splitlines()
    assert len(refs) < 40, refs
    clone.orch("fsck")
