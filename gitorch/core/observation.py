"""From raw refs to a Snapshot: the one place where what others wrote is judged. Nothing raises; what is wrong is
reported as damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from gitorch.core.codec import (
    NewerFormatError,
    decode_graph,
    decode_job,
    decode_lease,
    decode_slot,
    decode_worker,
)
from gitorch.core.errors import DamagedError
from gitorch.core.model import Damage, GraphEdit, Job, JobId, Lease, Oid, Seen, Slot, Snapshot, Worker
from gitorch.core.names import Namespace, RefKind, branch_of, is_branch_name
from gitorch.core.writes import EventCommit, Plan


@dataclass(frozen=True, slots=True)
class RawRef:
    """A ref of the remote as read: `message` is None when it does not point at a commit; `kind` is the object's
    kind."""

    name: str
    oid: Oid
    kind: str
    message: bytes | None


@dataclass(slots=True)
class _Records:
    """What refs of the namespace hold, while they are sorted."""

    jobs: dict[JobId, Seen[Job]]
    leases: dict[str, Seen[Lease]]
    workers: dict[str, Seen[Worker]]
    slots: dict[int, Seen[Slot]]
    graph: Seen[GraphEdit] | None = None


def build_snapshot(
    namespace: Namespace,
    refs: Iterable[RawRef],
    *,
    heads: dict[str, Oid],
    asked: frozenset[str],
    notes: Oid | None,
    notes_kind: str = "commit",
) -> Snapshot:
    """Sort refs of the namespace into records and damage. `notes_kind` is the kind of object that `notes` is."""
    found = _Records({}, {}, {}, {})
    damaged: list[Damage] = []
    for ref in refs:
        damage = _place(namespace, ref, found)
        if damage is not None:
            damaged.append(damage)
    if notes is not None and notes_kind != "commit":
        damaged.append(Damage(namespace.notes, f"it is a {notes_kind}, not notes"))
    return Snapshot(
        jobs=found.jobs,
        leases=found.leases,
        workers=found.workers,
        slots=found.slots,
        graph=found.graph,
        heads=heads,
        asked=asked,
        notes=notes,
        damaged=tuple(damaged),
    )


def missing_dependencies(snapshot: Snapshot) -> frozenset[JobId]:
    """What live jobs wait for and is not live: archived, gone, or damaged."""
    jobs = snapshot.jobs
    return frozenset(d for seen in jobs.values() if seen.record.after for d in seen.record.after if d not in jobs)


def _place(namespace: Namespace, ref: RawRef, found: _Records) -> Damage | None:
    """Put one ref where it belongs; say what is wrong with it otherwise."""
    parsed = namespace.parse(ref.name)
    if parsed is None:
        return Damage(ref.name, "its name is nothing that git orch writes")
    kind, name = parsed
    if kind not in _PLACERS:
        return None
    if ref.message is None:
        return Damage(ref.name, f"it is a {ref.kind}, not an event")
    try:
        _PLACERS[kind](ref, ref.message, name, found)
    except DamagedError as problem:
        return Damage(ref.name, problem.message, newer=isinstance(problem, NewerFormatError))
    return None


def read_job(message: bytes, name: str) -> Job:
    """The job that the event of `refs/orch/jobs/<name>` states. Raises DamagedError."""
    job = decode_job(message).record
    if job.id != name:
        raise DamagedError("it holds the record of another job", hint="git orch doctor")
    # Everything later makes refs of these names.
    if not is_branch_name(job.target) or (job.branch is not None and not is_branch_name(job.branch)):
        raise DamagedError("it names a branch that git would not accept", hint="git orch doctor")
    return job


def _place_job(ref: RawRef, message: bytes, name: str, found: _Records) -> None:
    found.jobs[JobId(name)] = Seen(ref.oid, read_job(message, name))


def _place_lease(ref: RawRef, message: bytes, name: str, found: _Records) -> None:
    lease = decode_lease(message).record
    if lease.target != name:
        raise DamagedError("it holds the lease of another target", hint="git orch doctor")
    found.leases[name] = Seen(ref.oid, lease)


def _place_worker(ref: RawRef, message: bytes, name: str, found: _Records) -> None:
    worker = decode_worker(message).record
    if worker.id != name:
        raise DamagedError("it holds the record of another worker", hint="git orch doctor")
    found.workers[name] = Seen(ref.oid, worker)


def _place_slot(ref: RawRef, message: bytes, name: str, found: _Records) -> None:
    slot = decode_slot(message).record
    if str(slot.number) != name:
        raise DamagedError("it holds the record of another slot", hint="git orch doctor")
    found.slots[slot.number] = Seen(ref.oid, slot)


def _place_graph(ref: RawRef, message: bytes, name: str, found: _Records) -> None:
    del name
    found.graph = Seen(ref.oid, decode_graph(message).record)


_PLACERS: Mapping[RefKind, Callable[[RawRef, bytes, str, _Records], None]] = {
    RefKind.JOB: _place_job,
    RefKind.LEASE: _place_lease,
    RefKind.WORKER: _place_worker,
    RefKind.SLOT: _place_slot,
    RefKind.GRAPH: _place_graph,
}


def advance(namespace: Namespace, before: Snapshot, plan: Plan, oids: Mapping[str, Oid | None]) -> Snapshot:
    """The snapshot after a plan was published: what an observation would show if nobody else wrote meanwhile."""
    found = _Records(
        dict(before.jobs), dict(before.leases), dict(before.workers), dict(before.slots), graph=before.graph
    )
    heads, notes, archived = dict(before.heads), before.notes, dict(before.archived)
    for update in plan.updates:
        oid = oids[update.name]
        branch = branch_of(update.name)
        if isinstance(update.new, EventCommit) and oid is not None:
            raw = RawRef(update.name, oid, "commit", update.new.message.encode())
            problem = _place(namespace, raw, found)
            assert problem is None, f"we wrote what we cannot read: {problem}"
        elif update.name == namespace.notes:
            notes = oid
        elif update.new is None and (parsed := namespace.parse(update.name)) is not None:
            _take_out(parsed, found, archived)
        elif branch in before.asked and oid is not None:
            heads[branch] = oid
        elif branch in before.asked:
            heads.pop(branch, None)
    return replace(
        before,
        jobs=found.jobs,
        archived=archived,
        leases=found.leases,
        workers=found.workers,
        slots=found.slots,
        graph=found.graph,
        heads=heads,
        notes=notes,
    )


def _take_out(parsed: tuple[RefKind, str], found: _Records, archived: dict[JobId, Seen[Job]]) -> None:
    """A ref that a plan deleted: a job went into the archive, a worker left for good."""
    kind, name = parsed
    if kind is RefKind.JOB and JobId(name) in found.jobs:
        archived[JobId(name)] = found.jobs.pop(JobId(name))
    elif kind is RefKind.WORKER:
        found.workers.pop(name, None)
