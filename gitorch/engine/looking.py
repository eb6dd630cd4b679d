"""Looking is an observation: what is seen now lets a later command find a claim or a lease dead."""

from __future__ import annotations

from gitorch.core.looking import Look, claimed
from gitorch.core.model import Snapshot
from gitorch.core.queue import states_of
from gitorch.engine.world import World

WATCHED = 1_000
"""Claims that one look remembers, the oldest first: each costs a small file."""


def look(world: World, snapshot: Snapshot, *, slots: int = 0) -> Look:
    """The snapshot with how long held leases, claims and workers were seen unchanged; all of that is remembered. Jobs
    that nobody has claimed cost nothing. `slots` is orch.maxConcurrency."""
    watch, names = world.memory.unchanged_s, world.namespace
    held = {name: seen for name, seen in snapshot.leases.items() if seen.record.held}
    claims = tuple(claimed(snapshot))
    present = {name: seen for name, seen in snapshot.workers.items() if seen.record.present}
    return Look(
        snapshot=snapshot,
        states=states_of(snapshot),
        now_ms=world.clock.now_ms(),
        jobs={s.record.id: watch(names.job(s.record.id), s.oid) for s in claims[:WATCHED]},
        workers={name: watch(names.worker(name), seen.oid) for name, seen in list(present.items())[:WATCHED]},
        leases={name: watch(names.lease(name), seen.oid) for name, seen in held.items()},
        claims=claims,
        slots=slots,
        missing_holds=world.missing_holds,
    )
