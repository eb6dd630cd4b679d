"""A clone on a machine, and the rest of the world that the engine sees: clocks, random numbers, remembered tokens,
configuration, gates, and worktrees for commands. What is in a clone survives its processes; what a process has does
not survive it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gitorch.core.errors import RefusedError
from gitorch.core.gates import GateEnd, GateRequest, GateResult
from gitorch.core.lease import token_digest
from gitorch.core.model import JobId, Oid, Verdict
from gitorch.core.settings import Entry, Settings
from gitorch.engine.world import World
from gitorch.ports import KeptToken
from sim.commits import GATE_FILE, Commits, SimHistory
from sim.kernel import Machine, Process
from sim.remote import SimRemote, SimStore

FIRST_MS = 1_700_000_000_000


@dataclass(slots=True)
class Truth:
    """What really happened, for the checkers: who may use which token, and what gates said of which trees."""

    tokens: dict[str, str] = field(default_factory=dict)
    """Digest of a token to the clone that made it."""
    ran: dict[tuple[Oid, Oid], set[bool]] = field(default_factory=dict)
    """(tree, gate) to what runs of it said."""
    gates: dict[str, str] = field(default_factory=dict)
    """Clones that have a gate of their own (`git config orch.gate`), and what it is."""


@dataclass(slots=True, eq=False)
class Clone:
    """A clone and its files."""

    name: str
    machine: Machine
    remote: SimRemote
    commits: Commits
    truth: Truth
    branches: dict[str, Oid] = field(default_factory=dict)
    tokens: dict[str, tuple[KeptToken, ...]] = field(default_factory=dict)
    claims: dict[JobId, list[str]] = field(default_factory=dict)
    verdicts: dict[tuple[Oid, Oid], Verdict] = field(default_factory=dict)
    seen: dict[str, tuple[Oid, int, float]] = field(default_factory=dict)
    inside: dict[str, Process] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    number: int = 0

    def world(self, process: Process) -> World:
        """What a command that runs here is given."""
        clock = SimClock(process)
        store = SimStore(self.remote, process, f"{self.name} <{self.name}@example.org>")
        history = SimHistory(self.commits, self.branches, process.effect)
        return World(
            store=store,
            history=history,
            catch_up=history,
            gates=SimGates(self, process),
            policy=SimPolicy(self.commits, self.truth.gates.get(self.name)),
            memory=SimMemory(self, process, clock),
            checkouts=NoCheckouts(),
            clock=clock,
            random=SimRandom(self, process),
            reporter=SimReporter(self),
            namespace=self.remote.namespace,
            holder=f"{self.name} on {self.machine.name}",
        )


class SimClock:
    """Implements ports.Clock: the time of people jumps, the time since boot drifts."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now_ms(self) -> int:
        machine = self._process.machine
        return FIRST_MS + machine.wall_offset_ms + int(self._process.kernel.now_s * 1000)

    def boot_s(self) -> float:
        return self._process.kernel.now_s * self._process.machine.rate

    def boot_id(self) -> str:
        return f"{self._process.machine.name}-{self._process.machine.boot}"

    def sleep(self, seconds: float) -> None:
        self._process.effect(max(0.001, seconds / self._process.machine.rate))


