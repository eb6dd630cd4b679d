"""What a gate prints: carried away by a thread of its own, kept whole in a log within bounds, its end kept in memory.

Promises: memory and disk stay bounded whatever a gate prints; a disk that is full or a reader that went away costs
output, never the run; everything the gate wrote before it ended is in the log and in the tail. Does not interpret
anything.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gitorch.core.text import one_line
from gitorch.core.times import format_time
from gitorch.shell.crash import crash_point

KEPT_LOGS = 50
LOG_LIMIT = 64 * 1024 * 1024
TAIL_LIMIT = 64 * 1024

ABANDON_AFTER_S = 1.0

_BLOCK = 64 * 1024
_LAST_READ_LIMIT = 4 * 1024 * 1024
_HEADLINE_LIMIT = 500


class Tail:
    """The last `limit` bytes of what was added."""

    def __init__(self, limit: int = TAIL_LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def clear(self) -> None:
        self._kept.clear()

    def content(self) -> bytes:
        return bytes(self._kept[-self._limit :])


class GateLog:
    """The file with the whole output of one gate, as far as it fits: after `limit` bytes only the end is kept, in
    memory, and written behind a mark when the log is closed. A log that cannot be written is given up silently; `fault`
    says why."""

    def __init__(self, folder: Path, name: str, *, limit: int = LOG_LIMIT, tail_limit: int = TAIL_LIMIT) -> None:
        """Create `<folder>/<name>.log`, readable by the owner alone, and delete the oldest logs beyond KEPT_LOGS."""
        self._room = limit
        self._left_out = 0
        self._tail = Tail(tail_limit)
        self._fd = -1
        self.path: Path | None = None
        self.fault = ""
        try:
            self._create(folder, name)
        except OSError as error:
            self._give_up(error)
        with suppress(OSError):
            _prune(folder, KEPT_LOGS)

    def headline(self, text: str) -> None:
        """A line of ours between the output of the gate's commands."""
        self.add(b"# " + one_line(text, _HEADLINE_LIMIT).encode() + b"\n")

    def add(self, data: bytes) -> None:
        fits = data[: self._room]
        self._write(fits)
        self._room -= len(fits)
        if rest := data[len(fits) :]:
            self._left_out += len(rest)
            self._tail.add(rest)

    def close(self) -> None:
        tail = self._tail.content()
        if dropped := self._left_out - len(tail):
            self._write(f"\n# {dropped} bytes are left out here\n".encode())
        self._write(tail)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _create(self, folder: Path, name: str) -> None:
        crash_point("before log")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = folder / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            except FileExistsError:
                continue
            self.path = path
            crash_point("after log")
            return

    def _write(self, data: bytes) -> None:
        try:
            while data and self._fd >= 0:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.fault = error.strerror or str(error)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def log_name(subject: str, now_ms: int) -> str:
    """`<subject>-20260131T120000.250Z`: sorts by time within a job, and is legal on every file system."""
    return f"{subject}-{format_time(now_ms).replace('-', '').replace(':', '')}"


def _prune(folder: Path, keep: int) -> None:
    """Delete all but the `keep` logs written last. Somebody else may be doing the same."""
    with os.scandir(folder) as entries:
        logs = [entry for entry in entries if entry.name.endswith(".log")]
    if len(logs) <= keep:
        return
    logs.sort(key=lambda log: log.stat(follow_symlinks=False).st_mtime_ns)
    for log in logs[:-keep]:
        Path(log.path).unlink(missing_ok=True)


class Pump:
    """Reads a pipe in a thread of its own and hands over what it reads, until nobody can write any more or it is told
    that what is there now is all. `ended` is set then. Give `write_end` to the writer, then call `release`."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._fault: Exception | None = None
        self._finishing = threading.Event()
        self._reader, self.write_end = os.pipe()
        self._sleeper, self._waker = os.pipe()
        os.set_blocking(self._reader, False)
        self.ended = threading.Event()

    def __enter__(self) -> Pump:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self.finish()
        # Whoever takes the output may stand still (a stopped terminal); then it is left behind.
        self.ended.wait(ABANDON_AFTER_S)

    def release(self) -> None:
        """Close our own copy of the end that the writer has."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def finish(self) -> None:
        """The writers that matter are gone: take what is in the pipe and end, even if a stranger still holds it."""
        self._finishing.set()
        if self._waker >= 0:
            os.close(self._waker)
            self._waker = -1

    def check(self) -> None:
        """Raise what went wrong in the thread, if anything did."""
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            self._carry()
        finally:
            os.close(self._reader)
            os.close(self._sleeper)
            self.ended.set()

    def _carry(self) -> None:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.register(self._sleeper, select.POLLIN)
        left = _LAST_READ_LIMIT
        while left > 0:
            finishing = self._finishing.is_set()
            data = self._read()
            if data == b"" or (finishing and data is None):
                return
            if data is None:
                poll.poll()
                continue
            self._hand_over(data)
            left -= len(data) if finishing else 0

    def _read(self) -> bytes | None:
        """What is in the pipe: None for nothing at the moment, empty for nothing ever again."""
        try:
            return os.read(self._reader, _BLOCK)
        except BlockingIOError:
            return None

    def _hand_over(self, data: bytes) -> None:
        # After a fault the pipe is emptied all the same: a writer that blocks would never end.
        if self._fault is None:
            try:
                self._take(data)
            except Exception as error:
                self._fault = error
