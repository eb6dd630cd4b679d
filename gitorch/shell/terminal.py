"""What people see while they wait: colour, the standard streams, and one line that says what runs and for how long.

Promises: a reader that went away (a closed pipe, a closed terminal) never turns into a traceback, a stopped terminal
(Ctrl-S) never stops the caller of `beat`, and nothing but a gate's own output reaches a terminal unescaped. Does not
decide what is worth saying, and keeps nothing.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

from gitorch.core.text import columns, duration, escape, one_line, shorten

REDRAW_S = 0.2
PLAIN_EVERY_S = 60.0

QUIET_BEFORE_BREAK_S = 2.0
"""A gate that prints dots keeps its line to itself; after so much silence the status line comes back below it."""

PATIENCE_S = 1.0
"""How long a line of ours waits for a reader that stands still, before it is left out."""

_PLAIN_LIMIT = 400
_ERASE_LINE = b"\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Style:
    """Colours words, or leaves them as they are. The text must be escaped already."""

    colour: bool = False

    def green(self, text: str) -> str:
        return self._wrap("32", text)

    def red(self, text: str) -> str:
        return self._wrap("31", text)

    def yellow(self, text: str) -> str:
        return self._wrap("33", text)

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        return self._wrap("2", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if self.colour and text else text


PLAIN = Style()


def wants_colour(
    environ: Mapping[str, str],
    *,
    terminal: bool,
    flag: str | None = None,
    orch: str | None = None,
    ui: str | None = None,
) -> bool:
    """Whether to colour: `NO_COLOR`, then the flag, `color.orch`, `color.ui`, and last whether it goes to a terminal.
    The words are those of git (`always`, `never`, `auto`, booleans); an unknown one says nothing."""
    if environ.get("NO_COLOR"):
        return False
    for word in (flag, orch, ui):
        match (word or "").lower():
            case "always":
                return True
            case "never" | "false" | "no" | "off" | "0":
                return False
            case "auto" | "true" | "yes" | "on" | "1":
                return terminal
    return terminal


def is_terminal(fd: int, environ: Mapping[str, str]) -> bool:
    """Whether `fd` is a terminal that can erase a line."""
    try:
        return os.isatty(fd) and environ.get("TERM", "dumb") != "dumb"
    except OSError:
        return False


def prepare_streams() -> None:
    """Once, at the start of the program: closed standard streams lead nowhere (otherwise the next file that is opened
    would become standard output), and text that the terminal's encoding lacks is escaped instead of an error."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number, which is `fd` because we go upwards.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence(stream: TextIO) -> None:
    """Lead a stream whose reader went away nowhere, together with what it still holds: the interpreter would try to
    write that at its exit, and print a warning."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class Progress:
    """Says on `fd` what runs, for how long, and passes a gate's output through.

    On a terminal: a status line, redrawn at most five times a second, which gives way to output and comes back below
    it. Elsewhere: a line at the start and one a minute. Everywhere: a last line, where one is given. `begin`, `beat`
    and `end` belong to one thread, `output` may come from another. `now` counts seconds and never goes back."""

    def __init__(
        self,
        fd: int,
        *,
        terminal: bool,
        now: Callable[[], float],
        style: Style = PLAIN,
        echo: bool = True,
        encoding: str = "utf-8",
    ) -> None:
        self._fd = fd
        self._terminal = terminal
        self._now = now
        self._style = style
        self._echo = echo
        self._encoding = encoding
        self._lock = threading.Lock()
        self._gone = False
        self._drawn = False
        self._fresh_line = True
        self._last_output = self._last_drawn = self._begun = self._next_plain = now()
        self._what: str | None = None
        self._note = ""

    def begin(self, what: str, note: str = "") -> None:
        """`what` runs from now on, instead of anything begun before."""
        self._what, self._note = one_line(what, _PLAIN_LIMIT, "working"), escape(note)
        self._begun = self._now()
        self._next_plain = self._begun + PLAIN_EVERY_S
        if self._terminal:
            self._draw()
        else:
            self._plain(f"{self._what}  {self._note}".rstrip())

    def beat(self) -> None:
        """Called often while it runs: does nothing when nothing is due, and never waits long for the reader."""
        now = self._now()
        if self._what is None:
            return
        if self._terminal and now - self._last_drawn >= REDRAW_S:
            self._draw()
        elif not self._terminal and now >= self._next_plain:
            elapsed = now - self._begun
            self._next_plain = now + PLAIN_EVERY_S - elapsed % PLAIN_EVERY_S
            self._plain(f"{self._what}: still running after {duration(elapsed)}")

    def output(self, data: bytes) -> None:
        """Pass on bytes of the gate as they are. Blocks as long as whoever reads them does."""
        if not self._echo or not data:
            return
        with self._lock:
            self._erase()
            self._write(data)
            self._fresh_line = data.endswith((b"\n", b"\r"))
            self._last_output = self._now()

    def end(self, summary: str = "") -> None:
        """Nothing runs any more. `summary` stays as a line of its own."""
        self._what = None
        if summary:
            self._plain(one_line(summary, _PLAIN_LIMIT))
        else:
            self._put(b"", wait_s=PATIENCE_S)

    def _plain(self, line: str) -> None:
        self._put(line.encode(self._encoding, "replace") + b"\n", wait_s=PATIENCE_S)

    def _draw(self) -> None:
        now = self._now()
        if not self._fresh_line and now - self._last_output < QUIET_BEFORE_BREAK_S:
            return
        self._last_drawn = now
        line = self._status(duration(now - self._begun), self._width() - 1)
        self._put(_ERASE_LINE + line.encode(self._encoding, "replace"), wait_s=0.0, status=True)

    def _status(self, elapsed: str, width: int) -> str:
        """`gate: make test  1m05s  job abc123`; where that is too wide the first part gives way, then all of it."""
        tail = f"  {elapsed}" + (f"  {self._note}" if self._note else "")
        room = width - columns(tail)
        if room < 8:
            return shorten(f"{self._what}{tail}", width)
        return shorten(self._what or "", room) + f"  {elapsed}" + self._style.dim(tail[len(elapsed) + 2 :])

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._fd).columns or 80
        except OSError:
            return 80

    def _put(self, data: bytes, *, wait_s: float, status: bool = False) -> None:
        """Write a line of ours, on a line of its own; leave it out when the reader does not take it within `wait_s`."""
        if not self._lock.acquire(timeout=wait_s):
            return  # output is being passed on right now, perhaps to a terminal that stands still
        try:
            if not self._ready(wait_s):
                return
            if not status:
                self._erase()
            if data:
                self._write(data if self._fresh_line else b"\n" + data)
                self._fresh_line = True
            self._drawn = status
        finally:
            self._lock.release()

    def _ready(self, wait_s: float | None) -> bool:
        """Whether a write would not block, now or within `wait_s`."""
        if not self._gone:
            try:
                return bool(select.select([], [self._fd], [], wait_s)[1])
            except (OSError, ValueError):
                self._gone = True
        return False

    def _erase(self) -> None:
        if self._drawn:
            self._write(_ERASE_LINE)
            self._drawn = False

    def _write(self, data: bytes) -> None:
        """All of it, however slowly it is taken; nothing once the reader is gone."""
        rest = memoryview(data)
        while rest and not self._gone:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody made the terminal non-blocking
                self._ready(None)
            except OSError:
                self._gone = True
