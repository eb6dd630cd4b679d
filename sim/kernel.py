"""Virtual time and processes: who runs next, and who is killed, is decided here and by one random seed.

A process is a greenlet that runs the engine's ordinary code. Whatever leaves it (a read of the remote, a push, a wait,
a file) is an *effect*, and each effect is a point at which others go on, time passes, or the process is killed. A
killed process runs its `finally` blocks like any, but nothing it still tries has an effect: as if it had not run.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """Thrown into a process that was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often things go wrong, as chances for each effect or each push; all zero is a quiet world."""

    kill: float = 0.0
    stall: float = 0.0
    stall_s: float = 400.0
    unreachable: float = 0.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    late: float = 0.0
    late_s: float = 300.0
    twice: float = 0.0
    stale: float = 0.0
    stale_s: float = 30.0
    torn: float = 0.0
    flaky: float = 0.0
    forgets: float = 0.0
    clock_jump: float = 0.0


QUIET = Faults()


@dataclass(slots=True)
class Machine:
    """A computer with a clone on it: its clocks, whether its network is cut, and its files (see sim.clone)."""

    name: str
    wall_offset_ms: int = 0
    rate: float = 1.0
    boot: int = 0
    cut_until_s: float = 0.0


@dataclass(slots=True, eq=False)
class Process:
    """One command or worker from its start to its end or death."""

    kernel: Kernel
    name: str
    machine: Machine
    dead: bool = False
    ended: bool = False
    immortal: bool = False
    when_gone: list[Callable[[], None]] = field(default_factory=list)
    greenlet: greenlet | None = None

    def effect(self, wait_s: float = 0.0) -> None:
        """One step: others may run, `wait_s` passes and perhaps more, and this process may die here."""
        kernel = self.kernel
        kernel.steps += 1
        if self.dead:
            raise Killed
        chance, faults = kernel.random.random(), kernel.faults
        if chance < faults.kill and not self.immortal:
            self.dead = True
            raise Killed
        if faults.kill <= chance < faults.kill + faults.stall:
            wait_s += kernel.random.uniform(0.0, faults.stall_s)
        if wait_s > 0.0:
            kernel.at(wait_s, self)
            kernel.hub.switch()
            if self.dead:
                raise Killed

    def kill(self) -> None:
        """kill -9, from outside: it goes no further than where it is."""
        if not self.dead and not self.ended:
            self.dead = True
            self.kernel.at(0.0, self)


class Kernel:
    """The clock, the queue of what happens next, and the random numbers of all."""

    def __init__(self, seed: int, faults: Faults = QUIET) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.now_s = 0.0
        self.steps = 0
        self.hub = getcurrent()
        self.processes: list[Process] = []
        self._queue: list[tuple[float, float, int, Process | Callable[[], None]]] = []
        self._count = 0

    def at(self, delay_s: float, what: Process | Callable[[], None]) -> None:
        """Let something happen `delay_s` from now; ties are broken at random."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_s + delay_s, self.random.random(), self._count, what))

    def spawn(self, name: str, machine: Machine, body: Callable[[Process], None], delay_s: float = 0.0) -> Process:
        """Start a process. An exception that leaves `body` ends the simulation: it is a bug, or a promise broken."""
        process = Process(self, name, machine)

        def main() -> None:
            try:
                body(process)
            except Killed:
                process.dead = True
            process.ended = True
            for gone in process.when_gone:
                gone()

        process.greenlet = greenlet(main, self.hub)
        self.processes.append(process)
        self.at(delay_s, process)
        return process

    def run(self, until_s: float, max_steps: int) -> bool:
        """Let everything happen until a moment, or for so many steps. Whether the moment was reached."""
        while self._queue and self._queue[0][0] <= until_s:
            if self.steps >= max_steps:
                return False
            self.now_s, _, _, what = heapq.heappop(self._queue)
            if not isinstance(what, Process):
                what()
            elif not what.ended:
                assert what.greenlet is not None
                what.greenlet.switch()
                if what.ended:
                    self.processes.remove(what)
        self.now_s = until_s
        return True

    def close(self) -> None:
        """Kill what still runs, so that nothing is left behind."""
        for process in list(self.processes):
            process.dead = True
            while process.greenlet:
                process.greenlet.switch()
        self.processes.clear()
