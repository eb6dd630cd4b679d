"""Decisions as data: each function turns what was observed and what is wanted into one Plan for one atomic push.

Nothing here talks to anything. Whatever a plan relies on, it writes: a landing or a rework always writes the lease
too, so that a holder who was fenced in between is refused by the remote, whatever it believes (I5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitorch.core.codec import encode
from gitorch.core.gates import Gate
from gitorch.core.lease import LeaseEvent, acquired, released
from gitorch.core.model import (
    REASON_LIMIT,
    Candidate,
    Color,
    Job,
    JobId,
    LandingRecord,
    Lease,
    Oid,
    Seen,
    Snapshot,
    State,
    Verdict,
)
from gitorch.core.names import Namespace, branch_ref
from gitorch.core.states import Event, attempts_used_up, step
from gitorch.core.verdicts import format_landing, format_verdict
from gitorch.core.writes import EventCommit, NotesAppend, Plan, RefUpdate

MAX_UPDATES = 50
"""Refs changed in one push: servers and hosts fail or throttle beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision is given besides the snapshot: where names are, the time, a fresh nonce, the limits."""

    namespace: Namespace
    now_ms: int
    nonce: str
    max_attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Lines to note, and the notes commit to put them on."""

    base: Oid | None
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a person or a worker hands in. `job` continues an existing job, otherwise `new_id` names the new one.
    `push_from` is the remote branch's present value where the branch is to be pushed along (None: it is new
    there). `graph` is the write that new edges of an existing job need."""

    branch: str
    head: Oid
    title: str
    target: str
    new_id: JobId
    priority: int | None = None
    after: tuple[JobId, ...] = ()
    job: Seen[Job] | None = None
    push: bool = False
    push_from: Oid | None = None
    graph: tuple[RefUpdate, ...] = ()


def job_update(
    ctx: Context,
    before: Seen[Job] | None,
    job: Job,
    event: Event,
    *,
    body: str = "",
    keeps: tuple[Oid, ...] = (),
    files: Mapping[str, bytes] | None = None,
) -> RefUpdate:
    """One event on a job's chain. `keeps` are commits that the event keeps alive."""
    previous = None if before is None else before.oid
    message = encode(job, event=event.value, subject=job.title, nonce=ctx.nonce, body=body)
    commit = EventCommit(message=message, time_ms=ctx.now_ms, previous=previous, keeps=keeps, files=dict(files or {}))
    return RefUpdate(ctx.namespace.job(job.id), previous, commit)


def freed(ctx: Context, job: Job, snapshot: Snapshot) -> tuple[RefUpdate, ...]:
    """The slot of a claim that ends comes free in the same push; nothing for a claim without one, or whose slot has
    other hands already."""
    seen = snapshot.slots.get(job.slot) if job.slot is not None else None
    if seen is None or not seen.record.held or (seen.record.job, seen.record.token) != (job.id, job.token):
        return ()
    slot = replace(seen.record, held=False, job=None, token=None, updated_ms=ctx.now_ms)
    message = encode(slot, event="free", subject=f"slot {slot.number}", nonce=ctx.nonce)
    commit = EventCommit(message=message, time_ms=ctx.now_ms, previous=seen.oid)
    return (RefUpdate(ctx.namespace.slot(slot.number), seen.oid, commit),)


def lease_update(
    ctx: Context, before: Seen[Lease] | None, lease: Lease, event: LeaseEvent, *, keep: Oid | None = None
) -> RefUpdate:
    """One event on a lease's chain. `keep` is the candidate that the event keeps alive."""
    assert before is None or lease.epoch >= before.record.epoch, "I5: an epoch never falls"
    previous = None if before is None else before.oid
    subject = lease.target if lease.job is None else f"{lease.target} for {lease.job}"
    message = encode(lease, event=event.value, subject=subject, nonce=ctx.nonce)
    commit = EventCommit(message=message, time_ms=ctx.now_ms, previous=previous, keeps=(keep,) if keep else ())
    return RefUpdate(ctx.namespace.lease(lease.target), previous, commit)


