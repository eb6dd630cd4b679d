"""Where tests kill the process: a named point before and after every effect.

In production both variables are unset and a point costs one comparison. With `ORCH_TEST_TRACE=FILE` each point
appends its name to FILE, so that a test can count the points of a run; with `ORCH_TEST_KILL=N` the N-th point of
the process kills its whole process group, as `kill -9` from outside would.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_TRACE = ""
_KILL = 0
_count = 0


def read_environment() -> None:
    """Take the variables as they are now. Done at import; a process that was forked with the modules in it does so
    again."""
    global _TRACE, _KILL
    _TRACE = os.environ.get("ORCH_TEST_TRACE", "")
    _KILL = int(os.environ.get("ORCH_TEST_KILL", "0") or "0")


def crash_point(name: str) -> None:
    """Mark a moment at which a crash must do no harm."""
    if _TRACE or _KILL:
        _mark(name)


def _mark(name: str) -> None:
    global _count
    _count += 1
    if _TRACE:
        with Path(_TRACE).open("a", encoding="utf-8") as trace:
            trace.write(f"{_count} {name}\n")
    if _count == _KILL:
        os.killpg(os.getpgrp(), signal.SIGKILL)


read_environment()
