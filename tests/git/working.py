"""What the tests of workers share: a project, jobs, commands that workers run, and questions about both."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from gitorch.core.model import JobId
from gitorch.core.plan_queue import Addition, plan_add
from gitorch.core.writes import OutcomeKind
from gitorch.engine.exchange import publish
from gitorch.session import open_session
from tests.git.landing import project
from tests.support import Clone, Remote, Running, eventually, git

FAST = {"orch.workerTTL": "2", "orch.pollInterval": "1", "orch.leaseTTL": "5"}
"""A worker that stands still is dead after two seconds and a bit."""

COMMIT = 'printf "module $ORCH_JOB\\ncall base\\n" > "src/$ORCH_JOB.txt" && git add -A && git commit -qm "$ORCH_TITLE"'
"""A command that does the job: one new file, committed."""


def queue(tmp_path: Path, **config: str) -> tuple[Remote, Clone]:
    """A remote with the project, and a clone that polls often."""
    remote = project(tmp_path)
    return remote, worker_clone(remote, "ada", **config)


def worker_clone(remote: Remote, name: str, **config: str) -> Clone:
    """A clone for a worker; `config` are further values without `orch.`."""
    clone = remote.clone(name)
    values = {"orch.pollInterval": "1", **{f"orch.{key}": value for key, value in config.items()}}
    for key, value in values.items():
        clone.git("config", key, value)
    return clone


def add(clone: Clone, job: str, *options: str) -> None:
    """A new job, its title after its id."""
    clone.orch("add", f"Do {job}", "--id", job, *options)


def job(clone: Clone, name: str) -> dict[str, Any]:
    """A job as `show --json` has it."""
    found: dict[str, Any] = clone.orch("show", name, "--json").json()["data"]
    return found


def state(clone: Clone, name: str) -> str:
    return str(job(clone, name)["state"])


def results(run_json: dict[str, Any]) -> dict[str, str]:
    """What a worker says of its jobs: id to outcome, the last one of each."""
    return {result["job"]: result["outcome"] for result in run_json["data"]["done"]}


def send(running: Running, signum: signal.Signals) -> None:
    """A signal to the worker itself, not to its group."""
    os.kill(running.process.pid, signum)


def places(clone: Clone) -> list[Path]:
    """The private worktrees for jobs that exist in a clone."""
    root = clone.path / ".git" / "orch" / "worktrees"
    return sorted(path for path in root.glob("work-*") if path.is_dir())


def await_file(path: Path, what: str, timeout_s: float = 30.0) -> None:
    eventually(path.exists, what, timeout_s)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def parents(repo: Path, commit: str) -> list[str]:
    return git(repo, "rev-parse", f"{commit}^@").split()


def add_all(clone: Clone, jobs: dict[str, list[str]]) -> None:
    """New jobs, each with what it waits for, in one push."""
    session = open_session(clone.path)
    world = session.world()
    additions = [
        Addition(id=JobId(name), title=f"Do {name}", target="main", after=tuple(map(JobId, after)))
        for name, after in jobs.items()
    ]
    assert publish(world, plan_add(world.context(), additions)).kind is OutcomeKind.PUBLISHED
    session.close()
