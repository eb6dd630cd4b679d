"""`git orch status`: targets, leases, and what is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitorch.cli.opening import make_target_hint, opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Job, JobId, Snapshot, State

SHOWN = 15


def run(target: Target = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Show where everything stands: who holds which lease, what is ready to land, what needs a person, and the next
    command."""
    with opened(remote=remote, target=target) as here:
        snapshot = here.world.store.observe({here.session.target})
        _remember_leases(here, snapshot)
        return Answer(data=_data(here, snapshot), text=_text(here, snapshot), hint=_next(here, snapshot))


def _remember_leases(here: Opened, snapshot: Snapshot) -> None:
    """Looking is an observation: a later command may find a holder dead because of it."""
    for name, seen in snapshot.leases.items():
        if seen.record.held:
            here.world.memory.unchanged_s(here.world.namespace.lease(name), seen.oid)


def _targets(here: Opened, snapshot: Snapshot) -> list[str]:
    named = {seen.record.target for seen in snapshot.jobs.values()} | set(snapshot.leases)
    return [here.session.target, *sorted(named - {here.session.target})]


def _data(here: Opened, snapshot: Snapshot) -> dict[str, Any]:
    from gitorch.core.queue import states_of
    from gitorch.render import counts, damage_json, job_json, lease_json, ordered

    states = states_of(snapshot.jobs)
    names = _targets(here, snapshot)
    return {
        "remote": here.session.remote,
        "targets": [{"target": n, "tip": snapshot.heads.get(n)} for n in names],
        "jobs": [job_json(job, states) for job in ordered(snapshot.jobs.values())],
        "leases": [lease_json(snapshot.leases[n].record if n in snapshot.leases else None, n) for n in names],
        "workers": [],
        "counts": counts(snapshot.jobs),
        "damaged": damage_json(snapshot.damaged),
    }


def _text(here: Opened, snapshot: Snapshot) -> str:
    from gitorch.core.model import State
    from gitorch.core.queue import states_of
    from gitorch.core.text import escape
    from gitorch.render import damage_text, lease_text, ordered

    now_ms, states = here.world.clock.now_ms(), states_of(snapshot.jobs)
    where = "this repository itself" if here.session.is_self else f"remote {escape(here.session.remote)}"
    tip = snapshot.tip(here.session.target)
    lines = [f"on {where}, {here.session.target} is at {tip[:12] if tip else 'nothing: it does not exist there'}"]
    for name in _targets(here, snapshot):
        seen = snapshot.leases.get(name)
        damaged = snapshot.damage_of(here.world.namespace.lease(name)) is not None
        state = f"{escape(name)}: not readable" if damaged else lease_text(seen.record if seen else None, name, now_ms)
        lines.append(f"lease of {state}")
    text = "\n".join(lines) + "\n"
    jobs = ordered(snapshot.jobs.values())
    for title, wanted in (
        ("needs attention", (State.REWORK, State.FAILED)),
        ("to land", (State.SUBMITTED,)),
        ("in work", (State.CLAIMED,)),
        ("queued", (State.QUEUED,)),
    ):
        text += _section(title, [job for job in jobs if job.state in wanted], states, now_ms)
    done = sum(1 for job in jobs if job.state in (State.DONE, State.CANCELLED))
    return text + (f"\n{done} finished\n" if done else "") + damage_text(snapshot.damaged)


def _section(title: str, jobs: list[Job], states: dict[JobId, State], now_ms: int) -> str:
    from gitorch.core.text import escape, shorten
    from gitorch.render import jobs_table

    if not jobs:
        return ""
    text = f"\n{title}\n" + jobs_table(jobs[:SHOWN], states, now_ms)
    for job in jobs[:SHOWN]:
        if job.reason:
            text += f"  {job.id}: {shorten(escape(job.reason), 110)}\n"
    return text + (f"  and {len(jobs) - SHOWN} more: git orch list\n" if len(jobs) > SHOWN else "")


def _next(here: Opened, snapshot: Snapshot) -> str:
    """The one next action that makes sense now."""
    from gitorch.core.model import State
    from gitorch.core.queue import to_land

    target = here.session.target
    if snapshot.damage_of(here.world.namespace.lease(target)) or snapshot.damage_of(here.world.namespace.notes):
        return "git orch doctor"
    if snapshot.tip(target) is None:
        return make_target_hint(here.session)
    if to_land(snapshot.jobs, target):
        lease = snapshot.leases.get(target)
        return "git orch land --all --wait" if lease is not None and lease.record.held else "git orch land --all"
    stuck = [s.record for s in snapshot.jobs.values() if s.record.state in (State.REWORK, State.FAILED)]
    if stuck:
        return f"git orch why {min(stuck, key=lambda job: job.updated_ms).id}"
    return "git orch submit BRANCH"
