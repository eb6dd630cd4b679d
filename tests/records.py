"""Records for tests: plain ones to change a field of, and Hypothesis strategies for every legal one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from gitorch.core.model import (
    BRANCH_LIMIT,
    EPOCH_LIMIT,
    HOLDER_LIMIT,
    PRIORITY_LIMIT,
    REASON_LIMIT,
    TITLE_LIMIT,
    Color,
    Job,
    JobId,
    Lease,
    Oid,
    State,
)

TIME_MS = 1_700_000_000_000


def oid(number: int) -> Oid:
    """An object id that is easy to recognise."""
    return Oid(f"{number:040x}")


def a_job(name: str = "fix", **changes: Any) -> Job:
    """A submitted job."""
    plain = Job(
        id=JobId(name),
        title="Fix the parser",
        state=State.SUBMITTED,
        target="main",
        branch="fix-parser",
        head=oid(0xABC),
        created_ms=TIME_MS,
        updated_ms=TIME_MS,
    )
    return replace(plain, **changes)


def a_lease(**changes: Any) -> Lease:
    """A held lease on main."""
    plain = Lease(
        target="main",
        epoch=7,
        held=True,
        ttl_s=300,
        since_ms=TIME_MS,
        updated_ms=TIME_MS,
        holder="ada on host-1",
        token="0" * 40,
    )
    return replace(plain, **changes)


def lines(limit: int) -> st.SearchStrategy[str]:
    """Whatever one trailer may hold, up to its limit."""
    text = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
    long = st.integers(1, limit).map(lambda length: "x" * length)
    return st.one_of(text, text, long).map(str.strip).filter(bool)


OIDS = st.one_of(st.integers(0, 16**40 - 1).map(oid), st.integers(0, 16**64 - 1).map(lambda n: Oid(f"{n:064x}")))
UNICODE = st.characters(exclude_categories=["Cs"])
"""Any character that UTF-8 can hold."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
JOB_IDS = st.builds(
    lambda first, rest: JobId(first + rest), st.sampled_from(_LETTERS), st.text(_LETTERS + "-", max_size=63)
)
TOKENS = st.builds(lambda number, digits: f"{number:0{digits}x}", st.integers(0, 16**16 - 1), st.integers(16, 64))
TIMES = st.integers(-62_135_596_800_000, 253_402_300_799_999)
EXTRA = st.dictionaries(st.sampled_from(["X", "Later", "X-Y", "Zz9-A-B"]), lines(200), max_size=3).map(
    lambda extra: tuple(extra.items())
)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def jobs() -> st.SearchStrategy[Job]:
    """Any legal job."""
    head = st.sampled_from(State).flatmap(
        lambda state: st.tuples(st.just(state), OIDS if state is State.SUBMITTED else _maybe(OIDS))
    )
    return head.flatmap(
        lambda pair: st.builds(
            Job,
            id=JOB_IDS,
            title=lines(TITLE_LIMIT),
            state=st.just(pair[0]),
            target=lines(BRANCH_LIMIT),
            created_ms=TIMES,
            updated_ms=TIMES,
            branch=_maybe(lines(BRANCH_LIMIT)),
            head=st.just(pair[1]),
            priority=st.integers(-PRIORITY_LIMIT, PRIORITY_LIMIT),
            after=st.lists(JOB_IDS, max_size=5).map(tuple),
            attempt=st.integers(0, 1_000_000),
            worker=_maybe(lines(HOLDER_LIMIT)),
            token=_maybe(TOKENS),
            landed=_maybe(OIDS),
            reason=_maybe(lines(REASON_LIMIT)),
            extra=EXTRA,
        )
    )


def leases() -> st.SearchStrategy[Lease]:
    """Any legal lease."""
    hands = st.one_of(
        st.tuples(st.just(True), lines(HOLDER_LIMIT), TOKENS),
        st.tuples(st.just(False), _maybe(lines(HOLDER_LIMIT)), _maybe(TOKENS)),
    )
    return hands.flatmap(
        lambda hand: st.builds(
            Lease,
            target=lines(BRANCH_LIMIT),
            epoch=st.integers(1, EPOCH_LIMIT),
            held=st.just(hand[0]),
            ttl_s=st.integers(1, 31_536_000),
            since_ms=TIMES,
            updated_ms=TIMES,
            holder=st.just(hand[1]),
            token=st.just(hand[2]),
            job=_maybe(JOB_IDS),
            base=_maybe(OIDS),
            candidate=_maybe(OIDS),
            tree=_maybe(OIDS),
            gate=_maybe(OIDS),
            verdict=_maybe(st.sampled_from(Color)),
            reason=_maybe(lines(REASON_LIMIT)),
            extra=EXTRA,
        )
    )