class SimRandom:
    """Implements ports.Random. Tokens are remembered, so that checkers know whose they are."""

    def __init__(self, clone: Clone, process: Process) -> None:
        self._clone = clone
        self._random = process.kernel.random

    def token(self) -> str:
        token = f"{self._random.getrandbits(128):032x}"
        self._clone.truth.tokens[token_digest(token)] = self._clone.name
        return token

    def short_id(self) -> str:
        # Ids collide now and then, as they would among millions; with live jobs, since nobody looks into the archive.
        names = self._clone.remote.namespace
        taken = [name for name in self._clone.remote.refs if name.startswith(f"{names.root}/jobs/")]
        if taken and self._random.random() < 0.05:
            return self._random.choice(taken).rsplit("/", 1)[1]
        return "".join(self._random.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(7))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class SimMemory:
    """Implements ports.Memory on the clone's files."""

    def __init__(self, clone: Clone, process: Process, clock: SimClock) -> None:
        self._clone = clone
        self._process = process
        self._clock = clock

    def unchanged_s(self, ref: str, oid: Oid) -> float:
        boot, now_s = self._process.machine.boot, self._clock.boot_s()
        before = self._clone.seen.get(ref)
        if before is None or before[:2] != (oid, boot):
            self._clone.seen[ref] = (oid, boot, now_s)
            return 0.0
        return now_s - before[2]

    def verdict(self, tree: Oid, gate: Oid) -> Verdict | None:
        return self._clone.verdicts.get((tree, gate))

    def keep_verdict(self, verdict: Verdict) -> None:
        self._process.effect()
        self._clone.verdicts[verdict.tree, verdict.gate] = verdict

    def enter(self, target: str) -> bool:
        inside = self._clone.inside.get(target)
        if inside is not None and inside is not self._process and not (inside.dead or inside.ended):
            return False
        self._clone.inside[target] = self._process
        return True

    def tokens(self, target: str) -> tuple[KeptToken, ...]:
        return self._clone.tokens.get(target, ())

    def keep_token(self, target: str, token: KeptToken) -> bool:
        self._process.effect()
        self._clone.tokens[target] = (*self.tokens(target), token)[-8:]
        return True

    def forget_tokens(self, target: str) -> None:
        self._process.effect()
        self._clone.tokens.pop(target, None)

    def claims(self) -> Mapping[JobId, tuple[str, ...]]:
        return {job: tuple(tokens) for job, tokens in self._clone.claims.items()}

    def keep_claim(self, job: JobId, token: str) -> bool:
        self._process.effect()
        self._clone.claims.setdefault(job, []).append(token)
        return True

    def forget_claim(self, job: JobId, token: str | None = None) -> None:
        self._process.effect()
        left = [kept for kept in self._clone.claims.get(job, []) if token is not None and kept != token]
        if left:
            self._clone.claims[job] = left
        else:
            self._clone.claims.pop(job, None)


class SimPolicy:
    """Implements ports.Policy: the gate is what the target's own `.gitorch` says."""

    def __init__(self, commits: Commits, own_gate: str | None) -> None:
        """`own_gate` is what the clone itself configures, and overrides that."""
        self._commits = commits
        self._local = {"orch.gate": [Entry(own_gate, ".git/config")]} if own_gate is not None else {}

    def settings(self, target: str, tip: Oid | None) -> Settings:
        words = "" if tip is None else self._commits.of(tip).files.get(GATE_FILE, "")
        values = dict(word.split("=", 1) for word in words.split() if "=" in word)
        return Settings(
            local=self._local,
            shared={f"orch.{k}".lower(): [Entry(v, f"{GATE_FILE} of {target}")] for k, v in values.items()},
        )


class NoCheckouts:
    """Implements ports.Checkouts where nothing is checked out."""

    def obstacle(self, target: str) -> RefusedError | None:
        del target
        return None

    def in_the_way(self, target: str, base: Oid, candidate: Oid) -> RefusedError | None:
        del target, base, candidate
        return None

    def may_move(self, branch: str) -> bool:
        del branch
        return True


class SimReporter:
    """Implements ports.Reporter; keeps the last lines, for whoever looks into a failure."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone

    def say(self, text: str) -> None:
        self._clone.said = [*self._clone.said[-30:], f"{self._clone.remote.kernel.now_s:.2f} {text}"]


class SimGates:
    """Implements ports.GateRunner: a run takes from no time to longer than leases live, and flaky ones lie."""

    def __init__(self, clone: Clone, process: Process) -> None:
        self._clone = clone
        self._process = process

    def run(self, request: GateRequest, tick: Callable[[float], bool]) -> GateResult:
        kernel = self._process.kernel
        takes_s = kernel.random.choice((0.0, 1.0, 20.0, 70.0, 400.0)) * kernel.random.uniform(0.5, 1.5)
        passed_s = 0.0
        while passed_s < takes_s:
            piece_s = min(takes_s - passed_s, kernel.random.uniform(1.0, 12.0))
            self._process.effect(piece_s)
            passed_s += piece_s
            if not tick(passed_s):
                return GateResult(end=GateEnd.STOPPED, seconds=passed_s, reason="stopped")
        lies = kernel.random.random() < kernel.faults.flaky
        green = self._clone.commits.trees[request.tree].sound != lies
        self._clone.truth.ran.setdefault((request.tree, request.gate.digest), set()).add(green)
        end = GateEnd.GREEN if green else GateEnd.RED
        return GateResult(end=end, seconds=passed_s, reason="" if green else "the check fails")
