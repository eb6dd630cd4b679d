"""What every server of the tests has in common, and the two that come with git: a plain path, and `git daemon`.

A server is started on a folder and serves all repositories below it, whoever makes them and when. Its processes have
an environment of their own, a free port of 127.0.0.1 and a scratch folder; all of it is gone after `stop`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from tests.support import eventually, git

HOST = "127.0.0.1"
PORTS_TRIED = 5


class NotInstalledError(Exception):
    """A server cannot be had here; the text says why and what to install."""


class PortTakenError(Exception):
    """Somebody else got the port between our choosing and using it."""


class Server(ABC):
    """One kind of server. As a context manager it stops at the end."""

    needs: ClassVar[dict[str, str]] = {}
    """Programs to the Debian package that has them."""

    def __init__(self) -> None:
        self.folder = Path()
        self.scratch = Path()
        self.port = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, folder: Path) -> Self:
        """Serve the repositories below `folder`. Returns when clients are answered. Raises NotInstalledError."""
        for program, package in self.needs.items():
            if find(program) is None:
                raise NotInstalledError(f"{program} is missing: apt-get install {package}")
        self.folder = folder
        # Short: a socket's path has about a hundred characters.
        self.scratch = Path(tempfile.mkdtemp(prefix="srv-"))
        for _ in range(PORTS_TRIED):
            self.port = free_port()
            try:
                self.launch()
            except PortTakenError:
                self._end_processes()
            except BaseException:
                self.stop()
                raise
            else:
                return self
        self.stop()
        raise AssertionError(f"no port was free, {PORTS_TRIED} times")

    def stop(self) -> None:
        """End all its processes. Twice is the same as once."""
        self._end_processes()
        if self.scratch != Path():
            shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def launch(self) -> None:
        """Start its processes on `self.port` and wait until they answer."""

    @abstractmethod
    def url_of(self, repo: Path) -> str:
        """What clients call a repository."""

    def client_config(self) -> str:
        """What a client needs in its configuration of git."""
        return ""

    def client_environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {}

    def environment(self) -> dict[str, str]:
        """The environment of its processes: nothing of the machine's or the user's configuration."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.scratch),
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def run(self, *argv: str | Path) -> subprocess.Popen[bytes]:
        """Start a process that `stop` will end; what it says goes to `log`."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(arg) for arg in argv],
                cwd=self.scratch,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def run_listener(self, *argv: str | Path) -> None:
        """Start a process that listens on `self.port`, and wait until it does. Raises PortTakenError."""
        process = self.run(*argv)
        eventually(lambda: process.poll() is not None or answers(self.port), f"{argv[0]} answers")
        if process.poll() is not None:
            said = self.said()
            if "in use" in said:
                raise PortTakenError
            raise AssertionError(f"{argv[0]} ended: {said}")

    @property
    def log(self) -> Path:
        return self.scratch / "log"

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of its own."""
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def _end_processes(self) -> None:
        for process in reversed(self._processes):
            kill_tree(process)
        self._processes.clear()


class PathServer(Server):
    """No server at all: the path of the repository."""

    def launch(self) -> None:
        return

    def url_of(self, repo: Path) -> str:
        return str(repo)


class GitDaemon(Server):
    """`git daemon` that lets everybody push."""

    def launch(self) -> None:
        daemon = ("git", "daemon", "--reuseaddr", f"--listen={HOST}", f"--port={self.port}", "--max-connections=0")
        self.run_listener(*daemon, f"--base-path={self.folder}", "--export-all", "--enable=receive-pack", self.folder)

    def url_of(self, repo: Path) -> str:
        return f"git://{HOST}:{self.port}/{repo.relative_to(self.folder).as_posix()}"


def find(program: str) -> str | None:
    """Where a program is; servers are often not on the PATH of a user. A path stands for itself."""
    if "/" in program:
        return program if Path(program).exists() else None
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def found(program: str) -> str:
    """Where a program is that was looked for."""
    path = find(program)
    assert path is not None, program
    return path


def git_program(name: str) -> Path:
    """One of the programs that come with git and are not on the PATH."""
    return Path(git(Path("/"), "--exec-path")) / name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """`kill -9` to a process and what it started, also in sessions of their own; returns when all are gone."""
    if process.poll() is None:
        # Stopped, it starts no more while we look.
        process.send_signal(signal.SIGSTOP)
        children = descendants(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
    else:
        children = []
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    deadline = time.monotonic() + 10.0
    while any(_state_and_parent(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """All below a process, parents first."""
    parents = {int(path.name): _state_and_parent(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    below: list[int] = [pid]
    for parent in below:
        below += [child for child, seen in parents.items() if seen is not None and seen[1] == parent]
    return below[1:]


def _state_and_parent(pid: int) -> tuple[str, int] | None:
    """None for a process that is gone, a zombie too: in a container nobody may be there to bury it."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else (state, int(parent))
