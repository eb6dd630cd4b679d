"""Small changes to one job or one tree: cancel, retry, and verdicts that were reached elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gitorch.core.errors import UsageError
from gitorch.core.gates import Gate
from gitorch.core.model import Color, Job, JobId, Oid, Seen, Snapshot, State, Verdict
from gitorch.core.observation import advance
from gitorch.core.plan import Context, Notes, plan_job_event, plan_verdict
from gitorch.core.plan_queue import plan_leave
from gitorch.core.queue import states_of
from gitorch.core.states import Event
from gitorch.core.verdicts import parse_verdicts
from gitorch.core.writes import Plan
from gitorch.engine.exchange import exchange, require_readable
from gitorch.engine.lookup import find_any
from gitorch.engine.world import World

URL_LIMIT = 1_000
"""Characters of the address of a run; a note has one line for all of a verdict."""


def change_job(world: World, word: str, event: Event, reason: str | None = None) -> tuple[Job, Mapping[JobId, State]]:
    """One event on the job that `word` names; the job afterwards, and the states of all. Raises UsageError for an
    unknown job or one that the event does not fit."""
    chosen: list[Job] = []

    def decide(snapshot: Snapshot) -> Plan:
        seen = find_any(world, snapshot, word)
        chosen[:] = [seen.record]
        return _plan(world.context(), snapshot, seen, event, reason)

    snapshot, plan, outcome = exchange(world, (), decide)
    assert isinstance(plan, Plan) and outcome is not None
    after = advance(world.namespace, snapshot, plan, outcome.oids)
    return after.jobs[chosen[0].id].record, states_of(after)


def _plan(ctx: Context, snapshot: Snapshot, seen: Seen[Job], event: Event, reason: str | None) -> Plan:
    """`retry` gives a job back what it needs for another try; whatever else ends a claim frees its slot, too."""
    job = seen.record
    if event is Event.RETRY and job.state is State.REWORK and job.head is None:
        # Nobody has handed in anything yet, so there is nothing to submit again.
        return plan_job_event(ctx, seen, Event.REQUEUE, reason=reason)
    if event is Event.RETRY and job.state is State.FAILED:
        again = replace(job, attempt=0)
        return plan_job_event(ctx, Seen(seen.oid, again), event, reason=reason)
    if event is Event.CANCEL:
        return plan_leave(ctx, snapshot, seen, event, reason=reason)
    return plan_job_event(ctx, seen, event, reason=reason)


def record_verdict(world: World, tree: Oid, gate: Gate, color: Color, url: str | None) -> Verdict:
    """Note a verdict for a tree under a gate. Raises UsageError for a URL that no reader would take, DamagedError for
    notes that cannot be read."""
    if url is not None and len(url) > URL_LIMIT:
        raise UsageError(
            f"the URL has {len(url)} characters, and {URL_LIMIT} are read",
            hint="git orch verdict COMMIT green --url URL",
        )
    verdict = Verdict(color=color, tree=tree, gate=gate.digest, time_ms=world.clock.now_ms(), by=world.holder, url=url)

    def decide(snapshot: Snapshot) -> Plan:
        require_readable(snapshot, world.namespace.notes, "the notes with the verdicts")
        return plan_verdict(world.context(), Notes(base=snapshot.notes, verdicts=(verdict,)))

    exchange(world, (), decide)
    return verdict


def verdicts_on(world: World, snapshot: Snapshot, tree: Oid) -> list[Verdict]:
    """All verdicts that are noted for a tree, oldest first, whatever the gate. Raises DamagedError for notes that
    cannot be read."""
    require_readable(snapshot, world.namespace.notes, "the notes with the verdicts")
    return [v for v in parse_verdicts(world.store.notes(snapshot, [tree]).get(tree, "")) if v.tree == tree]
