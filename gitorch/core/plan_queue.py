"""Decisions of the queue as data: jobs are added, claimed, given back, finished; edges, slots and workers follow.

As in `gitorch.core.plan`, each function gives one Plan for one atomic push, and whatever a plan relies on, it writes.
A claim writes the job, and the slot that it takes; whatever ends a claim writes both again (I4, I5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitorch.core.codec import encode
from gitorch.core.lease import token_digest
from gitorch.core.model import REASON_LIMIT, GraphEdit, Job, JobId, Oid, Seen, Slot, Snapshot, State, Worker
from gitorch.core.plan import Context, freed, job_update
from gitorch.core.states import Event, attempts_used_up, step
from gitorch.core.writes import ArchiveEntry, ArchiveFold, EventCommit, Plan, RefUpdate

BODY = "body"
"""The payload with a job's description, in the event that gave it (`add`, `edit`): the newest event of the chain that
has such a file counts."""

UNCLAIMED: Mapping[str, Any] = {"worker": None, "token": None, "ttl_s": None, "kept": False, "slot": None}
"""What the end of a claim takes off a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A job that is to be made."""

    id: JobId
    title: str
    target: str
    branch: str | None = None
    priority: int = 0
    after: tuple[JobId, ...] = ()
    labels: tuple[str, ...] = ()
    run: str | None = None
    lands: bool = True
    body: bytes = b""


def plan_add(ctx: Context, additions: Sequence[Addition], edits: tuple[RefUpdate, ...] = ()) -> Plan:
    """Make jobs, at most as many as one push may hold. Their dependencies are jobs that exist, or stand among
    `additions`, so that nothing can wait for a job before it is made: no cycle. `edits` is the write to the graph where
    somebody waits for one of these ids already (damage)."""
    updates = [_added(ctx, wanted) for wanted in additions]
    first = additions[0]
    more = f" and {len(additions) - 1} more" if len(additions) > 1 else ""
    return Plan((*updates, *edits), f"add {first.id}: {first.title}{more}")


def _added(ctx: Context, wanted: Addition) -> RefUpdate:
    job = Job(
        id=wanted.id,
        title=wanted.title,
        state=State.QUEUED,
        target=wanted.target,
        branch=wanted.branch,
        priority=wanted.priority,
        after=wanted.after,
        labels=wanted.labels,
        run=wanted.run,
        lands=wanted.lands,
        created_ms=ctx.now_ms,
        updated_ms=ctx.now_ms,
    )
    return job_update(ctx, None, job, Event.ADD, files={BODY: wanted.body} if wanted.body else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who takes a job, and for how long without a sign of life. `kept`: a running worker beats for it."""

    worker: str
    token: str
    ttl_s: int
    kept: bool
    slot: int | None = None


def plan_claim(ctx: Context, snapshot: Snapshot, seen: Seen[Job], claim: Claim) -> Plan:
    """Take a job for one worker, and the slot with it. Raises IllegalTransitionError."""
    digest = token_digest(claim.token)
    job = step(
        seen.record,
        Event.CLAIM,
        now_ms=ctx.now_ms,
        worker=claim.worker,
        token=digest,
        ttl_s=claim.ttl_s,
        kept=claim.kept,
        slot=claim.slot,
        attempt=seen.record.attempt + 1,
    )
    updates = [job_update(ctx, seen, job, Event.CLAIM)]
    if claim.slot is not None:
        before = snapshot.slots.get(claim.slot)
        held = Slot(number=claim.slot, held=True, job=job.id, token=digest, updated_ms=ctx.now_ms)
        updates.append(slot_update(ctx, before, held, "take"))
    return Plan(tuple(updates), f"claim {job.id} for {claim.worker}")


def slot_update(ctx: Context, before: Seen[Slot] | None, slot: Slot, event: str) -> RefUpdate:
    """One event on a slot's chain."""
    previous = None if before is None else before.oid
    slot = replace(slot, extra=before.record.extra if before else ())
    subject = f"slot {slot.number}" + (f" for {slot.job}" if slot.job else "")
    message = encode(slot, event=event, subject=subject, nonce=ctx.nonce)
    return RefUpdate(
        ctx.namespace.slot(slot.number), previous, EventCommit(message=message, time_ms=ctx.now_ms, previous=previous)
    )