def notes_update(ctx: Context, notes: Notes, *landings: tuple[Oid, LandingRecord]) -> tuple[RefUpdate, ...]:
    """Verdicts on their trees, landings on their commits; nothing when there is nothing to note."""
    lines = [(verdict.tree, format_verdict(verdict)) for verdict in notes.verdicts]
    lines += [(commit, format_landing(landing)) for commit, landing in landings]
    if not lines:
        return ()
    subject = f"orch: {len(lines)} line{'s' if len(lines) > 1 else ''}\n\nNonce: {ctx.nonce}"
    append = NotesAppend(base=notes.base, lines=tuple(lines), subject=subject, time_ms=ctx.now_ms)
    return (RefUpdate(ctx.namespace.notes, notes.base, append),)


def plan_submit(ctx: Context, wanted: Submission, snapshot: Snapshot | None = None) -> Plan:
    """Hand in a head: a new job, or the next head of an existing one. Raises IllegalTransitionError."""
    before = wanted.job
    if before is None:
        job = _new_job(ctx, wanted)
    else:
        job = step(
            before.record,
            Event.SUBMIT,
            now_ms=ctx.now_ms,
            branch=wanted.branch,
            head=wanted.head,
            title=wanted.title,
            priority=before.record.priority if wanted.priority is None else wanted.priority,
            # Edges change only together with the graph (I6).
            after=wanted.after if wanted.graph else before.record.after,
            reason=None,
            worker=None,
            token=None,
            ttl_s=None,
            kept=False,
            slot=None,
        )
    updates = [job_update(ctx, before, job, Event.SUBMIT, keeps=(wanted.head,))]
    if before is not None and snapshot is not None:
        updates.extend(freed(ctx, before.record, snapshot))
    updates.extend(wanted.graph)
    if wanted.push:
        updates.append(RefUpdate(branch_ref(wanted.branch), wanted.push_from, wanted.head))
    return Plan(tuple(updates), f"submit {job.id}: {job.title}")


def _new_job(ctx: Context, wanted: Submission) -> Job:
    return Job(
        id=wanted.new_id,
        title=wanted.title,
        state=State.SUBMITTED,
        target=wanted.target,
        branch=wanted.branch,
        head=wanted.head,
        priority=wanted.priority or 0,
        after=wanted.after,
        created_ms=ctx.now_ms,
        updated_ms=ctx.now_ms,
    )


def plan_job_event(ctx: Context, seen: Seen[Job], event: Event, *, reason: str | None = None) -> Plan:
    """An event that changes nothing but the job: retry, requeue. Raises IllegalTransitionError."""
    job = step(seen.record, event, now_ms=ctx.now_ms, reason=reason)
    return Plan((job_update(ctx, seen, job, event),), f"{event.value} {job.id}")


def plan_acquire(
    ctx: Context,
    before: Seen[Lease] | None,
    *,
    target: str,
    holder: str,
    token: str,
    ttl_s: int,
    job: JobId | None = None,
    candidate: Candidate | None = None,
    reason: str | None = None,
) -> tuple[Plan, Lease]:
    """Take a lease that is free, dead or ours: its epoch rises."""
    lease = acquired(
        None if before is None else before.record,
        target=target,
        holder=holder,
        token=token,
        ttl_s=ttl_s,
        now_ms=ctx.now_ms,
        reason=reason,
    )
    lease = _naming(lease, job, candidate)
    update = lease_update(ctx, before, lease, LeaseEvent.ACQUIRE, keep=candidate.commit if candidate else None)
    return Plan((update,), f"acquire {target}"), lease


def plan_renew(
    ctx: Context, held: Seen[Lease], *, job: JobId | None = None, candidate: Candidate | None = None
) -> tuple[Plan, Lease]:
    """Show that the holder lives, and what it tests."""
    lease = replace(held.record, updated_ms=ctx.now_ms)
    if job is not None:
        lease = _naming(lease, job, candidate)
    news = candidate.commit if candidate and candidate.commit != held.record.candidate else None
    return Plan((lease_update(ctx, held, lease, LeaseEvent.RENEW, keep=news),), f"renew {lease.target}"), lease


