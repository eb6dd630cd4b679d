"""One simulation: a remote, clones on machines, everybody at work while everything goes wrong; then quiet, and whatever
can land must have landed."""

from __future__ import annotations

import hashlib
import random
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from gitorch.core.model import Job, JobId, State
from gitorch.core.names import BRANCHES
from sim.checkers import BrokenPromiseError, Checker
from sim.clone import Clone, Truth
from sim.commits import GATE_FILE, Commits
from sim.kernel import QUIET, Faults, Kernel, Machine, Process
from sim.people import COMMON, RUDE, TARGETS, Command, run, work
from sim.remote import Change, SimRemote

CALM_S = 40_000.0
"""Virtual seconds after the last fault until everything that can land must have landed."""

SETTLE_STEPS = 400_000


@dataclass(frozen=True, slots=True)
class Report:
    """What one seed did. `trace` is the same for the same seed and code."""

    seed: int
    steps: int
    changes: int
    virtual_s: float
    jobs: Mapping[str, int]
    killed: int
    trace: str


def faults_of(seed: int) -> Faults:
    """A weather for a seed: some seeds have one kind of trouble in plenty, some have a little of all."""
    chance = random.Random(f"faults {seed}")

    def pick(high: float) -> float:
        return chance.choice((0.0, high / 10, high))

    return Faults(
        kill=pick(0.01),
        stall=pick(0.004),
        unreachable=pick(0.03),
        lost_request=pick(0.05),
        lost_answer=pick(0.1),
        late=pick(0.05),
        twice=pick(0.05),
        stale=pick(0.1),
        torn=pick(0.3),
        flaky=pick(0.1),
        forgets=pick(0.1),
        clock_jump=pick(0.5),
    )


