"""Runs the commands of workers, each on one job in a private worktree: ports.Workshop.

Promises: a command runs in a session of its own that is dead before its worktree is used for anything else, and dies
with us (shell/session.py says what that does not hold: a process that makes itself a daemon outlives it); its output is
in a log; it is told about its job by `ORCH_*` variables and never sees those of another. Nothing is committed, pushed
or decided here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gitorch.core.errors import OrchError
from gitorch.core.model import Oid
from gitorch.core.text import one_line
from gitorch.ports import Clock, WorkEnd, WorkOrder
from gitorch.shell.gatelog import GateLog, Pump, Tail, log_name
from gitorch.shell.gitcmd import scrubbed_environment
from gitorch.shell.jobtree import JobTree
from gitorch.shell.runner import LOGS, why_red
from gitorch.shell.session import Session
from gitorch.shell.worktrees import Worktrees

GRACE_S = 5.0
"""What a stopped command gets between SIGTERM and SIGKILL: an agent may want to save its work."""

BEAT_S = 0.1
LINE_LIMIT = 300

_OURS = "ORCH_"


class ShellWorkshop:
    """ports.Workshop on this machine: `sh`, worktrees below `common_dir`, logs in `<common_dir>/orch/logs`."""

    def __init__(self, worktrees: Worktrees, common_dir: Path, clock: Clock, *, grace_s: float = GRACE_S) -> None:
        self._worktrees = worktrees
        self._logs = common_dir / LOGS
        self._clock = clock
        self._grace_s = grace_s
        self._told: set[Path] = set()
        self._news: list[str] = []
        self._lock = threading.Lock()

    def start(self, order: WorkOrder) -> Bench:
        """See ports.Workshop."""
        name = log_name(f"{order.job.id}-{order.job.attempt}", self._clock.now_ms())
        bench = Bench(self, order, GateLog(self._logs, name), self._clock)
        bench.start()
        return bench

    def notices(self) -> list[str]:
        """See ports.Workshop."""
        with self._lock:
            news, self._news = self._news, []
        return news

    def take(self) -> JobTree:
        """A free worktree; raises OrchError when there is none."""
        return JobTree.take_clean(self._worktrees, self._kept)

    @property
    def grace_s(self) -> float:
        return self._grace_s

    def _kept(self, path: Path) -> None:
        with self._lock:
            if path not in self._told:
                self._told.add(path)
                self._news.append(f"{path} has unsaved work of an earlier job; it is kept, and not used")


class Bench(threading.Thread):
    """ports.Workplace. All that may take long happens in this thread; the other methods are for whoever ordered."""

    def __init__(self, shop: ShellWorkshop, order: WorkOrder, log: GateLog, clock: Clock) -> None:
        super().__init__(daemon=True)
        self._shop = shop
        self._order = order
        self._log = log
        self._clock = clock
        self._tail = Tail()
        self._tree: JobTree | None = None
        self._halt = threading.Event()
        self._ended = threading.Event()
        self._left = WorkEnd()
        self._error: BaseException | None = None
        self._begun_s = clock.boot_s()

    # -- for whoever ordered

    @property
    def path(self) -> str:
        """See ports.Workplace."""
        return str(self._tree.path) if self._tree is not None else ""

    def poll(self) -> WorkEnd | None:
        """See ports.Workplace."""
        if not self._ended.is_set():
            return None
        if self._error is not None:
            raise self._error
        return self._left

    def stop(self) -> None:
        """See ports.Workplace."""
        self._halt.set()

    def leave(self, saved: Oid | None) -> bool:
        """See ports.Workplace."""
        if self._tree is None:
            return True
        with suppress(OSError):
            _body_file(self._tree.path).unlink()
        return self._tree.leave(saved)

    # -- in the thread

    def run(self) -> None:
        """Make the worktree, run the command, look at what it left."""
        try:
            self._left = self._work()
        except OrchError as problem:
            self._left = self._ending(why=problem.message, fault=True)
        except BaseException as error:
            self._error = error
        finally:
            self._log.close()
            self._ended.set()

    def _work(self) -> WorkEnd:
        self._tree = self._shop.take()
        self._tree.prepare(self._order.start)
        body = _body_file(self._tree.path)
        _write_private(body, self._order.body)
        if self._halt.is_set():
            return self._ending(why="stopped before it began", fault=True)
        self._log.headline(f"job {self._order.job.id}, attempt {self._order.job.attempt}: {self._order.command}")
        why = self._run_command(self._tree, work_environment(self._order, body))
        self._log.headline(why or "exit status 0")
        return self._ending(why=why)

    def _run_command(self, tree: JobTree, environ: Mapping[str, str]) -> str:
        """Why it did not succeed; empty when it did."""
        with Pump(self._take) as pump:
            with self._session(tree, environ, pump) as session:
                pump.release()
                while not session.exited.wait(BEAT_S) and not self._halt.is_set():
                    pass
                stopped = not session.exited.is_set()
            pump.finish()
            pump.ended.wait(BEAT_S * 10)
        pump.check()
        if stopped:
            return "it was stopped"
        why = why_red(session.status, self._order.command)
        last = _last_line(self._tail.content())
        return f"{why}: {last}" if why and last else why

    def _session(self, tree: JobTree, environ: Mapping[str, str], pump: Pump) -> Session:
        return Session(
            self._order.command,
            directory=tree.path,
            environ=environ,
            output=pump.write_end,
            silent=pump.ended,
            number_file=Path(f"{tree.path}.pgid"),
            grace_s=self._shop.grace_s,
            what="the command",
        )

    def _take(self, data: bytes) -> None:
        self._tail.add(data)
        self._log.add(data)

    def _ending(self, *, why: str, fault: bool = False) -> WorkEnd:
        tree = self._tree
        return WorkEnd(
            why=why,
            fault=fault,
            head=tree.head() if tree is not None else None,
            changes=tree.changes() if tree is not None else "",
            tail=self._tail.content(),
            log=str(self._log.path) if self._log.path else None,
            seconds=self._clock.boot_s() - self._begun_s,
        )


def work_environment(order: WorkOrder, body: Path) -> dict[str, str]:
    """The caller's environment without what would redirect git and without any `ORCH_*` of somebody else's (a worker
    may itself run as a job's command), plus what names the job. The token lets the command speak for its claim."""
    environ = {name: value for name, value in scrubbed_environment().items() if not name.startswith(_OURS)}
    job = order.job
    return environ | {
        "ORCH_JOB": job.id,
        "ORCH_TOKEN": order.token,
        "ORCH_TITLE": job.title,
        "ORCH_BODY_FILE": str(body),
        "ORCH_BRANCH": order.branch,
        "ORCH_ATTEMPT": str(job.attempt),
        "ORCH_REASON": job.reason or "",
        "ORCH_TARGET": job.target,
        "ORCH_BASE": order.base,
    }


def _body_file(place: Path) -> Path:
    return Path(f"{place}.body")


def _write_private(path: Path, data: bytes) -> None:
    """Raises OrchError when it cannot be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as problem:
        raise OrchError(f"{path} cannot be written: {problem.strerror}", hint="git orch doctor") from None


def _last_line(tail: bytes) -> str:
    lines = [line for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
    return one_line(lines[-1], LINE_LIMIT) if lines else ""
