"""`git orch status`: targets, leases, and what is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitorch.cli.opening import make_target_hint, opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.looking import Look


def run(target: Target = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Show where everything stands: who holds which lease, what needs a person, what is ready to land, who works on
    what, which workers are around, and the next command.

    Looking is an observation: a later command may find a holder or a worker dead because of it.
    """
    from gitorch.cli.commands.why import slots_limit
    from gitorch.engine.looking import look

    with opened(remote=remote, target=target) as here:
        snapshot = here.world.store.observe({here.session.target})
        seen = look(here.world, snapshot, slots=slots_limit(here, here.session.target, snapshot))
        # Only what is printed is made: with ten thousand jobs the other form costs as much as the rest.
        data = _data(here, seen) if as_json else None
        return Answer(data=data, text="" if as_json else _text(here, seen), hint=_next(here, seen))


def _targets(here: Opened, seen: Look) -> list[str]:
    snapshot = seen.snapshot
    named = {found.record.target for found in snapshot.jobs.values()} | set(snapshot.leases)
    return [here.session.target, *sorted(named - {here.session.target})]


def _data(here: Opened, seen: Look) -> dict[str, Any]:
    from gitorch.render import counts, damage_json, job_json, lease_json, ordered, worker_json
    from gitorch.render_status import slots_json, warnings

    snapshot, states, holds = seen.snapshot, seen.states, seen.missing_holds
    names = _targets(here, seen)
    workers = [found.record for _, found in sorted(snapshot.workers.items())]
    return {
        "remote": here.session.remote,
        "targets": [{"target": n, "tip": snapshot.heads.get(n)} for n in names],
        "jobs": [job_json(job, states, missing_holds=holds) for job in ordered(snapshot.jobs.values(), states)],
        "leases": [lease_json(snapshot.leases[n].record if n in snapshot.leases else None, n) for n in names],
        "workers": [worker_json(worker, seen) for worker in workers],
        "slots": slots_json(seen),
        "counts": counts(snapshot, states, missing_holds=holds),
        "warnings": warnings(seen),
        "damaged": damage_json(snapshot.damaged),
    }


def _text(here: Opened, seen: Look) -> str:
    from gitorch.core.text import escape
    from gitorch.render import damage_text, lease_text
    from gitorch.render_status import status_text

    snapshot = seen.snapshot
    where = "this repository itself" if here.session.is_self else f"remote {escape(here.session.remote)}"
    tip = snapshot.tip(here.session.target)
    lines = [f"on {where}, {here.session.target} is at {tip[:12] if tip else 'nothing: it does not exist there'}"]
    for name in _targets(here, seen):
        found = snapshot.leases.get(name)
        damaged = snapshot.damage_of(here.world.namespace.lease(name)) is not None
        line = lease_text(found.record if found else None, name, seen.now_ms)
        lines.append(f"lease of {escape(name)}: not readable" if damaged else f"lease of {line}")
    return "\n".join(lines) + "\n" + status_text(seen) + damage_text(snapshot.damaged)


def _next(here: Opened, seen: Look) -> str:
    """The one next action that makes sense now."""
    from gitorch.core.queue import to_land
    from gitorch.render_status import next_command

    target, snapshot = here.session.target, seen.snapshot
    if here.session.store.lost():
        return "git orch restore -n (the remote lost state that this clone has seen)"
    if snapshot.damage_of(here.world.namespace.lease(target)) or snapshot.damage_of(here.world.namespace.notes):
        return "git orch doctor"
    if snapshot.tip(target) is None:
        return make_target_hint(here.session)
    ready = bool(to_land(snapshot, target, missing_holds=seen.missing_holds))
    return next_command(seen, ready, target)
