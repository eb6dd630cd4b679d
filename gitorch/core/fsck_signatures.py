"""Whether what stands under the namespace now was signed by people who may; part of `gitorch.core.fsck`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitorch.core.fsck_chains import Fault
from gitorch.core.model import Oid, Snapshot
from gitorch.core.names import Namespace, RefKind
from gitorch.core.signing import Signature, SigningRules, duty_of, fault

SIGNED = "signed"


def tips_of(names: Namespace, snapshot: Snapshot) -> Iterator[tuple[str, RefKind, Oid]]:
    """Every ref whose value is an event, with its kind."""
    for job in snapshot.jobs.values():
        yield names.job(job.record.id), RefKind.JOB, job.oid
    for target, lease in snapshot.leases.items():
        yield names.lease(target), RefKind.LEASE, lease.oid
    for worker_id, worker in snapshot.workers.items():
        yield names.worker(worker_id), RefKind.WORKER, worker.oid
    for number, slot in snapshot.slots.items():
        yield names.slot(number), RefKind.SLOT, slot.oid
    if snapshot.graph is not None:
        yield names.graph, RefKind.GRAPH, snapshot.graph.oid


def signature_faults(
    names: Namespace, snapshot: Snapshot, signatures: Mapping[Oid, Signature], rules: SigningRules
) -> list[Fault]:
    """A fault for each ref whose last event is not signed as it must be; none where nothing must be signed."""
    if not rules.required:
        return []
    found: list[Fault] = []
    for ref, kind, oid in tips_of(names, snapshot):
        signature = signatures.get(oid, Signature())
        wrong = fault(signature, duty_of(kind, signature.event), rules)
        if wrong:
            found.append(Fault(ref, SIGNED, f"its last event {oid[:12]} {wrong}"))
    notes = snapshot.notes
    if notes is not None:
        wrong = fault(signatures.get(notes, Signature()), None, rules)
        if wrong:
            found.append(Fault(names.notes, SIGNED, f"the last change {notes[:12]} {wrong}"))
    return found
