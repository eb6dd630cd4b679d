"""Publishing again what a clone saw last, for a remote that was wiped: by `git push --mirror` from some clone, or
because refs were deleted by hand.

Creates what is missing and overwrites nothing: each ref is expected not to exist. What somebody else restored, or made
anew since, stays. What is in the archive is not brought back to life. Branches are not touched: whoever has them pushes
them. It is as new as the clone's last look at the remote; what happened on the remote after that, another clone may
know: every clone may run it, in any order. A job that comes back as it was before it landed is found to have landed by
the next `reap` or `land`, so it lands at most once (I2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitorch.core.model import JobId, Oid, Snapshot
from gitorch.core.names import RefKind
from gitorch.core.plan import MAX_UPDATES
from gitorch.core.writes import OutcomeKind, Plan, RefUpdate
from gitorch.engine.exchange import MAX_ROUNDS, pause, publish, too_busy
from gitorch.engine.world import World

_ORDER = {RefKind.LEASE: 1, RefKind.GRAPH: 2, RefKind.ARCHIVE: 3, RefKind.SLOT: 4, RefKind.JOB: 5}
"""Leases go first: a lander that finds none begins a new one, whose epoch is 1. The notes go before everything."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The refs that were published again (with `dry_run`: that would be), and those that are missing but known by name
    only: their objects are not here any more."""

    restored: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()


Complete = Callable[[Mapping[str, Oid]], frozenset[str]]


def restore(world: World, known: Mapping[str, Oid], complete: Complete, *, dry_run: bool = False) -> RestoreReport:
    """Publish what is missing of `known` (refs at their last known values), in pushes of at most MAX_UPDATES refs.
    `complete` says of which of some refs all objects are here. Raises OrchError."""
    archived = frozenset(world.store.archive(fresh=False).find(_jobs(world, known)))
    restored: list[str] = []
    for _ in range(MAX_ROUNDS):
        missing = _missing(world, world.store.observe(), known, archived)
        usable = complete({name: known[name] for name in missing}) if missing else frozenset()
        wanted = [name for name in missing if name in usable]
        incomplete = tuple(name for name in missing if name not in usable)
        if dry_run or not wanted:
            return RestoreReport((*restored, *wanted), incomplete)
        detail = _publish(world, known, wanted, restored)
        if detail is None:
            return RestoreReport(tuple(restored), incomplete)
        pause(world)
    raise too_busy(detail or "")


def _publish(world: World, known: Mapping[str, Oid], wanted: Sequence[str], restored: list[str]) -> str | None:
    """Publish refs, and add them to `restored`. None when all are published; what git said when somebody else restores
    at the same time."""
    for at in range(0, len(wanted), MAX_UPDATES):
        batch = wanted[at : at + MAX_UPDATES]
        updates = tuple(RefUpdate(name, None, known[name]) for name in batch)
        outcome = publish(world, Plan(updates, f"restore {len(batch)} refs"))
        if outcome.kind is not OutcomeKind.PUBLISHED:
            return outcome.detail
        restored += batch
        world.reporter.say(f"{len(restored)} refs published again")
    return None


def _missing(world: World, snapshot: Snapshot, known: Mapping[str, Oid], archived: frozenset[JobId]) -> list[str]:
    """The names that the remote lacks, in the order in which they are published. Jobs are left out that are in an
    archive: the remote's, or the one that this clone knows (`archived`) and restores where the remote has none."""
    there, archive = _present(world, snapshot), world.store.archive()
    if archive.tip is not None:
        there.add(world.namespace.archive)
    gone = [name for name in known if name not in there and _rank(world, name) is not None]
    finished = archived | frozenset(archive.find(_jobs(world, gone)))
    lost = [name for name in gone if _job(world, name) not in finished]
    return sorted(lost, key=lambda name: (_rank(world, name) or 0, name))


def _present(world: World, snapshot: Snapshot) -> set[str]:
    """The refs of the remote's state; damaged ones are there too."""
    names = world.namespace
    found = {names.job(job) for job in snapshot.jobs} | {names.lease(target) for target in snapshot.leases}
    found |= {names.slot(number) for number in snapshot.slots} | {damage.ref for damage in snapshot.damaged}
    found |= {names.graph} if snapshot.graph is not None else set()
    return found | ({names.notes} if snapshot.notes is not None else set())


def _rank(world: World, name: str) -> int | None:
    """The place of a ref in the order of restoring; None for what is not restored (workers come back by themselves)."""
    if name == world.namespace.notes:
        return 0
    parsed = world.namespace.parse(name)
    return None if parsed is None else _ORDER.get(parsed[0])


def _job(world: World, name: str) -> JobId | None:
    parsed = world.namespace.parse(name)
    return JobId(parsed[1]) if parsed is not None and parsed[0] is RefKind.JOB else None


def _jobs(world: World, names: Iterable[str]) -> list[JobId]:
    return [job for name in names if (job := _job(world, name)) is not None]
