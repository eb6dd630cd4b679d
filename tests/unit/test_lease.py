"""Who may act on a lease. A failure here robs a live holder, or lets a dead one block everybody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.lease import (
    MARGIN,
    RENEWALS_PER_TTL,
    Standing,
    acquired,
    dead_in_s,
    released,
    renewal_due_s,
    same_hands,
    standing,
    token_digest,
)
from gitorch.core.model import TOKEN, Lease, Seen
from tests.records import TIME_MS, TIMES, a_lease, leases, oid

MINE = "my token"
HELD = a_lease(token=token_digest(MINE), ttl_s=300)
WAITED = st.floats(0, 1e9, allow_nan=False)


def taken(before: Lease | None, now_ms: int = TIME_MS) -> Lease:
    return acquired(before, target="main", holder="bob", token="bob's", ttl_s=60, now_ms=now_ms)


def test_a_lease_that_nobody_ever_took_and_one_that_was_given_up_are_free() -> None:
    assert standing(None, token=None, unchanged_s=0) is Standing.FREE
    assert standing(released(HELD, now_ms=0), token=None, unchanged_s=0) is Standing.FREE
    assert standing(released(HELD, now_ms=0), token=MINE, unchanged_s=0) is Standing.FREE


def test_a_lease_is_mine_for_as_long_as_my_token_is_in_it_however_long_it_was_silent() -> None:
    for unchanged_s in (0.0, 1e9):
        assert standing(HELD, token=MINE, unchanged_s=unchanged_s) is Standing.MINE


@pytest.mark.parametrize("token", [None, "", "another", HELD.token])
def test_a_lease_of_another_is_busy_until_it_was_seen_unchanged_for_its_ttl_and_a_margin(token: str | None) -> None:
    assert standing(HELD, token=token, unchanged_s=0) is Standing.BUSY
    assert standing(HELD, token=token, unchanged_s=300 * MARGIN - 0.1) is Standing.BUSY
    assert standing(HELD, token=token, unchanged_s=300 * MARGIN) is Standing.DEAD


@given(leases(), TIMES, TIMES, WAITED, st.one_of(st.none(), st.text(max_size=5)))
def test_no_time_that_a_record_claims_ever_matters(
    lease: Lease, since_ms: int, updated_ms: int, unchanged_s: float, token: str | None
) -> None:
    other = replace(lease, since_ms=since_ms, updated_ms=updated_ms)
    assert standing(lease, token=token, unchanged_s=unchanged_s) is standing(
        other, token=token, unchanged_s=unchanged_s
    )
    assert dead_in_s(lease, unchanged_s) == dead_in_s(other, unchanged_s)


@given(leases(), WAITED)
def test_a_lease_is_dead_exactly_when_nothing_is_left_to_wait_for(lease: Lease, unchanged_s: float) -> None:
    if lease.held:
        dead = standing(lease, token=None, unchanged_s=unchanged_s) is Standing.DEAD
        assert dead == (dead_in_s(lease, unchanged_s) == 0)


def test_what_is_left_to_wait_for_is_the_rest_of_the_ttl_and_a_fifth() -> None:
    assert dead_in_s(replace(HELD, ttl_s=100), 20.0) == pytest.approx(100.0)
    assert dead_in_s(replace(HELD, ttl_s=100), 500.0) == 0.0


@given(leases(), WAITED, WAITED)
def test_a_dead_lease_stays_dead_until_it_changes(lease: Lease, one_s: float, more_s: float) -> None:
    if standing(lease, token=None, unchanged_s=one_s) is Standing.DEAD:
        assert standing(lease, token=None, unchanged_s=one_s + more_s) is Standing.DEAD


@given(st.integers(1, 31_536_000))
def test_a_holder_that_renews_when_due_may_miss_a_renewal_and_is_not_taken_for_dead(ttl_s: int) -> None:
    lease = replace(HELD, ttl_s=ttl_s)
    assert standing(lease, token=None, unchanged_s=2 * renewal_due_s(ttl_s)) is Standing.BUSY
    assert renewal_due_s(ttl_s) * RENEWALS_PER_TTL == pytest.approx(ttl_s)


@given(st.lists(st.sampled_from(["take", "release"]), max_size=20))
def test_the_epoch_rises_with_every_change_of_hands_and_never_falls(events: list[str]) -> None:
    lease: Lease | None = None
    for event in events:
        before = 0 if lease is None else lease.epoch
        if event == "take":
            lease = taken(lease)
            assert lease.epoch == before + 1
        elif lease is not None:
            lease = released(lease, now_ms=TIME_MS)
            assert lease.epoch == before


def test_a_lease_in_new_hands_keeps_nothing_of_the_old_ones_but_what_it_does_not_know() -> None:
    before = a_lease(job="fix", candidate=oid(1), tree=oid(2), reason="busy", extra=(("Later", "1"),))
    lease = taken(before, now_ms=TIME_MS + 7)
    assert (lease.holder, lease.token, lease.epoch) == ("bob", token_digest("bob's"), 8)
    assert (lease.job, lease.candidate, lease.tree, lease.reason) == (None, None, None, None)
    assert (lease.since_ms, lease.updated_ms, lease.ttl_s) == (TIME_MS + 7, TIME_MS + 7, 60)
    assert lease.extra == (("Later", "1"),)


def test_a_released_lease_has_no_holder_and_shows_what_was_done_under_it() -> None:
    lease = released(a_lease(candidate=oid(1), job="fix"), now_ms=TIME_MS, reason="done")
    assert (lease.held, lease.holder, lease.token) == (False, None, None)
    assert (lease.candidate, lease.job, lease.reason, lease.epoch) == (oid(1), "fix", "done", 7)


def test_the_record_shows_a_digest_of_the_token_and_never_the_token() -> None:
    digest = token_digest(MINE)
    assert TOKEN.fullmatch(digest)
    assert MINE not in digest
    assert token_digest("a") != token_digest("b")
    # What a record shows is of no use to whoever reads it.
    assert standing(HELD, token=digest, unchanged_s=0) is Standing.BUSY


def test_hands_are_the_same_only_while_the_very_event_stands() -> None:
    mine = Seen(oid(1), HELD)
    assert same_hands(mine, Seen(oid(1), HELD))
    assert not same_hands(mine, Seen(oid(2), HELD))
    assert not same_hands(mine, None)
    assert not same_hands(None, mine)
    assert not same_hands(None, None)