def plan_leave(
    ctx: Context,
    snapshot: Snapshot,
    seen: Seen[Job],
    event: Event,
    *,
    reason: str | None = None,
    files: Mapping[str, bytes] | None = None,
    refund: bool = False,
) -> Plan:
    """End a claim: release, fail, done, reap, cancel; its slot comes free in the same push. `ctx.max_attempts` decides
    whether this failure was the last; `refund` does not count the attempt. Raises IllegalTransitionError."""
    before = seen.record
    exhausted = ctx.max_attempts > 0 and attempts_used_up(before, ctx.max_attempts)
    suffix = " (attempts used up)" if exhausted and event is not Event.FINISH else ""
    why = None if reason is None else reason[: REASON_LIMIT - len(suffix)].rstrip() + suffix
    attempt = max(0, before.attempt - 1) if refund else before.attempt
    job = step(
        before,
        event,
        now_ms=ctx.now_ms,
        max_attempts=ctx.max_attempts,
        reason=why,
        attempt=attempt,
        **UNCLAIMED,
    )
    updates = (job_update(ctx, seen, job, event, files=files), *freed(ctx, before, snapshot))
    return Plan(updates, f"{event.value} {job.id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What `edit` changes; None leaves a thing as it is. An empty string takes away what may be missing."""

    title: str | None = None
    priority: int | None = None
    branch: str | None = None
    run: str | None = None
    lands: bool | None = None
    labels: tuple[str, ...] | None = None
    body: bytes | None = None

    def values(self) -> dict[str, Any]:
        """The fields of the record that change."""
        wanted = {"title": self.title, "priority": self.priority, "lands": self.lands, "labels": self.labels}
        found: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        for key, text in (("branch", self.branch), ("run", self.run)):
            if text is not None:
                found[key] = text or None
        return found


def plan_edit(ctx: Context, seen: Seen[Job], changes: Changes) -> Plan:
    """Change what a job says of itself. Raises IllegalTransitionError."""
    job = step(seen.record, Event.EDIT, now_ms=ctx.now_ms, **changes.values())
    files = {} if changes.body is None else {BODY: changes.body}
    return Plan((job_update(ctx, seen, job, Event.EDIT, files=files),), f"edit {job.id}")


def plan_edges(ctx: Context, snapshot: Snapshot, seen: Seen[Job], after: tuple[JobId, ...]) -> Plan:
    """Change what an existing job waits for. The graph's ref is written in the same push: two edits that would close a
    cycle together cannot both be published (I6). The caller has looked for a cycle on exactly this snapshot."""
    job = step(seen.record, Event.EDIT, now_ms=ctx.now_ms, after=after)
    return Plan(
        (job_update(ctx, seen, job, Event.EDIT), graph_update(ctx, snapshot.graph, job.id, after)),
        f"after {job.id}",
    )


def graph_update(ctx: Context, before: Seen[GraphEdit] | None, job: JobId, after: tuple[JobId, ...]) -> RefUpdate:
    """One event on the graph's chain."""
    edit = GraphEdit(
        job=job,
        after=after,
        edits=1 if before is None else before.record.edits + 1,
        updated_ms=ctx.now_ms,
        extra=() if before is None else before.record.extra,
    )
    previous = None if before is None else before.oid
    message = encode(edit, event="edges", subject=f"what {job} waits for", nonce=ctx.nonce)
    return RefUpdate(ctx.namespace.graph, previous, EventCommit(message=message, time_ms=ctx.now_ms, previous=previous))


def plan_presence(
    ctx: Context, before: Seen[Worker] | None, worker: Worker, event: str, *, anew: bool = False
) -> tuple[Plan, Worker]:
    """A worker's sign of life (`start`, `beat`, `leave`). `anew` begins a new chain in place of the old one, so that
    the beats of a long life do not pile up in every clone."""
    worker = replace(worker, updated_ms=ctx.now_ms)
    expected = None if before is None else before.oid
    message = encode(worker, event=event, subject=worker.holder, nonce=ctx.nonce)
    commit = EventCommit(message=message, time_ms=ctx.now_ms, previous=None if anew else expected)
    return Plan((RefUpdate(ctx.namespace.worker(worker.id), expected, commit),), f"{event} of {worker.id}"), worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """What one push of `gc` takes away: finished jobs into the archive, workers that are gone."""

    jobs: tuple[ArchiveEntry, ...] = ()
    workers: tuple[Seen[Worker], ...] = field(default=())
    archive: Oid | None = None


def plan_fold(ctx: Context, folding: Folding) -> Plan:
    """Move finished jobs into the archive, and drop the refs of workers that are gone. Each deletion names the value
    that it deletes, so nothing that changed meanwhile is lost (I3)."""
    updates: list[RefUpdate] = []
    if folding.jobs:
        named = " ".join(entry.id for entry in folding.jobs)
        fold = ArchiveFold(
            base=folding.archive,
            entries=folding.jobs,
            message=f"archive: {len(folding.jobs)} finished\n\n{named}\n\nOrch-Format: 1\nRecord: archive\n"
            f"Event: fold\nNonce: {ctx.nonce}\n",
            time_ms=ctx.now_ms,
        )
        updates.append(RefUpdate(ctx.namespace.archive, folding.archive, fold))
    updates += [RefUpdate(ctx.namespace.job(entry.id), entry.tip, None) for entry in folding.jobs]
    updates += [RefUpdate(ctx.namespace.worker(seen.record.id), seen.oid, None) for seen in folding.workers]
    return Plan(tuple(updates), f"archive {len(folding.jobs)} finished jobs")


def own_token(job: Job, tokens: Sequence[str]) -> str | None:
    """Of the tokens that a worktree has kept for a job, the one of its present claim; any where none of them is (then
    the claim is lost), None where it has none."""
    return next((token for token in tokens if has_claim(job, token)), tokens[-1] if tokens else None)


def has_claim(job: Job, token: str | None) -> bool:
    """Whether a token is that of the job's present claim."""
    return job.state is State.CLAIMED and token is not None and job.token == token_digest(token)
