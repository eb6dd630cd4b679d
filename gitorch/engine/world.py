"""Everything an engine loop is given: no loop reaches for a clock, a random number or a process of its own accord."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitorch.core.model import Job, Oid, Seen, Snapshot
from gitorch.core.names import Namespace
from gitorch.core.plan import Context
from gitorch.core.settings import GC_GRACE_S
from gitorch.engine.stuck import StuckWatch
from gitorch.ports import (
    CatchUp,
    Checkouts,
    Clock,
    GateRunner,
    History,
    Memory,
    Policy,
    Random,
    Reporter,
    Store,
    Trust,
)


class Anybody:
    """Implements ports.Trust where nobody need sign."""

    def distrust(self, snapshot: Snapshot, seen: Seen[Job]) -> str:
        """See ports.Trust."""
        del snapshot, seen
        return ""

    def trusted_note(self, snapshot: Snapshot, target: str, noted: Oid) -> bool:
        """See ports.Trust."""
        del snapshot, target, noted
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports, and who acts. `holder` is for people; it decides nothing."""

    store: Store
    history: History
    catch_up: CatchUp
    gates: GateRunner
    policy: Policy
    memory: Memory
    checkouts: Checkouts
    clock: Clock
    random: Random
    reporter: Reporter
    namespace: Namespace
    holder: str
    trust: Trust = field(default_factory=Anybody)
    missing_holds: bool = False
    """Whether a dependency that cannot be found holds a job back (orch.missingDependency = closed)."""
    gc_grace_s: int = GC_GRACE_S
    """How old a job must be before it is folded away (orch.gcGrace)."""

    stuck: StuckWatch = field(default_factory=StuckWatch)

    def context(self, *, max_attempts: int = 0) -> Context:
        """A fresh context: the time, and a nonce that no other plan has."""
        return Context(
            namespace=self.namespace,
            now_ms=self.clock.now_ms(),
            nonce=self.random.token(),
            max_attempts=max_attempts,
        )
