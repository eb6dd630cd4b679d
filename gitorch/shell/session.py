"""One shell command in a session of its own, that never outlives us and leaves nothing of itself behind.

Promises: when the `with` block is left, however it is left, every process of the session is dead; when we are killed
ourselves (`kill -9`), a watcher inside the session kills it. The session's number stands in a file from before the
command starts until nothing of it lives. Does not promise that about a process that leaves the session on purpose
(`setsid`): nothing portable holds one. Without /proc only the command's own process group is reached, not groups that
it made.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gitorch.core.errors import OrchError
from gitorch.shell.crash import crash_point

SHELL = "/bin/sh"
PROC = Path("/proc")

GONE_WITHIN_S = 10.0
"""How long killed processes may take to disappear; one that hangs in the kernel (a dead network disk) takes for
ever."""

# The leader of the session. Its standard input is the lifeline: the read end of a pipe whose write end only our process
# has. Nothing starts before we say "go", which we do once the session's number is on disk. A watcher waits for the end
# of the lifeline and then kills the session: what is in groups of its own (`timeout` makes one) where /proc shows it,
# in three rounds because a process can fork between a look and a kill, and last its own group, itself included. It
# ignores what asks politely, from before it exists, so that it is there to the end; and it does not have the command's
# output, which must end when the command does. The command is a child of the leader beside the watcher: a bare `wait`
# in it does not wait for the watcher, and the leader reaps both, so that no zombie is left to a container without an
# init. The leader catches what asks politely (ignoring would be inherited) and stays until the command has made up its
# mind.
_LEADER = """
exec 3<&0 </dev/null
read -r go <&3 || exit 0
trap '' HUP INT QUIT TERM
{
    cd /
    read -r end <&3
    read -r self rest </proc/self/stat
    for round in 1 2 3; do
        for stat in /proc/[0-9]*/stat; do
            read -r line <"$stat" || continue
            pid=${line%% *}
            set -- ${line##*) }
            if [ "$4" = "$$" ] && [ "$pid" != "$self" ]; then kill -9 "$pid"; fi
        done
    done
    kill -9 0
} >/dev/null 2>&1 &
watcher=$!
exec 3<&-
trap : HUP INT QUIT TERM
"$0" -c -- "$1"
status=$?
{ kill -9 "$watcher"; wait "$watcher"; } 2>/dev/null
exit "$status"
"""


class StartError(OrchError):
    """This machine could not start a command: that says nothing about the command or what it would have tested."""

    retryable = True

    def __init__(self, error: Exception, what: str) -> None:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        super().__init__(
            f"{what} could not be started: {why}",
            hint="run `git orch doctor` to see whether disk space, memory or processes ran out, then try again",
        )


class Session:
    """A running command. `exited` is set as soon as the command itself has ended, whatever it left behind."""

    def __init__(
        self,
        command: str,
        *,
        directory: Path,
        environ: Mapping[str, str],
        output: int,
        silent: threading.Event,
        number_file: Path,
        grace_s: float,
        proc: Path = PROC,
        what: str = "the gate",
    ) -> None:
        """Prepare to run `command` (`what`, to people) by `sh -c` in `directory`, standard output and error going to
        the descriptor `output`; `silent` is set by whoever reads it when nobody holds it any more. `number_file` holds
        the session's number while it lives. A command that does not end by itself gets SIGTERM and then up to
        `grace_s`."""
        self._argv = [SHELL, "-c", _LEADER, SHELL, command]
        self._directory = directory
        self._environ = dict(environ)
        self._output = output
        self._silent = silent
        self._number_file = number_file
        self._grace_s = grace_s
        self._proc = proc
        self._what = what
        self._numbered = False
        self._lifeline = -1
        self._process: subprocess.Popen[bytes] | None = None
        self.exited = threading.Event()

    def __enter__(self) -> Session:
        """Start it. Raises StartError when that is not possible: no memory, no space for the number, a NUL."""
        try:
            self._start()
        except (OSError, ValueError) as error:
            self._end()
            raise StartError(error, self._what) from error
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self.exited.is_set():
                self._ask_to_end()
        finally:
            self._end()

    @property
    def status(self) -> int:
        """How the command ended, as a shell says it: its exit status, or 128 and the signal that killed it; minus the
        signal when the whole session was killed."""
        assert self._process is not None and self._process.returncode is not None, "the command has not ended"
        return self._process.returncode

    def _start(self) -> None:
        crash_point("before gate start")
        reader, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._directory,
                env=self._environ,
                stdin=reader,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
        finally:
            os.close(reader)
        threading.Thread(target=self._await_exit, args=(self._process,), daemon=True).start()
        crash_point("before gate number")
        self._write_number(self._process.pid)
        with suppress(BrokenPipeError):  # somebody killed it already; its status says so
            os.write(self._lifeline, b"go\n")
        crash_point("after gate start")

    def _write_number(self, number: int) -> None:
        """Whole or not at all: a reader must never take half a number for another session."""
        part = self._number_file.with_name(self._number_file.name + ".part")
        try:
            part.write_text(f"{number}\n", encoding="ascii")
            part.replace(self._number_file)
            self._numbered = True
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _await_exit(self, process: subprocess.Popen[bytes]) -> None:
        if hasattr(os, "waitid"):
            # Not reaped here: while the leader is a zombie, its number cannot go to a stranger whom we would kill.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
        self.exited.set()

    def _ask_to_end(self) -> None:
        until = time.monotonic() + self._grace_s
        self._signal(signal.SIGTERM)
        if self.exited.wait(self._grace_s):
            # The command is often a shell that dies at once, while what it ran is still cleaning up.
            self._silent.wait(max(0.0, until - time.monotonic()))

    def _end(self) -> None:
        """Kill the session, reap the command, and take back the number once nothing lives. Should something interrupt
        this, the watcher does the same as soon as its lifeline ends, and the number stays for others to see."""
        try:
            if self._process is not None:
                crash_point("before gate clean-up")
                gone = self._kill()
                if self.exited.is_set():
                    self._process.wait()
                if gone and self._numbered:
                    # One that cannot be removed is harmless: whoever reads it sees that nothing of that number lives.
                    with suppress(OSError):
                        self._number_file.unlink()
                crash_point("after gate clean-up")
        finally:
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1

    def _kill(self) -> bool:
        """Kill until nothing of the session lives; False when something survives for GONE_WITHIN_S."""
        until = time.monotonic() + GONE_WITHIN_S
        pause_s = 0.0001
        self._signal_group(signal.SIGKILL)
        while self._signal(signal.SIGKILL) or not self.exited.is_set():
            if time.monotonic() > until:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)
        return True

    def _signal(self, signum: signal.Signals) -> bool:
        """Send a signal to everything in the session; whether something in it was alive."""
        assert self._process is not None
        if not (self._proc / "self").exists():
            if self.exited.is_set():
                self._process.wait()  # a zombie would count as alive
            return self._signal_group(signum)
        members = tuple(_members(self._proc, self._process.pid))
        if members:
            self._signal_group(signum)
        for pid, group in members:
            if group != self._process.pid:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signum)
        return bool(members)

    def _signal_group(self, signum: signal.Signals) -> bool:
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signum)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _members(proc: Path, session: int) -> Iterator[tuple[int, int]]:
    """The live processes of a session, each with its group. Zombies do not count: in a container without an init that
    reaps, they stay for ever."""
    for name in os.listdir(proc):  # noqa: PTH208
        if name.isdigit():
            # Asking the kernel costs a twelfth of reading a file; there may be thousands of processes.
            with suppress(OSError):
                if os.getsid(int(name)) == session and _lives(proc / name / "stat"):
                    yield int(name), os.getpgid(int(name))


def _lives(stat: Path) -> bool:
    # The name of the program stands in parentheses and may contain anything; the state follows.
    return stat.read_bytes().rpartition(b") ")[2][:1] not in b"ZXx"
