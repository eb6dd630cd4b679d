"""The loop around the primitive. A failure here gives up too early, never, or does something twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from gitorch.core.errors import RefusedError, UnreachableError
from gitorch.core.model import Snapshot
from gitorch.core.names import Namespace
from gitorch.core.writes import Outcome, OutcomeKind, Plan
from gitorch.engine.exchange import MAX_ROUNDS, PAUSE_S, RESOLVE_TRIES, exchange, publish
from gitorch.engine.stuck import PATIENCE_S
from gitorch.engine.world import World
from gitorch.memory import MemoryRemote, MemoryStore
from tests.contract.events import job_update, plan
from tests.records import a_job

NAMES = Namespace()
JOB = a_job("a").id


@dataclass
class Slept:
    """A clock that remembers how long it was asked to wait, and runs something instead."""

    pauses_s: list[float] = field(default_factory=list)
    meanwhile: Any = None

    def now_ms(self) -> int:
        return 0

    def boot_s(self) -> float:
        return 0.0

    def boot_id(self) -> str:
        return "boot"

    def sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        if self.meanwhile is not None:
            self.meanwhile()


class Highest:
    """Randomness that always takes the highest value."""

    def token(self) -> str:
        return "0" * 32

    def short_id(self) -> str:
        return "abcdefg"

    def uniform(self, low: float, high: float) -> float:
        return high


@dataclass
class Said:
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


def world(remote: MemoryRemote, clock: Slept | None = None) -> World:
    nothing = cast(Any, None)
    return World(
        store=MemoryStore(remote),
        history=nothing,
        catch_up=nothing,
        gates=nothing,
        policy=nothing,
        memory=nothing,
        checkouts=nothing,
        clock=clock or Slept(),
        random=Highest(),
        reporter=Said(),
        namespace=NAMES,
        holder="test",
    )


def create(nonce: str = "n1") -> Plan:
    return plan(job_update(NAMES, "a", nonce))


def test_an_answer_that_is_no_plan_ends_the_exchange_without_a_push() -> None:
    remote = MemoryRemote()
    snapshot, decision, outcome = exchange(world(remote), (), lambda seen: "nothing to do")
    assert (decision, outcome, remote.refs) == ("nothing to do", None, {})
    assert snapshot.jobs == {}


def test_an_exchange_gives_the_snapshot_it_was_decided_on_the_plan_and_what_was_written() -> None:
    remote = MemoryRemote()
    snapshot, decision, outcome = exchange(world(remote), {"main"}, lambda seen: create())
    assert isinstance(decision, Plan) and outcome is not None
    assert outcome.kind is OutcomeKind.PUBLISHED
    assert remote.refs == outcome.oids
    assert (len(snapshot.jobs), snapshot.asked) == (0, frozenset({"main"}))


def test_after_a_lost_race_everything_is_looked_at_and_decided_again() -> None:
    remote = MemoryRemote()
    rival = MemoryStore(remote)
    seen: list[int] = []
    clock = Slept()

    def decide(snapshot: Snapshot) -> Plan:
        seen.append(len(snapshot.jobs))
        if len(seen) == 1:
            rival.publish(create("theirs"))
        before = snapshot.jobs.get(JOB)
        return plan(job_update(NAMES, "a", "ours", None if before is None else before.oid))

    exchange(world(remote, clock), (), decide)
    assert seen == [0, 1]
    assert clock.pauses_s == [PAUSE_S]
    assert MemoryStore(remote).observe().jobs[JOB].oid == remote.refs[NAMES.job(JOB)]


def test_a_push_that_comes_after_it_was_given_up_is_not_made_again() -> None:
    """Found by simulation: with another id for the job, it would be there twice."""
    remote, clock, decided = MemoryRemote(), Slept(), 0
    store = MemoryStore(remote)
    remote.lose_next_answer(applied=False)
    clock.meanwhile = lambda: store.publish(create("first"))

    def decide(snapshot: Snapshot) -> Plan:
        nonlocal decided
        decided += 1
        return create("first" if decided == 1 else "second")

    _, decision, outcome = exchange(world(remote, clock), (), decide)
    assert decided == 1 and outcome is not None and outcome.kind is OutcomeKind.PUBLISHED
    assert remote.refs == outcome.oids and isinstance(decision, Plan)


def test_who_loses_every_race_gives_up_after_a_while_and_says_what_was_in_the_way() -> None:
    remote = MemoryRemote()
    remote.put(NAMES.job(JOB), b"not readable")
    clock = Slept()
    with pytest.raises(UnreachableError, match=rf"{MAX_ROUNDS} times in a row \(stale: refs/orch/jobs/a\)") as caught:
        exchange(world(remote, clock), (), lambda seen: create())
    assert caught.value.retryable
    assert clock.pauses_s == [PAUSE_S] * MAX_ROUNDS


class Locked(MemoryStore):
    """A store behind a remote whose lock of one ref is there for ever."""

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        return Outcome(
            OutcomeKind.CONFLICT, {update.name: None for update in plan.updates}, "a.lock", remedy="remove it there"
        )


@dataclass
class Ticking(Slept):
    """A clock that moves when somebody waits."""

    now_s: float = 0.0

    def boot_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.now_s += seconds


def test_a_lock_that_stays_although_nothing_moves_is_said_to_be_in_the_way() -> None:
    remote, clock = MemoryRemote(), Ticking()
    with pytest.raises(
        UnreachableError, match=r"not been able to write for 5 s, and nothing moves there \(a\.lock\)"
    ) as caught:
        exchange(replace(world(remote, clock), store=Locked(remote)), (), lambda seen: create())
    assert caught.value.retryable and "remove it there" in caught.value.hint
    assert PATIENCE_S <= clock.now_s <= PATIENCE_S + PAUSE_S


def test_a_lock_behind_which_others_work_is_a_lost_race() -> None:
    remote, clock = MemoryRemote(), Ticking()
    rival = MemoryStore(remote)
    clock.meanwhile = lambda: rival.publish(
        plan(job_update(NAMES, "a", f"n{clock.now_s}", getattr(rival.observe().jobs.get(JOB), "oid", None)))
    )

    def decide(snapshot: Snapshot) -> Plan:
        before = snapshot.jobs.get(JOB)
        return plan(job_update(NAMES, "a", "ours", None if before is None else before.oid))

    with pytest.raises(UnreachableError, match=f"{MAX_ROUNDS} times in a row"):
        exchange(replace(world(remote, clock), store=Locked(remote)), (), decide)
    assert clock.now_s > PATIENCE_S


def test_a_lock_that_was_met_long_ago_says_nothing_about_this_one() -> None:
    """Two renewals of a lease may be minutes apart."""
    remote, clock = MemoryRemote(), Ticking()
    stuck = replace(world(remote, clock), store=Locked(remote))
    publish(stuck, create())
    clock.now_s += 100
    assert publish(stuck, create()).kind is OutcomeKind.CONFLICT


def test_a_refusal_ends_the_exchange_at_once() -> None:
    remote = MemoryRemote()
    remote.refusal = "no"
    clock = Slept()
    with pytest.raises(RefusedError, match="no"):
        exchange(world(remote, clock), (), lambda seen: create())
    assert clock.pauses_s == []


def test_a_fault_in_the_decision_is_not_swallowed() -> None:
    def decide(snapshot: Snapshot) -> Plan:
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        exchange(world(MemoryRemote()), (), decide)


def test_a_lost_answer_is_looked_up_as_soon_as_the_remote_can_be_reached_again() -> None:
    remote = MemoryRemote()
    remote.lose_next_answer(applied=True)
    here = world(remote)
    store = MemoryStore(remote)

    class Cut:
        """Reaches the remote for the push, and then not until somebody has waited twice."""

        observe, holds, notes = store.observe, store.holds, store.notes
        archive, diary, body = store.archive, store.diary, store.body

        def publish(self, wanted: Plan, *, timeout_s: float | None = None) -> Outcome:
            outcome = store.publish(wanted, timeout_s=timeout_s)
            remote.reachable = False
            return outcome

    clock = Slept()

    def reconnect() -> None:
        remote.reachable = len(clock.pauses_s) == 2

    clock.meanwhile = reconnect
    outcome = publish(replace(here, store=Cut(), clock=clock), create())
    assert outcome.kind is OutcomeKind.PUBLISHED
    assert len(clock.pauses_s) == 2
    assert clock.pauses_s[0] < clock.pauses_s[1]
    assert isinstance(here.reporter, Said)
    assert here.reporter.lines == ["the answer of the remote was lost; looking whether the push arrived"]


def test_when_nobody_can_tell_what_became_of_a_push_that_is_what_is_said() -> None:
    remote = MemoryRemote()
    remote.reachable = False
    clock = Slept()
    with pytest.raises(UnreachableError, match="it is not known whether this took effect: a test") as caught:
        publish(world(remote, clock), create())
    assert "nothing is done twice" in caught.value.hint
    assert len(clock.pauses_s) == RESOLVE_TRIES - 1
