"""Records to JSON and to text for people. Pure: what to print is decided here, printing is done at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitorch.core.model import Damage, Job, JobId, Lease, Seen, Snapshot, State, Verdict
from gitorch.core.queue import derived, open_dependencies, order_key, states_of
from gitorch.core.text import columns, duration, escape, shorten, typed
from gitorch.core.times import format_time

TITLE_WIDTH = 60
BRANCH_WIDTH = 30


def job_json(job: Job, states: Mapping[JobId, State]) -> dict[str, Any]:
    """A job as scripts rely on it (docs/json.md): absent is null, times are RFC 3339 UTC, oids full."""
    found = derived(job, states)
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state.value,
        "derived": None if found is None else found.value,
        "target": job.target,
        "branch": job.branch,
        "head": job.head,
        "priority": job.priority,
        "after": list(job.after),
        "attempt": job.attempt,
        "worker": job.worker,
        "landed": job.landed,
        "reason": job.reason,
        "created": format_time(job.created_ms),
        "updated": format_time(job.updated_ms),
    }


def lease_json(lease: Lease | None, target: str) -> dict[str, Any]:
    """A lease as scripts rely on it. A target that nobody ever landed on has a free lease of epoch 0."""
    return {
        "target": target,
        "state": "held" if lease is not None and lease.held else "free",
        "holder": lease.holder if lease else None,
        "job": lease.job if lease else None,
        "epoch": lease.epoch if lease else 0,
        "base": lease.base if lease else None,
        "candidate": lease.candidate if lease else None,
        "verdict": lease.verdict.value if lease and lease.verdict else None,
        "since": format_time(lease.since_ms) if lease else None,
        "updated": format_time(lease.updated_ms) if lease else None,
        "reason": lease.reason if lease else None,
        "ttl": lease.ttl_s if lease else None,
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.color.value,
        "tree": verdict.tree,
        "gate": verdict.gate,
        "time": format_time(verdict.time_ms),
        "seconds": verdict.seconds,
        "job": verdict.job,
        "by": verdict.by,
        "url": verdict.url,
    }


def damage_json(damaged: Iterable[Damage]) -> list[dict[str, str]]:
    return [{"ref": damage.ref, "problem": damage.problem} for damage in damaged]


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Columns, left-aligned, two spaces apart; cells must be escaped already."""
    lines = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(columns(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = ("  ".join(c + " " * (w - columns(c)) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def age(since_ms: int, now_ms: int) -> str:
    """`5m03s` for something that happened then; nothing negative, whatever the clocks say."""
    return duration(max(0, now_ms - since_ms) / 1000)


def ordered(jobs: Iterable[Seen[Job]]) -> list[Job]:
    """Jobs in the order in which they are taken."""
    return sorted((seen.record for seen in jobs), key=order_key)


def jobs_table(jobs: Sequence[Job], states: Mapping[JobId, State], now_ms: int) -> str:
    """One line a job."""
    rows = [
        (
            job.id,
            state_word(job, states),
            shorten(escape(job.branch or "-"), BRANCH_WIDTH),
            age(job.updated_ms, now_ms),
            shorten(escape(job.title), TITLE_WIDTH),
        )
        for job in jobs
    ]
    return table(rows, ("JOB", "STATE", "BRANCH", "AGE", "TITLE"))


def state_word(job: Job, states: Mapping[JobId, State]) -> str:
    """The state, and what its dependencies make of it where that matters."""
    found = derived(job, states)
    if found is None or (found.value == "ready" and job.state is not State.QUEUED):
        return job.state.value
    return f"{job.state.value}, {found.value}"


def job_text(job: Job, states: Mapping[JobId, State], now_ms: int) -> str:
    """All about one job, one fact a line."""
    facts = [
        ("job", job.id),
        ("title", escape(job.title)),
        ("state", f"{state_word(job, states)}, since {age(job.updated_ms, now_ms)}"),
        ("reason", escape(job.reason) if job.reason else ""),
        ("branch", escape(job.branch or "")),
        ("target", escape(job.target)),
        ("head", job.head or ""),
        ("landed", job.landed or ""),
        ("priority", str(job.priority) if job.priority else ""),
        ("after", " ".join(f"{d} ({states[d].value if d in states else 'unknown'})" for d in job.after)),
        ("worker", escape(job.worker or "")),
        ("attempt", str(job.attempt) if job.attempt else ""),
        ("created", format_time(job.created_ms)),
    ]
    return table([(key, value) for key, value in facts if value])


def lease_text(lease: Lease | None, target: str, now_ms: int) -> str:
    """One line about a lease."""
    name = escape(target)
    if lease is None:
        return f"{name}: free, never held"
    if not lease.held:
        return f"{name}: free since {age(lease.updated_ms, now_ms)} (epoch {lease.epoch})"
    purpose = f" for job {lease.job}" if lease.job else ""
    tested = f", candidate {lease.candidate[:12]}" if lease.candidate else ""
    color = f" ({lease.verdict.value})" if lease.verdict else ""
    return (
        f"{name}: held by {escape(lease.holder or '?')}{purpose} for {age(lease.since_ms, now_ms)}, "
        f"last sign of life {age(lease.updated_ms, now_ms)} ago{tested}{color} (epoch {lease.epoch})"
    )


def damage_text(damaged: Sequence[Damage]) -> str:
    """What could not be read, for people; nothing when all is well."""
    if not damaged:
        return ""
    lines = [f"  {shorten(escape(damage.ref), 80)}: {escape(damage.problem)}\n" for damage in damaged[:10]]
    more = f"  and {len(damaged) - 10} more\n" if len(damaged) > 10 else ""
    return "not readable, and left alone:\n" + "".join(lines) + more


def counts(jobs: Mapping[JobId, Seen[Job]]) -> dict[str, int]:
    """How many jobs are in each state, and how many are ready, waiting or blocked."""
    states = states_of(jobs)
    found = {state.value: 0 for state in State} | {"ready": 0, "waiting": 0, "blocked": 0}
    for seen in jobs.values():
        found[seen.record.state.value] += 1
        word = derived(seen.record, states)
        if word is not None:
            found[word.value] += 1
    return found


def why_text(job: Job, snapshot: Snapshot, now_ms: int) -> tuple[str, str]:
    """Why a job is where it is, in a sentence or two, and the next command."""
    states = states_of(snapshot.jobs)
    waits = open_dependencies(job, states)
    if job.state is State.DONE:
        return f"it landed on {job.target} as {job.landed}", f"git show {job.landed}"
    if job.state is State.CANCELLED:
        return "it was cancelled" + (f": {job.reason}" if job.reason else ""), f"git orch log {job.id}"
    if waits:
        named = ", ".join(f"{d} ({states[d].value})" for d in waits[:10])
        return f"it waits for {named}", f"git orch why {waits[0]}"
    if job.state is State.SUBMITTED:
        return _why_submitted(job, snapshot, now_ms)
    if job.state is State.REWORK:
        branch = typed(job.branch or "BRANCH")
        return (
            f"it needs rework: {job.reason or 'no reason was given'}",
            f"repair {branch}, then git orch submit {branch} (`git orch show {job.id}` shows the log)",
        )
    if job.state is State.FAILED:
        return f"its attempts are used up: {job.reason or 'no reason was given'}", f"git orch retry {job.id}"
    if job.state is State.CLAIMED:
        return f"{job.worker or 'somebody'} works on it since {age(job.updated_ms, now_ms)}", f"git orch log {job.id}"
    return "it is queued, and nobody has taken it yet", f"git orch show {job.id}"


def _why_submitted(job: Job, snapshot: Snapshot, now_ms: int) -> tuple[str, str]:
    lease = snapshot.leases.get(job.target)
    if lease is not None and lease.record.held:
        word = "it is being landed" if lease.record.job == job.id else "another landing is under way"
        return f"{word}: {lease_text(lease.record, job.target, now_ms)}", "git orch land --wait " + job.id
    ahead = [
        seen.record
        for seen in snapshot.jobs.values()
        if seen.record.state is State.SUBMITTED
        and seen.record.target == job.target
        and order_key(seen.record) < order_key(job)
    ]
    place = f", {len(ahead)} before it" if ahead else ", first in line"
    return f"it is ready to land{place}, and nobody is landing now", f"git orch land {job.id}"
