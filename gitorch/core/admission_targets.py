"""When a target may move: to the tested tree, under its lease. Part of `gitorch.core.admission`."""

from __future__ import annotations

from gitorch.core.admission import Change, Push, RefusalError
from gitorch.core.admission_links import lease_at
from gitorch.core.lease import LeaseEvent
from gitorch.core.model import Color, Lease
from gitorch.core.names import RefKind, branch_of
from gitorch.core.states import Event
from gitorch.core.verdicts import verdict_for


def check_target(push: Push, change: Change) -> None:
    """I1 and I5 for one target. Raises RefusalError."""
    target = branch_of(change.ref)
    assert target is not None
    view, lease_ref = push.view, push.rules.namespace.lease(target)
    if change.new is None:
        raise RefusalError("target-deleted", change.ref, "a target is not deleted")
    if change.old is None:
        if view.ref(lease_ref) is not None or lease_ref in push.changes:
            raise RefusalError("target-created", change.ref, "it has a lease already, so it is not new")
        return
    if not view.is_ancestor(change.old, change.new):
        raise RefusalError("not-fast-forward", change.ref, "the target would lose commits")
    written = push.events.get((RefKind.LEASE, target))
    if written is not None:
        lease: Lease | None = written.record
        if written.event.event != LeaseEvent.LAND.value:
            raise RefusalError("no-landing", change.ref, "its lease says nothing of a landing")
    else:
        now = view.ref(lease_ref)
        lease = lease_at(push, now) if push.rules.forge_merges and now is not None else None
        if lease is None or not lease.held:
            raise RefusalError("no-lease", change.ref, "the target moves only together with its lease")
    assert lease is not None
    _check_tested(push, change, lease, target)
    if written is not None:
        _check_job(push, change, lease, target)


def _check_tested(push: Push, change: Change, lease: Lease, target: str) -> None:
    assert change.new is not None
    if lease.base != change.old:
        raise RefusalError("base", change.ref, "what was tested was built on another commit")
    if lease.tree is None or push.view.commit(change.new).tree != lease.tree:
        raise RefusalError("untested", change.ref, "this is not the tree that was tested")
    if lease.verdict is not Color.GREEN or lease.gate is None:
        raise RefusalError("not-green", change.ref, "there is no green verdict for this tree")
    wanted = push.rules.gates.get(target)
    if wanted is not None and lease.gate != wanted:
        raise RefusalError("gate", change.ref, "it was tested by another gate than the one that the target defines")
    if "verdict" in push.rules.signing.may and push.rules.signing.required and not _noted_green(push, lease):
        raise RefusalError("not-green", change.ref, "no green verdict is noted for this tree by one who may")


def _noted_green(push: Push, lease: Lease) -> bool:
    """Whether the notes, as they will be, say green last: the rules for notes see to it who wrote that."""
    notes, tree, gate = push.after(push.rules.namespace.notes), lease.tree, lease.gate
    if notes is None or tree is None or gate is None:
        return False
    blobs = (push.view.at(notes, path) for path in (str(tree), f"{tree[:2]}/{tree[2:]}"))
    text = b"\n".join(push.view.blob(blob) for blob in blobs if blob is not None)
    found = verdict_for(text.decode("utf-8", "replace"), tree, gate)
    return found is not None and found.color is Color.GREEN


def _check_job(push: Push, change: Change, lease: Lease, target: str) -> None:
    job = push.job(lease.job or "")
    lands = job is not None and job.event.event == Event.LAND.value
    if job is None or not lands or (job.record.landed, job.record.target) != (change.new, target):
        raise RefusalError("no-job", change.ref, "no job lands in this push")
