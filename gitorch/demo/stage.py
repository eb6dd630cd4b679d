"""The stage of the demonstration: a directory, an environment that nothing of the user's leaks into, and the processes
that run there.

Promises: what is typed is given to `sh` as it stands, so what is shown is what runs; `git orch` is the program that is
running now, whatever else is installed; `close` leaves no process behind, and no directory unless that was asked for.
"""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import gitorch
from gitorch.core.errors import OrchError, UsageError
from gitorch.shell.system import RealClock

PATIENCE_S = 60.0
"""No single command of the story takes longer, on any machine."""

REMOVAL_S = 5.0
POLL_S = 0.02

_GITCONFIG = """\
[init]
	defaultBranch = main
[gc]
	auto = 0
[maintenance]
	auto = false
[advice]
	detachedHead = false
[core]
	pager = cat
[safe]
	directory = *
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a clone and a home of their own."""

    name: str
    path: Path
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: minus the signal's number where one killed it."""

    status: int
    text: str


Lines = queue.Queue[tuple["Running", str | None]]
"""What commands say, line by line as it comes, standard error among it; a None after the last of each."""


class Running:
    """A command that was typed. It leads its own process group, and what it says goes to `lines`."""

    def __init__(self, who: Person, command: str, process: subprocess.Popen[str], lines: Lines) -> None:
        self.who = who
        self.command = command
        self.process = process
        self.lines = lines
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.put((self, line.rstrip("\n")))
        self.lines.put((self, None))

    def kill(self) -> None:
        """`kill -9` to the whole group, which may be gone already."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Stage:
    """A directory with a bare remote in it; people get clones of it."""

    def __init__(self, keep: Path | None = None) -> None:
        """In a new temporary directory, or in `keep`, which must not exist or be empty and stays. Raises UsageError."""
        self._keeps = keep is not None
        self._running: list[Running] = []
        self.root = _made(keep) if keep is not None else Path(tempfile.mkdtemp(prefix="git-orch-demo-")).resolve()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set_up(self) -> None:
        """Lay out the directory, with a `git-orch` that is this very program. Raises OrchError where nothing can be
        started from there."""
        for name in ("bin", "home"):
            (self.root / name).mkdir()
        (self.root / "home" / "gitconfig").write_text(_GITCONFIG, encoding="utf-8")
        program = self.root / "bin" / "git-orch"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m gitorch "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        found = self.quietly(self.person("nobody", self.root), "git orch version")
        if found.text != f"git orch {gitorch.__version__}\n":
            said = found.text.strip().splitlines()
            raise OrchError(
                f"`git orch` could not be run in {self.root}: {said[-1] if said else f'exit status {found.status}'}",
                hint="git orch demo --keep DIRECTORY, one in which programs may be run",
            )

    def person(self, name: str, path: Path) -> Person:
        """Somebody whose home, identity and configuration are theirs alone."""
        home = self.root / "home" / name
        home.mkdir()
        sealed = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "LOGNAME": name,
            "USER": name,
            "PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": os.pathsep.join(filter(None, (_import_path(), os.environ.get("PYTHONPATH")))),
            "GIT_CONFIG_GLOBAL": str(self.root / "home" / "gitconfig"),
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self.root),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": "true",
            "PAGER": "cat",
            "LC_ALL": "C",
        }
        return Person(name, path, {**_inherited(), **sealed})

    def start(self, who: Person, command: str, lines: Lines | None = None) -> Running:
        """Type a command and go on."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=who.path,
            env=who.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        running = Running(who, command, process, queue.Queue() if lines is None else lines)
        self._running.append(running)
        return running

    def until(self, running: Running, condition: Callable[[], bool], show: Callable[[str], None]) -> bool:
        """Show what a command says until the condition holds. False when the command ended first. Raises OrchError."""
        deadline = clock_s() + PATIENCE_S
        while not condition():
            try:
                _, line = running.lines.get(timeout=POLL_S)
            except queue.Empty:
                _be_patient(running, deadline)
                continue
            if line is None:
                running.lines.put((running, None))
                return condition()
            running.said.append(line)
            show(line)
        return True

    def finish(self, running: list[Running], show: Callable[[Running, str], None]) -> list[Ran]:
        """Wait for commands that share their queue of lines, showing the lines in the order in which they came. Raises
        OrchError when one takes too long."""
        deadline = clock_s() + PATIENCE_S
        open_ends = len(running)
        while open_ends:
            try:
                who, line = running[0].lines.get(timeout=0.5)
            except queue.Empty:
                _be_patient(running[0], deadline)
                continue
            if line is None:
                open_ends -= 1
            else:
                who.said.append(line)
                show(who, line)
        return [self._ended(one) for one in running]

    def _ended(self, running: Running) -> Ran:
        status = running.process.wait(PATIENCE_S)
        self._running.remove(running)
        return Ran(status, "".join(f"{line}\n" for line in running.said))

    def quietly(self, who: Person, command: str) -> Ran:
        """Run a command and show nothing."""
        return self.finish([self.start(who, command)], lambda _, __: None)[0]

    def close(self) -> None:
        """Kill what still runs; take the directory away. Raises OrchError when that is not possible."""
        for running in self._running:
            running.kill()
            running.process.wait()
        self._running.clear()
        if not self._keeps:
            _remove(self.root)


def clock_s() -> float:
    """Seconds that only grow."""
    return RealClock().boot_s()


def _be_patient(running: Running, deadline: float) -> None:
    if clock_s() > deadline:
        raise OrchError(
            f"`{running.command}` of the demonstration did not end within {PATIENCE_S:.0f} s",
            hint="git orch doctor in a repository of yours checks this machine",
        )


def _remove(path: Path) -> None:
    deadline = clock_s() + REMOVAL_S
    while path.exists():
        # A killed gate, which its own watcher ends a moment later, may still have written a file.
        shutil.rmtree(path, ignore_errors=True)
        if clock_s() > deadline:
            raise OrchError(f"{path} could not be removed", hint=f"ls -lR {shlex.quote(str(path))}")


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not any(path.iterdir()):
            return path.resolve()
    except OSError as problem:
        raise UsageError(
            f"{path} cannot be used: {problem.strerror or problem}", hint="git orch demo --keep ANOTHER-DIRECTORY"
        ) from None
    raise UsageError(f"{path} is not empty", hint="git orch demo --keep ANOTHER-DIRECTORY")


def _import_path() -> str:
    """Where this very package is imported from, also when it was never installed."""
    return str(Path(gitorch.__file__).resolve().parents[1])


def _inherited() -> dict[str, str]:
    """The user's environment without what would lead git, ssh or git orch anywhere else."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "ORCH_", "SSH_ASKPASS")) and name not in ("EMAIL", "LANGUAGE")
    }
