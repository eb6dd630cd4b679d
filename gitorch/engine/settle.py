"""Recording that a tested tree reached its target by other hands: a forge's button, a protected branch, a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gitorch.core.errors import UsageError
from gitorch.core.model import Candidate, Job, JobId, Lease, Oid, Seen, Snapshot, State
from gitorch.core.observation import advance
from gitorch.core.plan import Notes, plan_settle
from gitorch.core.queue import is_ready, open_dependencies, states_of
from gitorch.core.states import Event, IllegalTransitionError, next_state
from gitorch.core.text import typed
from gitorch.core.writes import Plan
from gitorch.engine.exchange import exchange
from gitorch.engine.lookup import find_any
from gitorch.engine.world import World


class SettleEnd(Enum):
    SETTLED = "settled"
    ALREADY = "already"
    NOT_YET = "not-yet"
    OVERTAKEN = "overtaken"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleResult:
    """What was found. OVERTAKEN: the target moved, but not to the tested tree. BLOCKED: it arrived, and the job waits
    for others (`waits_for`) since it was tested; `reap` finishes it after them (I6)."""

    end: SettleEnd
    job: Job
    landed: Oid | None = None
    lease: Lease | None = None
    tip: Oid | None = None
    waits_for: tuple[JobId, ...] = ()


def settle(world: World, target: str, word: str | None) -> SettleResult:
    """Look whether the candidate of the named job (or of the job that the target's lease names) arrived on the
    target. Anybody may do this: it states a fact that everybody can check. Raises UsageError for an unknown job or
    one that was never tested."""
    snapshot, decision, outcome = exchange(world, {target}, lambda seen: _decide(world, target, word, seen))
    if not isinstance(decision, Plan):
        return decision
    assert outcome is not None
    after = advance(world.namespace, snapshot, decision, outcome.oids)
    done = next(s.record for i, s in after.jobs.items() if snapshot.jobs.get(i) != s)
    lease = after.leases.get(target)
    return SettleResult(
        end=SettleEnd.SETTLED,
        job=done,
        landed=done.landed,
        lease=lease.record if lease else None,
        tip=after.tip(target),
    )


def _decide(world: World, target: str, word: str | None, snapshot: Snapshot) -> Plan | SettleResult:
    lease = snapshot.leases.get(target)
    seen = _job(world, snapshot, lease, target, word)
    job, tip = seen.record, snapshot.tip(target)
    if job.state is State.DONE:
        return SettleResult(end=SettleEnd.ALREADY, job=job, landed=job.landed, tip=tip)
    if job.target != target:
        raise UsageError(
            f"job {job.id} is for {job.target}, not for {target}",
            hint=f"git orch settle {job.id} --target {typed(job.target)}",
        )
    if next_state(job.state, Event.LAND) is None:
        raise IllegalTransitionError(job.id, job.state, Event.LAND)
    candidate = _candidate(world, job, lease)
    if tip is None or job.head is None or candidate is None:
        raise UsageError(f"job {job.id} was not tested for {target}", hint=f"git orch gate {job.id}")
    landed = _arrived(world, candidate, tip)
    if landed is None:
        end = SettleEnd.NOT_YET if tip == candidate.base else SettleEnd.OVERTAKEN
        return SettleResult(end=end, job=job, tip=tip, lease=lease.record if lease else None)
    states = states_of(snapshot)
    if not is_ready(job, states, missing_holds=world.missing_holds):
        return SettleResult(
            end=SettleEnd.BLOCKED, job=job, landed=landed, tip=tip, waits_for=tuple(open_dependencies(job, states))
        )
    ours = lease if lease is not None and lease.record.held and lease.record.job == job.id else None
    return plan_settle(world.context(), seen, candidate, landed, ours, Notes(base=snapshot.notes))


def _job(world: World, snapshot: Snapshot, lease: Seen[Lease] | None, target: str, word: str | None) -> Seen[Job]:
    if word is not None:
        return find_any(world, snapshot, word)
    job_id: JobId | None = lease.record.job if lease is not None and lease.record.held else None
    if job_id is None or job_id not in snapshot.jobs:
        raise UsageError(f"the lease of {target} names no job to settle", hint="git orch status")
    return snapshot.jobs[job_id]


def _candidate(world: World, job: Job, lease: Seen[Lease] | None) -> Candidate | None:
    """What was tested for this job: the head that `gate` left. The lease says on what it was built, while it names that
    head: another one was handed in since, and must not count as landed with it (I2)."""
    if job.head is None:
        return None
    if lease is not None and lease.record.candidate == job.head and lease.record.base:
        return Candidate(job.head, lease.record.tree or world.history.tree_of(job.head), lease.record.base)
    return Candidate(job.head, world.history.tree_of(job.head), job.head)


def _arrived(world: World, candidate: Candidate, tip: Oid) -> Oid | None:
    """The commit of the target that carries the tested tree: the candidate itself, or what a forge made of it."""
    if world.history.is_ancestor(candidate.commit, tip):
        return candidate.commit
    return world.history.with_tree(candidate.tree, candidate.base, tip)
