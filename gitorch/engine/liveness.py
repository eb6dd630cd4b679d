"""Whether the holder of a claim lives, by observation alone: how long this clone saw its signs of life unchanged, by
its own clock. No time that stands in a record is compared with anything."""

from __future__ import annotations

from gitorch.core.lease import MARGIN
from gitorch.core.model import Job, Seen, Snapshot
from gitorch.engine.world import World


def unchanged_s(world: World, snapshot: Snapshot, seen: Seen[Job]) -> float:
    """For how long nothing was seen of a claim's holder; remembers this look, so that a later one may find it dead. The
    signs of a claim that a running worker keeps are on its worker's ref too."""
    silent_s = world.memory.unchanged_s(world.namespace.job(seen.record.id), seen.oid)
    worker = snapshot.workers.get(seen.record.worker or "") if seen.record.kept else None
    if worker is not None and worker.record.present:
        silent_s = min(silent_s, world.memory.unchanged_s(world.namespace.worker(worker.record.id), worker.oid))
    return silent_s


def dead_in_s(world: World, snapshot: Snapshot, seen: Seen[Job]) -> float:
    """How much longer a claim must stay silent before it counts as dead; 0 when it does."""
    assert seen.record.ttl_s is not None, "only a claimed job has a holder"
    return max(0.0, seen.record.ttl_s * MARGIN - unchanged_s(world, snapshot, seen))


def is_dead(world: World, snapshot: Snapshot, seen: Seen[Job]) -> bool:
    """Whether a claim may be returned to the queue. A holder that lives after all is fenced (I5)."""
    return dead_in_s(world, snapshot, seen) <= 0.0