def plan_release(
    ctx: Context, held: Seen[Lease], *, reason: str | None = None, event: LeaseEvent = LeaseEvent.RELEASE
) -> tuple[Plan, Lease]:
    """Give a lease up, or break somebody else's."""
    lease = released(held.record, now_ms=ctx.now_ms, reason=reason)
    return Plan((lease_update(ctx, held, lease, event),), f"{event.value} {lease.target}"), lease


def _naming(lease: Lease, job: JobId | None, candidate: Candidate | None) -> Lease:
    """The lease with what it is used for now; what was said about an earlier candidate goes."""
    return replace(
        lease,
        job=job,
        base=candidate.base if candidate else None,
        candidate=candidate.commit if candidate else None,
        tree=candidate.tree if candidate else None,
        gate=None,
        verdict=None,
    )


def _left(lease: Lease, now_ms: int, keep: bool) -> Lease:
    return replace(lease, updated_ms=now_ms) if keep else released(lease, now_ms=now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rework:
    """Why a job goes back: a conflict (no candidate) or a red gate, one sentence, and payloads for whoever repairs
    it."""

    event: Event
    reason: str
    body: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    candidate: Candidate | None = None
    gate: Gate | None = None


def plan_rework(
    ctx: Context, held: Seen[Lease], seen: Seen[Job], why: Rework, notes: Notes, *, keep: bool
) -> tuple[Plan, Lease]:
    """Send a job back under the lease; the target is untouched. `keep` holds the lease for a next job."""
    exhausted = attempts_used_up(seen.record, ctx.max_attempts)
    suffix = " (attempts used up)" if exhausted else ""
    reason = why.reason[: REASON_LIMIT - len(suffix)].rstrip() + suffix
    job = step(seen.record, why.event, now_ms=ctx.now_ms, max_attempts=ctx.max_attempts, reason=reason)
    lease = _naming(held.record, job.id, why.candidate)
    if why.candidate is not None:
        lease = replace(lease, verdict=Color.RED, gate=why.gate.digest if why.gate else None)
    lease = _left(lease, ctx.now_ms, keep)
    updates = (
        job_update(ctx, seen, job, why.event, body=why.body, files=why.files),
        lease_update(ctx, held, lease, LeaseEvent.REWORK, keep=why.candidate.commit if why.candidate else None),
        *notes_update(ctx, notes),
    )
    return Plan(updates, f"{why.event.value} {job.id}: {why.reason}"), lease


def plan_target_red(ctx: Context, held: Seen[Lease], notes: Notes, reason: str) -> tuple[Plan, Lease]:
    """Stop landing because the target itself is red: the verdicts are noted, no job is blamed, the lease is freed."""
    lease = released(held.record, now_ms=ctx.now_ms, reason=reason)
    updates = (lease_update(ctx, held, lease, LeaseEvent.RELEASE), *notes_update(ctx, notes))
    return Plan(updates, f"release {lease.target}: {reason}"), lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What lands: a candidate with a green verdict for `gate`. `move_branch` says that the job's own branch follows."""

    candidate: Candidate
    gate: Gate
    move_branch: bool


def plan_land(
    ctx: Context, held: Seen[Lease], seen: Seen[Job], landing: Landing, notes: Notes, *, keep: bool
) -> tuple[Plan, Lease]:
    """The commit point (I1, I2): target, lease, job, notes and branch in one push. Before it nothing happened,
    after it all did."""
    candidate, job = landing.candidate, seen.record
    assert candidate.commit != candidate.base, "I1: a landing moves the target"
    assert held.record.held and held.record.target == job.target, "I5: a target moves under its own lease"
    assert job.head is not None
    lease = replace(_naming(held.record, job.id, candidate), gate=landing.gate.digest, verdict=Color.GREEN)
    lease = _left(lease, ctx.now_ms, keep)
    done = step(job, Event.LAND, now_ms=ctx.now_ms, landed=candidate.commit, reason=None)
    record = _landing_record(ctx, job, candidate, landing.gate)
    updates = [
        RefUpdate(branch_ref(job.target), candidate.base, candidate.commit),
        lease_update(ctx, held, lease, LeaseEvent.LAND, keep=candidate.commit),
        job_update(ctx, seen, done, Event.LAND),
        *notes_update(ctx, notes, (candidate.commit, record)),
    ]
    if landing.move_branch and job.branch is not None and job.branch != job.target and candidate.commit != job.head:
        updates.append(RefUpdate(branch_ref(job.branch), job.head, candidate.commit))
    return Plan(tuple(updates), f"land {job.id}: {job.title}"), lease


def _landing_record(ctx: Context, job: Job, candidate: Candidate, gate: Gate | None) -> LandingRecord:
    assert job.head is not None
    return LandingRecord(
        job=job.id,
        target=job.target,
        head=job.head,
        base=candidate.base,
        time_ms=ctx.now_ms,
        branch=job.branch,
        gate=gate.digest if gate else None,
    )


def plan_landed_already(
    ctx: Context, seen: Seen[Job], landed: Oid, held: Seen[Lease] | None, *, keep: bool = False
) -> tuple[Plan, Lease | None]:
    """The job's work is on the target already: it is done. A lease that is held for it is freed in the same push."""
    job = step(seen.record, Event.LAND, now_ms=ctx.now_ms, landed=landed, reason=None)
    updates = [job_update(ctx, seen, job, Event.LAND, body="Its work was on the target already.")]
    lease = None
    if held is not None:
        lease = _left(held.record, ctx.now_ms, keep)
        updates.append(lease_update(ctx, held, lease, LeaseEvent.LAND))
    return Plan(tuple(updates), f"land {job.id}: it was there already"), lease


def plan_gate_green(
    ctx: Context, held: Seen[Lease], seen: Seen[Job], landing: Landing, notes: Notes
) -> tuple[Plan, Lease]:
    """`gate`: the candidate is green and the lease stays held until something else has merged it. A moved head
    becomes the job's head, and its branch follows, so that whatever merges the branch merges the tested tree."""
    candidate, job = landing.candidate, seen.record
    lease = replace(
        _naming(held.record, job.id, candidate),
        gate=landing.gate.digest,
        verdict=Color.GREEN,
        updated_ms=ctx.now_ms,
    )
    updates = [lease_update(ctx, held, lease, LeaseEvent.VERDICT, keep=candidate.commit)]
    if candidate.commit != job.head:
        moved = step(job, Event.CATCH_UP, now_ms=ctx.now_ms, head=candidate.commit)
        updates.append(job_update(ctx, seen, moved, Event.CATCH_UP, keeps=(candidate.commit,)))
        if landing.move_branch and job.branch is not None and job.branch != job.target:
            updates.append(RefUpdate(branch_ref(job.branch), job.head, candidate.commit))
    updates.extend(notes_update(ctx, notes))
    return Plan(tuple(updates), f"green {job.id}"), lease


def plan_settle(
    ctx: Context, seen: Seen[Job], candidate: Candidate, landed: Oid, lease: Seen[Lease] | None, notes: Notes
) -> Plan:
    """The tested tree arrived on the target by other hands as the commit `landed`: record it, free the lease."""
    job = step(seen.record, Event.LAND, now_ms=ctx.now_ms, landed=landed, reason=None)
    record = _landing_record(ctx, seen.record, candidate, None)
    updates = [job_update(ctx, seen, job, Event.LAND), *notes_update(ctx, notes, (landed, record))]
    if lease is not None:
        after = released(lease.record, now_ms=ctx.now_ms)
        updates.append(lease_update(ctx, lease, after, LeaseEvent.SETTLE))
    return Plan(tuple(updates), f"settle {job.id}")


def plan_verdict(ctx: Context, notes: Notes) -> Plan:
    """Note a verdict that was reached elsewhere."""
    return Plan(notes_update(ctx, notes), "verdict")
