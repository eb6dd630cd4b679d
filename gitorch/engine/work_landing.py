"""Landing as one of the things a worker does: while a gate runs its claims stay alive, and what cannot land now is not
tried again at once."""

from __future__ import annotations

from collections.abc import Callable

from gitorch.core.errors import OrchError, UnreachableError
from gitorch.core.gates import GateRequest, GateResult
from gitorch.core.model import Snapshot
from gitorch.core.queue import to_land
from gitorch.engine.land import LandEnd, LandResult
from gitorch.engine.world import World
from gitorch.ports import GateRunner

Landing = Callable[[Callable[[LandResult], None]], object]
"""Lands what is ready, and tells of each attempt as it ends."""

FIRST_PAUSE_S = 0.5
PAUSE_LIMIT_S = 300.0

MOVED = frozenset({LandEnd.LANDED, LandEnd.ALREADY, LandEnd.CONFLICT, LandEnd.RED})
"""Ends after which the queue is not what it was."""


class PumpedGates:
    """ports.GateRunner: runs gates as `inner` does, and `pump` all the while."""

    def __init__(self, inner: GateRunner) -> None:
        self._inner = inner
        self.pump: Callable[[], None] = lambda: None

    def run(self, request: GateRequest, tick: Callable[[float], bool]) -> GateResult:
        """See ports.GateRunner."""

        def both(seconds: float) -> bool:
            self.pump()
            return tick(seconds)

        return self._inner.run(request, both)


class Landings:
    """When a worker lands. `strict`: what stops a landing is raised, and not only said."""

    def __init__(self, world: World, target: str, land: Landing, *, poll_s: float, strict: bool) -> None:
        self._world = world
        self._target = target
        self._land = land
        self._poll_s = poll_s
        self._strict = strict
        self._tried: object = None
        self._pause_s = FIRST_PAUSE_S
        self._at_s = 0.0
        self._busy = False
        self._moved = 0
        self.going_on = False

    def soon(self) -> None:
        """Something has changed: the next look may try again."""
        self._at_s = 0.0

    def land(self, snapshot: Snapshot, told: Callable[[LandResult], None]) -> bool:
        """Land what is ready; `told` hears of each attempt. Whether anything changed by that."""
        ready = to_land(snapshot, self._target, missing_holds=self._world.missing_holds)
        wanted = tuple((seen.record.id, seen.record.head) for seen in ready)
        if self.going_on or not ready or (wanted == self._tried and self._world.clock.boot_s() < self._at_s):
            return False
        before, self.going_on, self._busy = self._moved, True, False
        try:
            self._land(lambda result: self._ended(result, told))
        except UnreachableError:
            raise
        except OrchError as problem:
            # A dirty checkout, no gate, no permission: a worker that goes on has other things to do.
            if self._strict:
                raise
            self._world.reporter.say(f"nothing can land now: {problem.message}")
        finally:
            self.going_on = False
        if self._moved > before:
            self._pause_s = FIRST_PAUSE_S
            return True
        # Busy, or red through nobody's fault: while nothing changes, that is tried again after a pause that grows.
        self._pause_s = min(self._pause_s * 2, self._poll_s if self._busy else PAUSE_LIMIT_S)
        self._tried, self._at_s = wanted, self._world.clock.boot_s() + self._pause_s
        return False

    def _ended(self, result: LandResult, told: Callable[[LandResult], None]) -> None:
        self._busy = result.end in (LandEnd.BUSY, LandEnd.LOST)
        self._moved += result.end in MOVED
        if not self._busy:
            because = f": {result.reason}" if result.reason else ""
            self._world.reporter.say(f"job {result.job.id}: {result.end.value}{because}")
        told(result)
