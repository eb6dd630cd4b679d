"""Why a job is where it is: what it waits for, who holds it and for how long, and the next command. Pure.

Nothing here is a decision: what is said follows the rules that the engine acts by. No hint destroys anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitorch.core.looking import Look, cycles
from gitorch.core.model import Derived, Job, JobId, Seen, State
from gitorch.core.queue import CLAIMABLE, derived, open_dependencies, order_key
from gitorch.core.text import duration, escape, typed
from gitorch.render import age, lease_text

NAMED = 10
"""Dependencies that a sentence names."""


@dataclass(frozen=True, slots=True)
class Why:
    """A sentence or two, and the next command."""

    reason: str
    hint: str


def why(look: Look, job: Job) -> Why:
    """Why a job of this look (or an archived one) is where it is."""
    if job.state is State.DONE:
        return _done(job)
    if job.state is State.CANCELLED:
        return Why("it was cancelled" + _because(job), f"git orch log {job.id}")
    if job.state is State.FAILED:
        return Why(f"its attempts are used up{_because(job, 'no reason was given')}", f"git orch retry {job.id}")
    if job.state is State.CLAIMED:
        return _claimed(look, job)
    held = derived(job, look.states, missing_holds=look.missing_holds)
    if held is Derived.BLOCKED:
        return _blocked(look, job)
    if held is Derived.WAITING:
        return _waiting(look, job)
    found = _submitted(look, job) if job.state is State.SUBMITTED else _claimable(look, job)
    lost = _lost(look, job)
    note = f" (it does not wait for {_list(lost)}, which vanished: see git orch fsck)" if lost else ""
    return Why(found.reason + note, found.hint)


def why_json(look: Look, job: Job) -> dict[str, Any]:
    """The same for scripts, beside the job: `waits_for` with the state and worker of each, `dead_in` in seconds for a
    claim as this clone sees it."""
    found = why(look, job)
    waits = [{"id": d, "state": _state(look, d), "worker": _worker(look, d)} for d in _holding(look, job)]
    dead_in = round(look.dead_in_s(job), 1) if job.state is State.CLAIMED else None
    cycle = _cycle(look, job)
    return {
        "why": found.reason,
        "next": found.hint,
        "waits_for": waits,
        "cycle": list(cycle) if cycle else None,
        "dead_in": dead_in,
    }


def _because(job: Job, otherwise: str = "") -> str:
    reason = escape(job.reason) if job.reason else otherwise
    return f": {reason}" if reason else ""


def _done(job: Job) -> Why:
    if job.landed is None:
        return Why("its worker said that it is done; nothing had to land" + _because(job), f"git orch log {job.id}")
    return Why(f"it landed on {escape(job.target)} as {job.landed}", f"git show {job.landed}")


# -- held by somebody


def _claimed(look: Look, job: Job) -> Why:
    who, since = escape(job.worker or "somebody"), age(job.updated_ms, look.now_ms)
    seen = look.snapshot.workers.get(job.worker or "")
    at = f" ({escape(seen.record.holder)})" if seen is not None else ""
    left_s = look.dead_in_s(job)
    silent = f"no sign of life was seen here for {duration(look.silent_s(job))}"
    if left_s == 0:
        return Why(f"{who}{at} claimed it {since} ago and is silent: {silent}, so it counts as dead", "git orch reap")
    kept = "" if job.kept else "; no process renews this claim"
    text = f"{who}{at} works on it since {since}; {silent}{kept}; without one it is dead in {duration(left_s)}"
    if job.kept and seen is None:
        text += "; the worker has no ref, so only the job's own events count"
    elif job.kept and seen is not None and not seen.record.present:
        text += "; the worker has left"
    return Why(text, f"git orch log {job.id}")


# -- held back by others


def _holding(look: Look, job: Job) -> list[JobId]:
    """What a job waits for and is not done; what vanished counts where it holds the job back."""
    still_open = open_dependencies(job, look.states)
    return still_open + (_lost(look, job) if look.missing_holds else [])


def _lost(look: Look, job: Job) -> list[JobId]:
    return [d for d in job.after if d not in look.states]


def _state(look: Look, job: JobId) -> str:
    return look.states[job].value if job in look.states else "vanished"


def _record(look: Look, job: JobId) -> Job | None:
    seen: Seen[Job] | None = look.snapshot.jobs.get(job) or look.snapshot.archived.get(job)
    return None if seen is None else seen.record


def _worker(look: Look, job: JobId) -> str | None:
    record = _record(look, job)
    return record.worker if record is not None and record.state is State.CLAIMED else None


def _list(ids: list[JobId]) -> str:
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")


def _cycle(look: Look, job: Job) -> tuple[JobId, ...] | None:
    if job.id not in look.states.cyclic:
        return None
    found = cycles(look.snapshot.jobs.values(), look.states.cyclic)
    return next((path for path in found if job.id in path), None) or (job.id,)


def _blocked(look: Look, job: Job) -> Why:
    cycle = _cycle(look, job)
    if cycle is not None:
        return Why(f"it waits for itself, on the cycle {' -> '.join(cycle[:NAMED])}", f"git orch graph {job.id}")
    ended = [d for d in job.after if look.states.get(d) in (State.FAILED, State.CANCELLED)]
    if ended:
        named = []
        for dependency in ended[:NAMED]:
            record = _record(look, dependency)
            named.append(f"{dependency}, which is {_state(look, dependency)}{_because(record) if record else ''}")
        more = f"; and {len(ended) - NAMED} more" if len(ended) > NAMED else ""
        text = f"it is blocked by {'; and by '.join(named)}{more}"
        if look.states[ended[0]] is State.FAILED:
            return Why(text, f"git orch retry {ended[0]}")
        # Whether a job can do without what was cancelled is for a person to say: the hint only looks.
        return Why(f"{text} (`git orch after {job.id} {ended[0]} --remove`, if it can do without)", _show(ended[0]))
    lost = _lost(look, job)
    return Why(
        f"it is blocked by {_list(lost)}: gone from the queue and from the archive (orch.missingDependency = closed)",
        "git orch fsck",
    )


def _show(job: JobId) -> str:
    return f"git orch show {job}"


def _waiting(look: Look, job: Job) -> Why:
    waits = open_dependencies(job, look.states)
    named = []
    for dependency in waits[:NAMED]:
        worker = _worker(look, dependency)
        named.append(f"{dependency} ({_state(look, dependency)}{f' by {escape(worker)}' if worker else ''})")
    more = f" and {len(waits) - NAMED} more" if len(waits) > NAMED else ""
    return Why(f"it waits for {', '.join(named)}{more}", f"git orch why {waits[0]}")


# -- held back by nothing


def _submitted(look: Look, job: Job) -> Why:
    lease = look.snapshot.leases.get(job.target)
    if lease is not None and lease.record.held:
        word = "it is being landed" if lease.record.job == job.id else "another landing is under way"
        line = lease_text(lease.record, job.target, look.now_ms)
        return Why(f"{word}: {line}", f"git orch land --wait {job.id}")
    ahead = _ahead(look, job, frozenset({State.SUBMITTED}))
    place = f", {ahead} before it" if ahead else ", first in line"
    return Why(f"it is ready to land{place}, and nobody is landing now", f"git orch land {job.id}")


def _ahead(look: Look, job: Job, wanted: frozenset[State]) -> int:
    """How many ready jobs of its target go before it."""
    key = order_key(job, look.states)
    others = (seen.record for seen in look.snapshot.jobs.values())
    return sum(
        1
        for other in others
        if other.state in wanted
        and other.target == job.target
        and order_key(other, look.states) < key
        and derived(other, look.states, missing_holds=look.missing_holds) is Derived.READY
    )


def _claimable(look: Look, job: Job) -> Why:
    """Queued or in rework, and waiting for nothing."""
    ahead = _ahead(look, job, CLAIMABLE)
    place = f"{ahead} before it" if ahead else "first in line"
    if job.state is State.REWORK:
        text = f"it needs rework{_because(job, 'no reason was given')}"
    else:
        text = f"it is queued, {place}, and nobody has taken it yet"
        if job.reason:
            text += f" (last time: {escape(job.reason)})"
    if look.slots_full():
        claim = look.claims[0].record.id if look.claims else None
        text += f"; all {look.slots} slots are taken (orch.maxConcurrency)"
        return Why(text, f"git orch why {claim}" if claim else "git orch status")
    around = look.around()
    text += f"; {len(around)} worker{'s' if len(around) > 1 else ''} around" if around else "; no worker is around"
    if job.state is State.REWORK and job.branch is not None:
        branch = typed(job.branch)
        return Why(text, f"repair {branch}, then git orch submit {branch} (`git orch show {job.id}` shows the log)")
    return Why(text, f"git orch show {job.id}" if around else f"git orch claim {job.id}")
