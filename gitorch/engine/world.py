"""Everything an engine loop is given: no loop reaches for a clock, a random number or a process of its own accord."""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.core.names import Namespace
from gitorch.core.plan import Context
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
)


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
    missing_holds: bool = False
    """Whether a dependency that cannot be found holds a job back (orch.missingDependency = closed)."""

    def context(self, *, max_attempts: int = 0) -> Context:
        """A fresh context: the time, and a nonce that no other plan has."""
        return Context(
            namespace=self.namespace,
            now_ms=self.clock.now_ms(),
            nonce=self.random.token(),
            max_attempts=max_attempts,
        )
