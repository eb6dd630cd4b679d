"""Publishing with all three outcomes handled, and the loop around it: observe, decide, publish, and again after a
lost race.

The pause after a lost race is uniform in 0..100 ms: measured to have the shortest tail of waiting; exponential
pauses starve somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gitorch.core.errors import DamagedError, OrchError, UnreachableError
from gitorch.core.model import Snapshot
from gitorch.core.writes import ArchiveFold, EventCommit, NotesAppend, Outcome, OutcomeKind, Plan
from gitorch.engine.world import World

Answer = TypeVar("Answer")

MAX_ROUNDS = 60
"""Lost races in a row before a command gives up. Sixteen writers on one ref lose four pushes in ten."""

PAUSE_S = 0.1
RESOLVE_TRIES = 5


def publish(world: World, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
    """Publish a plan and settle what became of it: the outcome is PUBLISHED or CONFLICT, never UNKNOWN. Raises
    UnreachableError when the remote stays silent or cannot write, RefusedError when it says no."""
    outcome = world.store.publish(plan, timeout_s=timeout_s)
    if outcome.remedy:
        world.stuck.note(plan, outcome, world.clock.boot_s())
    if outcome.kind is not OutcomeKind.UNKNOWN:
        return outcome
    world.reporter.say("the answer of the remote was lost; looking whether the push arrived")
    _observe_again(world, plan)
    if _arrived(world, plan, outcome):
        return replace(outcome, kind=OutcomeKind.PUBLISHED)
    return replace(outcome, kind=OutcomeKind.CONFLICT, may_come=True)


def _observe_again(world: World, plan: Plan) -> None:
    for attempt in range(1, RESOLVE_TRIES + 1):
        try:
            world.store.observe()
            if any(isinstance(update.new, ArchiveFold) for update in plan.updates):
                world.store.archive()  # which no observation reads
            return
        except UnreachableError as problem:
            if attempt == RESOLVE_TRIES:
                raise UnreachableError(
                    f"it is not known whether this took effect: {plan.reason} ({problem.message})",
                    hint="run the same command again when the remote can be reached; nothing is done twice",
                ) from None
            world.clock.sleep(world.random.uniform(0.0, 0.2 * 2**attempt))


def _arrived(world: World, plan: Plan, outcome: Outcome) -> bool:
    """Whether the push took effect. It was atomic, so one event of ours on its chain is proof; and each event carries
    our nonce, so nobody else can have put it there."""
    for update in plan.updates:
        oid = outcome.oids[update.name]
        ours = isinstance(update.new, EventCommit | NotesAppend | ArchiveFold)
        if ours and oid is not None and world.store.holds(update.name, oid):
            return True
    return False


@dataclass(slots=True)
class Doubts:
    """Pushes of one operation whose answers were lost and that had not arrived when we looked. They may come later, and
    then the operation is done: to do it again would do it twice."""

    sent: list[tuple[Snapshot, Plan, Outcome]] = field(default_factory=list)

    def add(self, snapshot: Snapshot, plan: Plan, outcome: Outcome) -> None:
        """Remember a push, if it may still come."""
        if outcome.may_come:
            self.sent.append((snapshot, plan, outcome))

    def settled(self, world: World) -> tuple[Snapshot, Plan, Outcome] | None:
        """The push that has come since, as of the last observation: what it was decided on, and its outcome."""
        for snapshot, plan, outcome in self.sent:
            if _arrived(world, plan, outcome):
                return snapshot, plan, replace(outcome, kind=OutcomeKind.PUBLISHED, may_come=False)
        return None


def require_readable(snapshot: Snapshot, ref: str, what: str) -> None:
    """What somebody damaged is never guessed at and never overwritten. Raises DamagedError when the ref that this
    command would write is damaged; `what` is what people call it."""
    damage = snapshot.damage_of(ref)
    if damage is not None:
        raise DamagedError(
            f"{what} cannot be read, so it is left alone ({ref}: {damage.problem})",
            hint="install a newer git orch, then try again" if damage.newer else "git orch doctor",
        )


def pause(world: World) -> None:
    """Wait a little after a lost race."""
    world.clock.sleep(world.random.uniform(0.0, PAUSE_S))


def exchange(
    world: World, branches: Iterable[str], decide: Callable[[Snapshot], Plan | Answer]
) -> tuple[Snapshot, Plan | Answer, Outcome | None]:
    """Observe, decide, publish; after a lost race all of it again, the whole operation of the user. An answer of
    `decide` that is no Plan ends the loop without a push. Raises OrchError after MAX_ROUNDS lost races."""
    wanted, detail, doubts = frozenset(branches), "", Doubts()
    for _ in range(MAX_ROUNDS):
        snapshot = world.store.observe(wanted)
        settled = doubts.settled(world)
        if settled is not None:
            return settled
        decision = decide(snapshot)
        if not isinstance(decision, Plan):
            return snapshot, decision, None
        outcome = publish(world, decision)
        if outcome.kind is OutcomeKind.PUBLISHED:
            return snapshot, decision, outcome
        detail = outcome.detail
        doubts.add(snapshot, decision, outcome)
        pause(world)
    raise too_busy(detail)


def too_busy(detail: str = "") -> OrchError:
    """Somebody else was faster every time. `detail` is what git said of the last push."""
    return UnreachableError(
        f"others changed the same refs {MAX_ROUNDS} times in a row" + (f" ({detail})" if detail else ""),
        hint="run the same command again in a moment; `git orch doctor` shows whether something blocks the remote",
    )
