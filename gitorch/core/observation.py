"""From raw refs to a Snapshot: the one place where what others wrote is judged. Nothing raises; what is wrong is
reported as damage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gitorch.core.codec import NewerFormatError, decode_job, decode_lease
from gitorch.core.errors import DamagedError
from gitorch.core.model import Damage, EventCommit, Job, JobId, Lease, Oid, Plan, Seen, Snapshot
from gitorch.core.names import Namespace, RefKind, branch_of, is_branch_name


@dataclass(frozen=True, slots=True)
class RawRef:
    """A ref of the remote as read: `message` is None when it does not point at a commit; `kind` is the object's
    kind."""

    name: str
    oid: Oid
    kind: str
    message: bytes | None


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
    jobs: dict[JobId, Seen[Job]] = {}
    leases: dict[str, Seen[Lease]] = {}
    damaged: list[Damage] = []
    for ref in refs:
        damage = _place(namespace, ref, jobs, leases)
        if damage is not None:
            damaged.append(damage)
    if notes is not None and notes_kind != "commit":
        damaged.append(Damage(namespace.notes, f"it is a {notes_kind}, not notes"))
    return Snapshot(jobs=jobs, leases=leases, heads=heads, asked=asked, notes=notes, damaged=tuple(damaged))


def _place(
    namespace: Namespace, ref: RawRef, jobs: dict[JobId, Seen[Job]], leases: dict[str, Seen[Lease]]
) -> Damage | None:
    """Put one ref where it belongs; say what is wrong with it otherwise."""
    parsed = namespace.parse(ref.name)
    if parsed is None:
        return Damage(ref.name, "its name is nothing that git orch writes")
    kind, name = parsed
    if kind not in (RefKind.JOB, RefKind.LEASE):
        return None
    if ref.message is None:
        return Damage(ref.name, f"it is a {ref.kind}, not an event")
    try:
        if kind is RefKind.JOB:
            _place_job(ref, ref.message, name, jobs)
        else:
            _place_lease(ref, ref.message, name, leases)
    except DamagedError as problem:
        return Damage(ref.name, problem.message, newer=isinstance(problem, NewerFormatError))
    return None


def _place_job(ref: RawRef, message: bytes, name: str, jobs: dict[JobId, Seen[Job]]) -> None:
    job = decode_job(message).record
    if job.id != name:
        raise DamagedError("it holds the record of another job", hint="git orch doctor")
    # Everything later makes refs of these names.
    if not is_branch_name(job.target) or (job.branch is not None and not is_branch_name(job.branch)):
        raise DamagedError("it names a branch that git would not accept", hint="git orch doctor")
    jobs[job.id] = Seen(ref.oid, job)


def _place_lease(ref: RawRef, message: bytes, name: str, leases: dict[str, Seen[Lease]]) -> None:
    lease = decode_lease(message).record
    if lease.target != name:
        raise DamagedError("it holds the lease of another target", hint="git orch doctor")
    leases[name] = Seen(ref.oid, lease)


def advance(namespace: Namespace, before: Snapshot, plan: Plan, oids: Mapping[str, Oid | None]) -> Snapshot:
    """The snapshot after a plan was published: what an observation would show if nobody else wrote meanwhile."""
    jobs, leases, heads = dict(before.jobs), dict(before.leases), dict(before.heads)
    notes = before.notes
    for update in plan.updates:
        oid = oids[update.name]
        branch = branch_of(update.name)
        if isinstance(update.new, EventCommit) and oid is not None:
            raw = RawRef(update.name, oid, "commit", update.new.message.encode())
            problem = _place(namespace, raw, jobs, leases)
            assert problem is None, f"we wrote what we cannot read: {problem}"
        elif update.name == namespace.notes:
            notes = oid
        elif branch in before.asked and oid is not None:
            heads[branch] = oid
        elif branch in before.asked:
            heads.pop(branch, None)
    return replace(before, jobs=jobs, leases=leases, heads=heads, notes=notes)