class Town:
    """A world from a seed."""

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.seed = seed
        self.kernel = Kernel(seed, faults if faults is not None else faults_of(seed))
        self.remote = SimRemote(self.kernel)
        self.commits = Commits()
        self.truth = Truth()
        chance = self.kernel.random
        # The grace of `gc` is by the clock on the wall: where pushes come late, clocks are less than its half apart.
        late = self.kernel.faults.late or self.kernel.faults.twice
        self._skew_ms = 100_000 if late else 10**10
        self.slots = chance.choice((0, 0, 0, 3))
        self._settings = f"leaseTTL=60 workerTTL=60 claimTTL=600 maxConcurrency={self.slots}"
        first = self.commits.make(None, {GATE_FILE: f"gate=check {self._settings}"}, "Begin")
        self.remote.apply({BRANCHES + target: first.oid for target in TARGETS}, None)
        self.checker = Checker(self.remote, self.commits, self.truth, frozenset(TARGETS), self.slots)
        self.remote.watchers += [self.checker, self._note]
        self.killed = 0
        self._trace = hashlib.sha1(usedforsecurity=False)
        self._calm = False
        names = [f"m{n}" for n in range(chance.choice((3, 6, 12)))]
        self.clones = [self._clone(name) for name in names]

    def _clone(self, name: str) -> Clone:
        chance = self.kernel.random
        machine = Machine(name, chance.randrange(-self._skew_ms, self._skew_ms), chance.uniform(0.99, 1.01))
        if chance.random() < 0.25:
            self.truth.gates[name] = f"own-{chance.randrange(3)}"
        return Clone(name, machine, self.remote, self.commits, self.truth)

    def _note(self, change: Change) -> None:
        for name, value in change.after.items():
            self._trace.update(f"{change.at_s:.6f} {name} {value}\n".encode())

    def live(self, steps: int) -> Report:
        """Trouble for so many steps, then calm. Raises BrokenPromiseError."""
        for clone in self.clones:
            if self.kernel.random.random() < 0.6:
                self._keep_working(clone)
            self._keep_busy(clone)
        self._weather()
        try:
            self.kernel.run(float("inf"), steps)
            self._calm_down()
            return self.report()
        finally:
            self.kernel.close()

    def report(self) -> Report:
        jobs: dict[str, int] = {}
        for job in self.jobs().values():
            jobs[job.state.value] = jobs.get(job.state.value, 0) + 1
        return Report(
            seed=self.seed,
            steps=self.kernel.steps,
            changes=self.checker.checked,
            virtual_s=self.kernel.now_s,
            jobs=dict(sorted(jobs.items())),
            killed=self.killed,
            trace=self._trace.hexdigest()[:12],
        )

    def jobs(self) -> dict[JobId, Job]:
        """All jobs that were ever accepted. Raises BrokenPromiseError when one is nowhere (I3)."""
        found: dict[JobId, Job] = {}
        for job in sorted(self.checker.born):
            seen = self.remote.job(job)
            if seen is None:
                raise BrokenPromiseError(f"I3: job {job} is nowhere")
            found[job] = seen.record
        return found

    # -- who does what, and what happens to them

    def _start(self, command: Command, clone: Clone, delay_s: float) -> Process:
        name = f"{clone.name}/{command.__name__}"
        return self.kernel.spawn(name, clone.machine, run(command, clone, self.checker), delay_s)

    def _keep_working(self, clone: Clone) -> None:
        """A worker that is started again whenever it dies."""

        def again() -> None:
            if not self._calm:
                start(self.kernel.random.uniform(1.0, 200.0))

        def start(delay_s: float) -> None:
            process = self._start(work, clone, delay_s)
            process.when_gone += [lambda: self._count(process), again]

        start(self.kernel.random.uniform(0.0, 10.0))

    def _keep_busy(self, clone: Clone) -> None:
        """People at this clone: one command after another, sometimes two at once."""
        chance = self.kernel.random
        table = COMMON + RUDE
        commands, weights = [row[0] for row in table], [row[1] for row in table]

        def start() -> None:
            if self._calm:
                return
            process = self._start(chance.choices(commands, weights)[0], clone, 0.0)
            process.when_gone.append(lambda: self._count(process))
            self.kernel.at(chance.expovariate(1 / 40.0), start)

        self.kernel.at(chance.uniform(0.0, 20.0), start)

    def _count(self, process: Process) -> None:
        self.killed += process.dead

    def _weather(self) -> None:
        """Partitions, a remote that is down, clocks that jump, machines that start anew, files that get lost."""
        chance, kernel = self.kernel.random, self.kernel
        faults = kernel.faults

        def blow() -> None:
            if self._calm:
                return
            clone = chance.choice(self.clones)
            machine = clone.machine
            if chance.random() < faults.unreachable * 10:
                machine.cut_until_s = kernel.now_s + chance.uniform(1.0, 400.0)
            if chance.random() < faults.unreachable * 3:
                self.remote.down_until_s = kernel.now_s + chance.uniform(1.0, 100.0)
            if chance.random() < faults.clock_jump:
                machine.wall_offset_ms = chance.randrange(-self._skew_ms, self._skew_ms)
            if chance.random() < faults.kill * 5:
                self._reboot(clone)
            if chance.random() < faults.forgets:
                clone.tokens.clear()
                clone.claims.clear()
                clone.verdicts.clear()
            kernel.at(chance.expovariate(1 / 60.0), blow)

        kernel.at(10.0, blow)

    def _reboot(self, clone: Clone) -> None:
        for process in self.kernel.processes:
            if process.machine is clone.machine:
                process.kill()
        clone.machine.boot += 1

    # -- the end

    def _calm_down(self) -> None:
        """No more faults; whoever lives goes on, and one worker, lander and reaper each keep at it. Then everything
        that can land must have landed, and nothing may be held."""
        self._calm = True
        self.kernel.faults = QUIET
        self.remote.down_until_s = 0.0
        for clone in self.clones:
            clone.machine.cut_until_s = 0.0
        for process in self.kernel.processes:
            # Those that stand still, or were given up by their people.
            if self.kernel.random.random() < 0.5:
                process.kill()
        carer = self._clone("carer")
        self.clones.append(carer)
        for target in TARGETS:
            self._care(carer, target)
        end_s, limit = self.kernel.now_s + CALM_S, self.kernel.steps + SETTLE_STEPS
        while self.kernel.now_s < end_s and not self._at_rest():
            if not self.kernel.run(self.kernel.now_s + 500.0, limit):
                break
        self._judge()

    def _care(self, carer: Clone, target: str) -> None:
        from sim.caring import care_for

        for command in care_for(target):
            self._repeat(carer, command)

    def _repeat(self, clone: Clone, command: Command) -> None:
        def start() -> None:
            process = self._start(command, clone, 0.0)
            process.when_gone.append(lambda: self.kernel.at(50.0, start))

        start()

    def _open(self) -> list[Job]:
        """Jobs that could still go on: not final, not failed, not waiting for what will never be done."""
        jobs = self.jobs()
        stuck: set[JobId] = {i for i, job in jobs.items() if job.state in (State.FAILED, State.CANCELLED)}
        grown = True
        while grown:
            more = {i for i, j in jobs.items() if j.state is not State.DONE and not stuck.isdisjoint(j.after)} - stuck
            stuck |= more
            grown = bool(more)
        return [job for i, job in jobs.items() if job.state is not State.DONE and i not in stuck]

    def _at_rest(self) -> bool:
        return not self._open() and not self._held()

    def _held(self) -> list[str]:
        snapshot = self.remote.snapshot(self.remote.frozen)
        leases = [f"the lease of {t} by {s.record.holder}" for t, s in snapshot.leases.items() if s.record.held]
        claims = [f"job {i} by {s.record.worker}" for i, s in snapshot.jobs.items() if s.record.state is State.CLAIMED]
        return leases + claims + [f"slot {n}" for n, s in snapshot.slots.items() if s.record.held]

    def _judge(self) -> None:
        left = self._open()
        if left:
            shown = ", ".join(f"{job.id} is {job.state.value} ({job.reason})" for job in left[:5])
            raise BrokenPromiseError(f"I7: {len(left)} jobs went no further after all faults: {shown}")
        if self._held():
            raise BrokenPromiseError(f"I7: still held after all faults: {', '.join(self._held()[:5])}")


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed that broke a promise, or met a bug."""

    seed: int
    what: str


def run_seed(seed: int, steps: int) -> Report | Failure:
    """One seed from its beginning to its end; nothing is raised."""
    try:
        return Town(seed).live(steps)
    except Exception as problem:
        where = traceback.extract_tb(problem.__traceback__)[-1]
        return Failure(seed, f"{type(problem).__name__}: {problem} ({where.name})")
