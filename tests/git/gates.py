"""Where tests run gates: a repository, a worktree made by plain git, and a display that remembers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitorch.core.gates import GateEnd, GateResult
from gitorch.core.model import REASON_LIMIT, require_line
from gitorch.shell.runner import Display, ShellGateRunner
from gitorch.shell.system import RealClock
from tests.git.lander import PlainTree, request
from tests.support import Clone, eventually, make_alone

GREEN, RED, STOPPED = GateEnd.GREEN, GateEnd.RED, GateEnd.STOPPED


def go_on(seconds: float) -> bool:
    return True


@dataclass
class Bench:
    """A repository with a worktree for gates, and a place for what gates write outside of it."""

    repo: Clone
    tree: PlainTree
    out: Path

    @property
    def number_file(self) -> Path:
        return Path(f"{self.tree.path}.pgid")

    @property
    def logs(self) -> Path:
        return self.repo.path / ".git" / "orch" / "logs"

    def run(
        self,
        *commands: str,
        commit: str = "",
        tick: Callable[[float], bool] = go_on,
        display: Display | None = None,
        timeout_s: float = 60.0,
        retries: int = 0,
        job: str | None = "abc123",
        grace_s: float = 0.5,
    ) -> GateResult:
        runner = ShellGateRunner(
            lambda gate: self.tree, self.repo.path / ".git", RealClock(), display=display, grace_s=grace_s
        )
        commit = commit or self.repo.git("rev-parse", "main")
        result = runner.run(request(commit, commands, timeout_s=timeout_s, retries=retries, job=job), tick)
        require_line("reason", result.reason or None, REASON_LIMIT)
        return result

    def pid(self, name: str) -> int:
        """A process id that a gate wrote, as soon as it has."""
        path = self.out / name
        eventually(lambda: path.exists() and path.read_text().endswith("\n"), f"the gate wrote {name}")
        return int(path.read_text())


def make_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Gates find the place for their marks in $OUT, and this Python in $PYTHON."""
    repo = make_alone(tmp_path, {"file": "content\n", "check": "exit 0\n"})
    path = tmp_path / "gate tree"
    repo.git("worktree", "add", "-q", "--detach", str(path))
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("OUT", str(out))
    monkeypatch.setenv("PYTHON", sys.executable)
    return Bench(repo, PlainTree(path), out)


class Recorder:
    """A display that remembers, and lets a test act on output."""

    def __init__(self, on_output: Callable[[bytes], None] = lambda data: None) -> None:
        self.shown: list[str] = []
        self._on_output = on_output

    def begin(self, what: str, note: str = "") -> None:
        self.shown.append(f"{what}|{note}")

    def beat(self) -> None: ...

    def output(self, data: bytes) -> None:
        self._on_output(data)

    def end(self, summary: str = "") -> None:
        if summary:
            self.shown.append(summary)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
