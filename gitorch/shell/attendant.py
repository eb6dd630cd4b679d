"""Waiting for a gate without falling silent: while something goes on elsewhere, the caller's tick is called.

Promises: the end of what is waited for is noticed at once, not at the next tick; ticks come at least five times a
second unless the tick itself takes longer; they always come from the thread that waits.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from enum import Enum

BEAT_S = 0.1
"""How often the tick is called."""

Tick = Callable[[float], bool]
"""Gets the seconds so far; False asks to stop."""


class Wait(Enum):
    """How waiting ended."""

    OVER = "over"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"


class Attendant:
    """Waits for something that goes on elsewhere, and meanwhile ticks and shows the time."""

    def __init__(self, tick: Tick, beat: Callable[[], None]) -> None:
        self._tick = tick
        self._beat = beat
        self._started = time.monotonic()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def wait(self, event: threading.Event, until: float = math.inf) -> Wait:
        """Until `event` is set, `tick` answers False, or time.monotonic() reaches `until`."""
        while not event.wait(min(BEAT_S, max(0.0, until - time.monotonic()))):
            if not self._tick(self.elapsed_s()):
                return Wait.STOPPED
            if time.monotonic() >= until:
                return Wait.TIMED_OUT
            self._beat()
        return Wait.OVER

    def during(self, work: Callable[[], str]) -> str | None:
        """The answer of `work`, done in a thread, or None when we were stopped. Returns only when `work` has ended."""
        task = _Task(work)
        task.start()
        try:
            how = self.wait(task.done)
        finally:
            task.done.wait()
        return None if how is Wait.STOPPED else task.answer()


class _Task(threading.Thread):
    """Work that may block, in a thread of its own."""

    def __init__(self, work: Callable[[], str]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._answer = ""
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            self._answer = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self.done.set()

    def answer(self) -> str:
        if self._error is not None:
            raise self._error
        return self._answer
