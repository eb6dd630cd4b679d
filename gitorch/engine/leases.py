"""Leases by hand: acquire, renew, release, break. The same rules as for a lander, and the same trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gitorch.core.errors import UsageError
from gitorch.core.lease import LeaseEvent, token_digest
from gitorch.core.model import Lease, Seen, Snapshot
from gitorch.core.observation import advance
from gitorch.core.plan import plan_release, plan_renew
from gitorch.core.writes import OutcomeKind, Plan
from gitorch.engine.exchange import MAX_ROUNDS, exchange, pause, require_readable, too_busy
from gitorch.engine.hold import Busy, Hold, Taken
from gitorch.engine.world import World


class LeaseEnd(Enum):
    DONE = "done"
    BUSY = "busy"
    LOST = "lost"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class LeaseResult:
    """What became of a lease command. `lease` is the lease after it, or as it stands in the way."""

    end: LeaseEnd
    lease: Lease | None
    dead_in_s: float = 0.0


def acquire(world: World, hold: Hold, reason: str | None = None) -> LeaseResult:
    """Take the lease by hand; it stays held when the command ends, for one TTL."""
    for _ in range(MAX_ROUNDS):
        snapshot = world.store.observe({hold.target})
        busy = hold.judge(snapshot, None)
        if isinstance(busy, Busy):
            return LeaseResult(LeaseEnd.BUSY, busy.lease, busy.dead_in_s)
        ttl_s = world.policy.settings(hold.target, snapshot.tip(hold.target)).lease_ttl_s
        if hold.take(snapshot, ttl_s, reason=reason) is Taken.HELD and hold.held:
            return LeaseResult(LeaseEnd.DONE, hold.held.record)
        pause(world)
    raise too_busy(hold.detail)


def renew(world: World, target: str, given: str | None = None) -> LeaseResult:
    """Show that the holder lives, by the token that is given or one that this worktree keeps. LOST when somebody else
    holds the lease, FREE when nobody does."""
    return _with_token(world, target, given, lambda seen: plan_renew(world.context(), seen)[0])


def release(world: World, target: str, given: str | None = None, reason: str | None = None) -> LeaseResult:
    """Give the lease up, likewise."""
    result = _with_token(world, target, given, lambda seen: plan_release(world.context(), seen, reason=reason)[0])
    if result.end is LeaseEnd.DONE:
        world.memory.forget_tokens(target)
    return result


def break_lease(world: World, target: str, reason: str) -> LeaseResult:
    """Free somebody else's lease, with a trace of who and why. Its holder, if it lives, is fenced: it can change
    nothing any more (I5)."""
    return _change(
        world, target, lambda seen: plan_release(world.context(), seen, reason=reason, event=LeaseEvent.BREAK)[0]
    )


def _with_token(world: World, target: str, given: str | None, plan: Callable[[Seen[Lease]], Plan]) -> LeaseResult:
    tokens = [given] if given is not None else [kept.token for kept in world.memory.tokens(target)]
    if not tokens:
        raise UsageError(
            f"no token for the lease of {target} is known in this worktree",
            hint=f"git orch lease show {target} (the token is in ORCH_TOKEN, or kept where the lease was taken)",
        )

    ours = frozenset(map(token_digest, tokens))

    def decide(seen: Seen[Lease]) -> Plan | LeaseResult:
        if seen.record.token not in ours:
            return LeaseResult(LeaseEnd.LOST, seen.record)
        return plan(seen)

    return _change(world, target, decide)


def _change(world: World, target: str, decide: Callable[[Seen[Lease]], Plan | LeaseResult]) -> LeaseResult:
    def look(snapshot: Snapshot) -> Plan | LeaseResult:
        require_readable(snapshot, world.namespace.lease(target), f"the lease of {target}")
        seen = snapshot.leases.get(target)
        if seen is None or not seen.record.held:
            return LeaseResult(LeaseEnd.FREE, seen.record if seen else None)
        return decide(seen)

    snapshot, decision, outcome = exchange(world, (), look)
    if not isinstance(decision, Plan):
        return decision
    assert outcome is not None and outcome.kind is OutcomeKind.PUBLISHED
    return LeaseResult(LeaseEnd.DONE, advance(world.namespace, snapshot, decision, outcome.oids).leases[target].record)
