"""Changing jobs that exist: what they say of themselves, and what they wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitorch.core.errors import UsageError
from gitorch.core.model import AFTER_LIMIT, Job, JobId, Snapshot, State
from gitorch.core.observation import advance
from gitorch.core.plan_queue import Changes, plan_edges, plan_edit
from gitorch.core.queue import states_of
from gitorch.core.states import Event, IllegalTransitionError, next_state
from gitorch.core.writes import OutcomeKind, Plan
from gitorch.engine.edges import check_no_cycle, settled_snapshot
from gitorch.engine.exchange import MAX_ROUNDS, exchange, pause, publish, too_busy
from gitorch.engine.lookup import find_any
from gitorch.engine.world import World


def edit(world: World, word: str, changes: Changes) -> tuple[Job, Mapping[JobId, State]]:
    """Change a job; the job afterwards, and the states of all. Raises UsageError for an unknown job, and
    IllegalTransitionError for a finished one."""
    chosen: list[JobId] = []

    def decide(snapshot: Snapshot) -> Plan:
        seen = find_any(world, snapshot, word)
        chosen[:] = [seen.record.id]
        if changes.branch and changes.branch == seen.record.target:
            raise UsageError("the branch of a job cannot be the target that it lands on", hint="git orch edit -h")
        return plan_edit(world.context(), seen, changes)

    snapshot, plan, outcome = exchange(world, (), decide)
    assert isinstance(plan, Plan) and outcome is not None
    after = advance(world.namespace, snapshot, plan, outcome.oids)
    return after.jobs[chosen[0]].record, states_of(after)


@dataclass(frozen=True, slots=True)
class EdgesResult:
    """What became of an edit of edges; `changed` is False where all was as wanted already."""

    job: Job
    states: Mapping[JobId, State]
    changed: bool


def change_edges(world: World, word: str, dependencies: Sequence[str], *, remove: bool) -> EdgesResult:
    """Let a job wait for others too, or not any more. Raises CycleError for what would close a cycle (I6), UsageError
    for unknown jobs, IllegalTransitionError for a job that is finished."""
    for _ in range(MAX_ROUNDS):
        snapshot = settled_snapshot(world)
        seen = find_any(world, snapshot, word)
        job = seen.record
        if next_state(job.state, Event.EDIT) is None:
            raise IllegalTransitionError(job.id, job.state, Event.EDIT)
        wanted = _wanted(world, snapshot, job, dependencies, remove=remove)
        if wanted == job.after:
            return EdgesResult(job, states_of(snapshot), False)
        check_no_cycle(snapshot, job.id, [d for d in wanted if d not in job.after])
        plan = plan_edges(world.context(), snapshot, seen, wanted)
        outcome = publish(world, plan)
        if outcome.kind is OutcomeKind.PUBLISHED:
            after = advance(world.namespace, snapshot, plan, outcome.oids)
            return EdgesResult(after.jobs[job.id].record, states_of(after), True)
        pause(world)
    raise too_busy()


def _wanted(world: World, snapshot: Snapshot, job: Job, words: Sequence[str], *, remove: bool) -> tuple[JobId, ...]:
    if remove:
        # What is gone for good can only be named by its exact id.
        ids = [JobId(w) if JobId(w) in job.after else find_any(world, snapshot, w).record.id for w in words]
        strange = [d for d in ids if d not in job.after]
        if strange and len(strange) == len(ids):
            raise UsageError(f"job {job.id} does not wait for {strange[0]}", hint=f"git orch show {job.id}")
        return tuple(d for d in job.after if d not in ids)
    ids = [find_any(world, snapshot, word).record.id for word in words]
    wanted = tuple(dict.fromkeys([*job.after, *ids]))
    if len(wanted) > AFTER_LIMIT:
        raise UsageError(f"a job waits for at most {AFTER_LIMIT} others", hint=f"git orch show {job.id}")
    return wanted
