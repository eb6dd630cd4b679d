"""Runs a gate on a candidate in a worktree of its own, and says what came of it: ports.GateRunner.

Promises: every command runs alone, in a session that is dead before the next begins (shell/session.py); the result is
RED only for what the gate said or did, or for its time limit, never for a fault of this machine, which is an error;
`tick` is called several times a second throughout, also while files are checked out and output is late. Does not judge
whether a stopped gate matters: the caller knows why its `tick` answered False.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gitorch.core.gates import Gate, GateEnd, GateRequest, GateResult
from gitorch.core.model import REASON_LIMIT, Oid
from gitorch.core.text import duration, one_line
from gitorch.ports import Clock
from gitorch.shell.attendant import Attendant, Tick, Wait
from gitorch.shell.gatelog import GateLog, Pump, Tail, log_name
from gitorch.shell.gitcmd import scrubbed_environment
from gitorch.shell.session import Session

GRACE_S = 2.0
"""What a stopped gate gets between SIGTERM and SIGKILL; `tick` is not called meanwhile."""

LOGS = "orch/logs"
"""The folder of logs in the git directory."""

_OURS = ("ORCH_JOB", "ORCH_TARGET", "ORCH_BASE", "ORCH_CANDIDATE")
_SECRET = ("ORCH_TOKEN",)
_TESTS = "ORCH_TEST_"
_COMMAND_LIMIT = 200


class GateTree(Protocol):
    """The worktree a gate runs in, for one run at a time."""

    @property
    def path(self) -> Path: ...

    def checkout(self, commit: Oid) -> None:
        """Make the files exactly those of `commit`, whatever was there."""

    def inspect(self, commit: Oid) -> str:
        """Why this is no longer `commit` as it was checked out, in one sentence; empty when it is."""

    def release(self) -> None:
        """Give the worktree back."""


class Display(Protocol):
    """Where people see what runs; `gitorch.shell.terminal.Progress` is one."""

    def begin(self, what: str, note: str = "") -> None: ...

    def beat(self) -> None: ...

    def output(self, data: bytes) -> None: ...

    def end(self, summary: str = "") -> None: ...


class NoDisplay:
    """Nobody watches."""

    def begin(self, what: str, note: str = "") -> None: ...

    def beat(self) -> None: ...

    def output(self, data: bytes) -> None: ...

    def end(self, summary: str = "") -> None: ...


class ShellGateRunner:
    """ports.GateRunner on this machine: `sh`, a worktree from `open_tree`, logs in `<git_dir>/orch/logs`."""

    def __init__(
        self,
        open_tree: Callable[[Gate], GateTree],
        git_dir: Path,
        clock: Clock,
        *,
        display: Display | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._open_tree = open_tree
        self._logs = git_dir / LOGS
        self._clock = clock
        self._display = display or NoDisplay()
        self._grace_s = grace_s

    def run(self, request: GateRequest, tick: Tick) -> GateResult:
        """See ports.GateRunner. Raises OrchError when the gate cannot be run at all, and whatever the worktree
        raises."""
        attendant = Attendant(tick, self._display.beat)
        if not request.gate.commands:
            return GateResult(end=GateEnd.GREEN, seconds=0.0)
        tree = self._open_tree(request.gate)
        try:
            log = GateLog(self._logs, log_name(request.job or request.commit, self._clock.now_ms()))
            try:
                run = _Run(request, tree, attendant, self._display, log, self._grace_s)
                result = run.until_green()
            finally:
                log.close()
                self._display.end()
        finally:
            tree.release()
        self._tell(result, log)
        return result

    def _tell(self, result: GateResult, log: GateLog) -> None:
        if log.fault:
            self._display.end(f"gate: its log is not complete: {log.fault}")
        because = f": {result.reason}" if result.reason else ""
        self._display.end(f"gate: {result.end.value} after {duration(result.seconds)}{because}")


@dataclass(frozen=True, slots=True)
class _Said:
    """What one run came to; the reason is empty for GREEN."""

    end: GateEnd
    reason: str = ""


_GREEN = _Said(GateEnd.GREEN)
_STOPPED = _Said(GateEnd.STOPPED, "stopped before it ended")


class _Run:
    """One request being answered: its runs, their commands, and where the output goes."""

    def __init__(
        self,
        request: GateRequest,
        tree: GateTree,
        attendant: Attendant,
        display: Display,
        log: GateLog,
        grace_s: float,
    ) -> None:
        self._request = request
        self._tree = tree
        self._attendant = attendant
        self._display = display
        self._log = log
        self._grace_s = grace_s
        self._tail = Tail()
        self._environ = gate_environment(request)

    def until_green(self) -> GateResult:
        """Run the gate, and again after a red as often as it allows."""
        reds: list[str] = []
        for number in range(1, self._request.gate.retries + 2):
            self._tail.clear()
            said = self._once(number)
            self._log.headline(f"run {number}: {said.reason or said.end.value}")
            if said.end is not GateEnd.RED:
                break
            reds.append(said.reason)
        return GateResult(
            end=said.end,
            seconds=self._attendant.elapsed_s(),
            reason=one_line(_reason(said, reds, number), REASON_LIMIT) if said.reason or reds else "",
            tail=self._tail.content(),
            log=str(self._log.path) if self._log.path else None,
            runs=number,
        )

    def _once(self, number: int) -> _Said:
        if self._attendant.during(self._checkout) is None:
            return _STOPPED
        until = time.monotonic() + self._request.gate.timeout_s
        for command in self._request.gate.commands:
            self._log.headline(f"run {number}: {command}")
            said = self._command(command, number, until)
            if said.end is not GateEnd.GREEN:
                return said
        return self._inspect()

    def _checkout(self) -> str:
        self._tree.checkout(self._request.commit)
        return ""

    def _inspect(self) -> _Said:
        changed = self._attendant.during(lambda: self._tree.inspect(self._request.commit))
        if changed is None:
            return _STOPPED
        return _Said(GateEnd.RED, changed) if changed else _GREEN

    def _command(self, command: str, number: int, until: float) -> _Said:
        again = f" (run {number})" if number > 1 else ""
        self._display.begin(f"gate{again}: {command}", _subject(self._request))
        with Pump(self._take) as pump:
            with self._session(command, pump) as session:
                pump.release()
                how = self._attendant.wait(session.exited, until)
            pump.finish()
            if how is Wait.OVER:
                how = self._attendant.wait(pump.ended)
        pump.check()
        if how is Wait.STOPPED:
            return _STOPPED
        if how is Wait.TIMED_OUT:
            return _Said(GateEnd.RED, f"timed out after {self._request.gate.timeout_s:g} s{self._which(command)}")
        why = why_red(session.status, command)
        return _Said(GateEnd.RED, why + self._which(command)) if why else _GREEN

    def _session(self, command: str, pump: Pump) -> Session:
        return Session(
            command,
            directory=self._tree.path,
            environ=self._environ,
            output=pump.write_end,
            silent=pump.ended,
            number_file=Path(f"{self._tree.path}.pgid"),
            grace_s=self._grace_s,
        )

    def _take(self, data: bytes) -> None:
        self._tail.add(data)
        self._log.add(data)
        self._display.output(data)

    def _which(self, command: str) -> str:
        """Names the command where there are several."""
        return f": {one_line(command, _COMMAND_LIMIT)}" if len(self._request.gate.commands) > 1 else ""


def gate_environment(request: GateRequest) -> Mapping[str, str]:
    """The caller's environment without what would redirect git, our secrets and our test switches, plus what names the
    candidate."""
    environ = {
        name: value
        for name, value in scrubbed_environment().items()
        if name not in _OURS and name not in _SECRET and not name.startswith(_TESTS)
    }
    environ |= {"ORCH_TARGET": request.target, "ORCH_BASE": request.base, "ORCH_CANDIDATE": request.commit}
    if request.job is not None:
        environ["ORCH_JOB"] = request.job
    return environ


def why_red(status: int, command: str) -> str:
    """What Session.status means, as a reason; empty for success."""
    if status == 0:
        return ""
    if status < 0:
        return f"killed by {_signal_name(-status)}"
    if status in _NOT_STARTED:
        shown = one_line(command, _COMMAND_LIMIT)
        return f"exit status {status}: `{shown}` could not be started, {_NOT_STARTED[status]}"
    name = _signal_name(status - 128) if status > 128 else ""
    return f"exit status {status} (killed by {name})" if name.startswith("SIG") else f"exit status {status}"


_NOT_STARTED = {126: "it is not executable", 127: "it was not found"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _reason(said: _Said, reds: list[str], runs: int) -> str:
    if said.end is GateEnd.GREEN:
        return f"green on run {runs}, after {reds[-1]}"
    return f"{said.reason} ({runs} runs)" if len(reds) > 1 else said.reason


def _subject(request: GateRequest) -> str:
    return f"job {request.job}" if request.job else f"commit {request.commit[:10]}"
