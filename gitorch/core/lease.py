"""Who may act on a lease. Liveness is judged by observation alone: how long the *observer* saw the lease unchanged
on its own clock.

No time inside a record is ever compared with anything: a holder whose clock is hours off is neither robbed nor
immortal. Being judged dead costs a live holder its lease, never its safety: what it publishes next names an old
value and is refused (I5).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum

from gitorch.core.model import Lease, Seen

MARGIN = 1.2
"""A lease is dead after TTL x MARGIN unchanged: clocks of two machines may differ in rate, and an event takes time
to be seen."""

RENEWALS_PER_TTL = 3
"""A running holder renews at a third of the TTL, so that two renewals in a row may fail."""


class Standing(Enum):
    """What a lease is to somebody who wants it."""

    FREE = "free"
    MINE = "mine"
    BUSY = "busy"
    DEAD = "dead"


def token_digest(token: str) -> str:
    """What a record says about the token of its holder: enough to recognise it, not to use it."""
    return hashlib.sha256(token.encode()).hexdigest()[:40]


def standing(lease: Lease | None, *, token: str | None, unchanged_s: float) -> Standing:
    """Judge a lease. `unchanged_s` is how long this observer has seen it at its present event."""
    if lease is None or not lease.held:
        return Standing.FREE
    if token is not None and lease.token == token_digest(token):
        return Standing.MINE
    return Standing.DEAD if unchanged_s >= lease.ttl_s * MARGIN else Standing.BUSY


def dead_in_s(lease: Lease, unchanged_s: float) -> float:
    """How much longer a lease must stay unchanged before it counts as dead."""
    return max(0.0, lease.ttl_s * MARGIN - unchanged_s)


def renewal_due_s(ttl_s: int) -> float:
    return ttl_s / RENEWALS_PER_TTL


def acquired(
    before: Lease | None,
    *,
    target: str,
    holder: str,
    token: str,
    ttl_s: int,
    now_ms: int,
    reason: str | None = None,
) -> Lease:
    """The lease in new hands: its epoch is one higher than any before."""
    return Lease(
        target=target,
        epoch=1 if before is None else before.epoch + 1,
        held=True,
        ttl_s=ttl_s,
        since_ms=now_ms,
        updated_ms=now_ms,
        holder=holder,
        token=token_digest(token),
        reason=reason,
        extra=() if before is None else before.extra,
    )


def released(before: Lease, *, now_ms: int, reason: str | None = None) -> Lease:
    """The lease in nobody's hands. Epoch, and what was landed last under it, stay readable."""
    return replace(before, held=False, holder=None, token=None, updated_ms=now_ms, since_ms=now_ms, reason=reason)


def same_hands(before: Seen[Lease] | None, now: Seen[Lease] | None) -> bool:
    """Whether a lease is still exactly the event that its holder wrote last; anything else means that the holder
    was fenced."""
    return before is not None and now is not None and before.oid == now.oid


class LeaseEvent(Enum):
    """What can happen to a lease; the value is the word in the subject and in the `Event` trailer of its commit."""

    ACQUIRE = "acquire"
    RENEW = "renew"
    VERDICT = "verdict"
    LAND = "land"
    REWORK = "rework"
    SETTLE = "settle"
    RELEASE = "release"
    BREAK = "break"
