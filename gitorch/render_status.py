"""Where everything stands, for people: leases, jobs by what can be done about them, workers, slots, damage. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitorch.core.looking import Look, cycles, vanished
from gitorch.core.model import Derived, Job, JobId, State
from gitorch.core.queue import derived
from gitorch.core.text import columns, duration, escape, shorten
from gitorch.render import age, jobs_table, ordered, table

SHOWN = 15
"""Jobs (and workers) that a section shows."""

_ATTENTION, _LAND, _WORK, _READY, _WAITING = "needs attention", "to land", "in work", "ready", "waiting"
SECTIONS = (_ATTENTION, _LAND, _WORK, _READY, _WAITING)


def sections(look: Look) -> dict[str, list[Job]]:
    """The unfinished jobs by what can be done about them, each in the order in which they are taken."""
    found: dict[str, list[Job]] = {name: [] for name in SECTIONS}
    for job in ordered(look.snapshot.jobs.values(), look.states):
        name = _section_of(look, job)
        if name is not None:
            found[name].append(job)
    return found


def _section_of(look: Look, job: Job) -> str | None:
    if job.state in (State.REWORK, State.FAILED):
        return _ATTENTION
    if job.state is State.CLAIMED:
        return _WORK
    word = derived(job, look.states, missing_holds=look.missing_holds)
    if word is Derived.BLOCKED:
        return _ATTENTION
    if word is Derived.WAITING:
        return _WAITING
    return {State.SUBMITTED: _LAND, State.QUEUED: _READY}.get(job.state)


def status_text(look: Look) -> str:
    """The sections, workers, slots, and what is wrong; a section without anything in it is left out."""
    text = ""
    for name, jobs in sections(look).items():
        if jobs:
            shown = jobs[:SHOWN]
            body = _work_table(look, shown) if name == _WORK else _plain_table(look, shown)
            more = f"  and {len(jobs) - SHOWN} more: git orch list\n" if len(jobs) > SHOWN else ""
            text += f"\n{name}\n{body}{more}"
    text += _workers_text(look) + _slots_text(look)
    finished = sum(1 for seen in look.snapshot.jobs.values() if seen.record.state in (State.DONE, State.CANCELLED))
    text += f"\n{finished} finished\n" if finished else ""
    found = warnings(look)
    return text + ("\nwarnings\n" + "".join(f"  {line}\n" for line in found) if found else "")


def _plain_table(look: Look, jobs: Sequence[Job]) -> str:
    text = jobs_table(jobs, look.states, look.now_ms, missing_holds=look.missing_holds)
    for job in jobs:
        reason = _blocked_by(look, job) or (escape(job.reason) if job.reason else "")
        if reason:
            text += f"  {job.id}: {shorten(reason, 110)}\n"
    return text


def _blocked_by(look: Look, job: Job) -> str:
    """Why a job is blocked, in a few words."""
    if derived(job, look.states, missing_holds=look.missing_holds) is not Derived.BLOCKED:
        return ""
    if job.id in look.states.cyclic:
        return "it lies on a cycle"
    for dependency in job.after:
        state = look.states.get(dependency)
        if state in (State.FAILED, State.CANCELLED):
            seen = look.snapshot.jobs.get(dependency) or look.snapshot.archived.get(dependency)
            reason = f": {escape(seen.record.reason)}" if seen is not None and seen.record.reason else ""
            return f"{dependency} is {state.value}{reason}"
    return "something that it waits for has vanished"


def _work_table(look: Look, jobs: Sequence[Job]) -> str:
    rows = [
        (
            job.id,
            shorten(escape(job.worker or "?"), 40),
            age(job.updated_ms, look.now_ms),
            _life(look, job),
            shorten(escape(job.title), 50),
        )
        for job in jobs
    ]
    return table(rows, ("JOB", "WORKER", "FOR", "SIGN OF LIFE", "TITLE"))


def _life(look: Look, job: Job) -> str:
    if look.dead_in_s(job) == 0:
        return "dead: git orch reap"
    silent_s = look.silent_s(job)
    return f"{duration(silent_s)} ago" if silent_s >= 1 else "now"


def _workers_text(look: Look) -> str:
    workers = sorted((seen.record for seen in look.snapshot.workers.values()), key=lambda w: (not w.present, w.id))
    if not workers:
        return ""
    busy: dict[str | None, int] = {}
    for seen in look.claims:
        busy[seen.record.worker] = busy.get(seen.record.worker, 0) + 1
    rows = []
    for worker in workers[:SHOWN]:
        word = look.presence(worker)
        silent_s = look.workers.get(worker.id, 0.0)
        word = f"silent for {duration(silent_s)}" if word == "silent" else word
        rows.append((worker.id, word, f"{busy.get(worker.id, 0)} of {worker.capacity}", shorten(worker.holder, 40)))
    more = f"  and {len(workers) - SHOWN} more\n" if len(workers) > SHOWN else ""
    return "\nworkers\n" + table(rows, ("WORKER", "STATE", "JOBS", "WHO")) + more


def _slots_text(look: Look) -> str:
    used = look.slots_used()
    if not look.slots:
        return f"\nslots: {used} used; no limit is set here\n" if used else ""
    return f"\nslots: {used} of {look.slots} used\n"


def slots_json(look: Look) -> dict[str, Any]:
    """How many concurrency slots are used, and the limit (null: none is set)."""
    return {"used": look.slots_used(), "limit": look.slots or None}


def warnings(look: Look) -> list[str]:
    """What is wrong with the dependencies: cycles and vanished jobs, a line each, at most ten of a kind."""
    found = [f"cycle: {_path(path)}" for path in cycles(look.snapshot.jobs.values(), look.states.cyclic)[:10]]
    gone = sorted(vanished(look.snapshot).items())
    effect = "and is held back" if look.missing_holds else "and is not held back"
    found += [f"{job} waits for {', '.join(lost[:5])}, which vanished, {effect}" for job, lost in gone[:10]]
    return found + ([f"and {len(gone) - 10} more wait for jobs that vanished"] if len(gone) > 10 else [])


def _path(path: Sequence[JobId]) -> str:
    text = " -> ".join(path)
    return text if columns(text) <= 200 else " -> ".join((*path[:5], "…", *path[-2:]))


def next_command(look: Look, ready_to_land: bool, target: str) -> str:
    """The next command that makes sense when the target is there and readable."""
    if ready_to_land:
        lease = look.snapshot.leases.get(target)
        return "git orch land --all --wait" if lease is not None and lease.record.held else "git orch land --all"
    if any(look.dead_in_s(seen.record) == 0 for seen in look.claims):
        return "git orch reap"
    found = sections(look)
    if found[_ATTENTION]:
        return f"git orch why {min(found[_ATTENTION], key=lambda job: job.updated_ms).id}"
    if found[_READY] and not look.slots_full():
        return "git orch list --ready" if look.around() else f"git orch claim {found[_READY][0].id}"
    if found[_WORK]:
        return f"git orch why {found[_WORK][0].id}"
    return "git orch submit BRANCH"
