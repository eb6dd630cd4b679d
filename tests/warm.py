"""Warm starts: `git orch` for tests, forked from a process that has imported it already.

Most of a test's time is python importing the same modules again. What is forked here has an own process, session,
directory, environment and streams, and runs `gitorch.__main__.main` like any start; only the imports are done. A start
whose environment would change what happened at import (see `_AT_IMPORT`) is not for this: `fits` says so.
ORCH_TEST_PLAIN=1 lets every test start python anew.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_AT_IMPORT = ("PYTHON", "LC_", "LANG", "HOME", "XDG_", "TZ", "ORCH_TEST_", "GIT_CONFIG", "LD_", "PATH")
PLAIN = bool(os.environ.get("ORCH_TEST_PLAIN"))


_READ_AGAIN = ("ORCH_TEST_KILL", "ORCH_TEST_TRACE")
"""What gitorch.shell.crash takes from the environment at import; `_become` lets it do so again."""


def _at_import(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_IMPORT) and name not in _READ_AGAIN}


class Forked:
    """A started command, with what tests need of subprocess.Popen: `wait`, `poll`, `communicate` and the streams."""

    def __init__(self, reply: socket.socket, stdin: IO[bytes] | None, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._told: dict[str, bytes] = {}
        self._readers: list[threading.Thread] = []
        self._reply = reply
        self._lock = threading.Lock()
        self.pid = int(self._line())

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, below zero for a signal. Raises subprocess.TimeoutExpired."""
        with self._lock:
            if self.returncode is None:
                self._reply.settimeout(timeout)
                try:
                    self.returncode = os.waitstatus_to_exitcode(int(self._line()))
                except (TimeoutError, BlockingIOError):
                    raise subprocess.TimeoutExpired("git orch", timeout or 0.0) from None
                self._reply.close()
        return self.returncode

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        """To the process alone, while it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Both streams to their ends, and wait. Raises subprocess.TimeoutExpired; may then be called again."""
        if not self._readers:
            self._readers = [threading.Thread(target=self._read, args=(name,)) for name in ("stdout", "stderr")]
            for reader in self._readers:
                reader.daemon = True
                reader.start()
        self.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired("git orch", timeout or 0.0)
        return self._told["stdout"], self._told["stderr"]

    def _read(self, name: str) -> None:
        with getattr(self, name) as stream:
            self._told[name] = stream.read()

    def _line(self) -> bytes:
        """The next line that the supervisor says; what it has not said completely stays there."""
        size = 12
        said = self._reply.recv(size, socket.MSG_WAITALL)
        if len(said) < size:
            raise AssertionError("the process that starts others died")
        return said


class Warm:
    """The process that forks, and the socket to it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self.env = _at_import(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
        )
        theirs.close()
        atexit.register(self._ours.close)

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a start with this environment would have imported the same."""
        return _at_import(env) == self.env

    def start(self, argv: list[str], cwd: Path, env: Mapping[str, str], stdin: bool) -> Forked:
        """`git orch ARGV` in `cwd`; `stdin` says whether there is a pipe to write to, otherwise it is empty."""
        reply, theirs = socket.socketpair()
        out, err = os.pipe(), os.pipe()
        source = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), -1)
        sent = [source[0], out[1], err[1], theirs.fileno()]
        socket.send_fds(self._ours, [b"+"], sent)
        for fd in sent[:3]:
            os.close(fd)
        theirs.close()
        reply.sendall(json.dumps([argv, str(cwd), dict(env)]).encode() + b"\n")
        writer = os.fdopen(source[1], "wb") if stdin else None
        return Forked(reply, writer, os.fdopen(out[0], "rb"), os.fdopen(err[0], "rb"))


_WARM: list[Warm] = []


def warm_start(argv: list[str], cwd: Path, env: Mapping[str, str], stdin: bool) -> Forked | None:
    """A warm start, or None where it would not be the same as a start of its own."""
    if PLAIN or sys.platform != "linux":
        return None
    if not _WARM:
        _WARM.append(Warm())
    return _WARM[0].start(argv, cwd, env, stdin) if _WARM[0].fits(env) else None


def _serve(control: socket.socket) -> None:
    """Fork a supervisor for each request, until nobody is there to ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        word, fds, _, _ = socket.recv_fds(control, 1, 4)
        if not word:
            return
        if os.fork() == 0:
            control.close()
            _supervise(fds)
            os._exit(0)
        for fd in fds:
            os.close(fd)


def _supervise(fds: list[int]) -> None:
    """Start the command, which says its pid; then say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    reply = socket.socket(fileno=fds[3])
    with reply.makefile("rb") as request:
        argv, cwd, env = json.loads(request.readline())
    pid = os.fork()
    if pid == 0:
        os.setsid()
        # Not before it leads its group: who hears of it may kill that group at once.
        reply.sendall(b"%12d" % os.getpid())
        reply.close()
        _become(argv, cwd, env, fds[:3])
    for fd in fds[:3]:
        os.close(fd)
    status = os.waitpid(pid, 0)[1]
    reply.sendall(b"%12d" % status)


def _become(argv: list[str], cwd: str, env: dict[str, str], fds: list[int]) -> None:
    """Be `git orch ARGV`. Does not return."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for fd, source in enumerate(fds):
        os.dup2(source, fd)
        os.close(source)
    out = sys.stdout
    sys.stdin = os.fdopen(0, encoding=out.encoding, errors=out.errors, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=out.encoding, errors=out.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding=out.encoding, errors="backslashreplace", closefd=False, buffering=1)
    sys.argv = ["git-orch", *argv]
    status = 1
    try:
        from gitorch.__main__ import main
        from gitorch.shell import crash

        crash.read_environment()
        status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except OSError:
        status = 120
    os._exit(status)


def _import_all() -> None:
    from importlib import import_module

    import pygit2  # noqa: F401

    from gitorch.cli.table import COMMANDS

    import_module("gitorch.cli.app")
    for command in COMMANDS:
        import_module(command.module)
    for module in sorted(Path("gitorch").rglob("*.py")):
        if module.stem not in ("__main__", "__init__"):
            import_module(".".join(module.with_suffix("").parts))


if __name__ == "__main__":
    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
