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
    RUN_LIMIT,
    SLOT_LIMIT,
    TITLE_LIMIT,
    TTL_LIMIT_S,
    Color,
    GraphEdit,
    Job,
    JobId,
    Lease,
    Oid,
    Slot,
    State,
    Worker,
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


CLAIM: dict[str, Any] = {"worker": "w", "token": "1" * 40, "ttl_s": 300}
"""What a claimed job has besides."""


def a_claimed_job(name: str = "fix", **changes: Any) -> Job:
    """A job that the worker `w` has."""
    return a_job(name, **{"state": State.CLAIMED, **CLAIM, **changes})


def a_job_in(state: State, name: str = "fix", **changes: Any) -> Job:
    """A job in any state, with what that state needs."""
    return a_claimed_job(name, **changes) if state is State.CLAIMED else a_job(name, state=state, **changes)


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
LABELS = st.builds(lambda first, rest: first + rest, st.sampled_from("aZ0"), st.text("aZ0._/:+-", max_size=20))
TOKENS = st.builds(lambda number, digits: f"{number:0{digits}x}", st.integers(0, 16**16 - 1), st.integers(16, 64))
TIMES = st.integers(-62_135_596_800_000, 253_402_300_799_999)
EXTRA = st.dictionaries(st.sampled_from(["X", "Later", "X-Y", "Zz9-A-B"]), lines(200), max_size=3).map(
    lambda extra: tuple(extra.items())
)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def _needed(strategy: st.SearchStrategy[Any], always: bool) -> st.SearchStrategy[Any]:
    return strategy if always else _maybe(strategy)


def workers() -> st.SearchStrategy[Worker]:
    """Any legal worker."""
    return st.builds(
        Worker,
        id=JOB_IDS,
        holder=lines(HOLDER_LIMIT),
        present=st.booleans(),
        capacity=st.integers(1, SLOT_LIMIT),
        ttl_s=st.integers(1, TTL_LIMIT_S),
        since_ms=TIMES,
        updated_ms=TIMES,
        extra=EXTRA,
    )


def slots() -> st.SearchStrategy[Slot]:
    """Any legal slot."""
    return st.booleans().flatmap(
        lambda held: st.builds(
            Slot,
            number=st.integers(1, SLOT_LIMIT),
            held=st.just(held),
            updated_ms=TIMES,
            job=_needed(JOB_IDS, held),
            token=_needed(TOKENS, held),
            extra=EXTRA,
        )
    )


def graph_edits() -> st.SearchStrategy[GraphEdit]:
    """Any legal event of the graph."""
    return st.builds(
        GraphEdit,
        job=JOB_IDS,
        edits=st.integers(1, EPOCH_LIMIT),
        updated_ms=TIMES,
        after=st.lists(JOB_IDS, max_size=5).map(tuple),
        extra=EXTRA,
    )


def jobs() -> st.SearchStrategy[Job]:
    """Any legal job."""
    states = st.sampled_from(State)
    return states.flatmap(
        lambda state: st.builds(
            Job,
            id=JOB_IDS,
            title=lines(TITLE_LIMIT),
            state=st.just(state),
            target=lines(BRANCH_LIMIT),
            created_ms=TIMES,
            updated_ms=TIMES,
            branch=_maybe(lines(BRANCH_LIMIT)),
            head=OIDS if state is State.SUBMITTED else _maybe(OIDS),
            priority=st.integers(-PRIORITY_LIMIT, PRIORITY_LIMIT),
            after=st.lists(JOB_IDS, max_size=5).map(tuple),
            attempt=st.integers(0, 1_000_000),
            worker=_needed(lines(HOLDER_LIMIT), state is State.CLAIMED),
            token=_needed(TOKENS, state is State.CLAIMED),
            ttl_s=_needed(st.integers(1, TTL_LIMIT_S), state is State.CLAIMED),
            kept=st.booleans(),
            slot=_maybe(st.integers(1, SLOT_LIMIT)),
            labels=st.lists(LABELS, max_size=4).map(tuple),
            run=_maybe(lines(RUN_LIMIT)),
            lands=st.booleans(),
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
