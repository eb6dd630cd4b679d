"""Records to JSON and to text for people. Pure: what to print is decided here, printing is done at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitorch.core.looking import Look
from gitorch.core.model import Damage, Job, JobId, Lease, Seen, Snapshot, State, Verdict, Worker
from gitorch.core.queue import derived, order_key, states_of
from gitorch.core.text import columns, duration, escape, shorten
from gitorch.core.times import format_time

TITLE_WIDTH = 60
BRANCH_WIDTH = 30


def job_json(job: Job, states: Mapping[JobId, State], *, missing_holds: bool = False) -> dict[str, Any]:
    """A job as scripts rely on it (docs/json.md): absent is null, times are RFC 3339 UTC, oids full."""
    found = derived(job, states, missing_holds=missing_holds)
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
        "labels": list(job.labels),
        "run": job.run,
        "lands": job.lands,
        "slot": job.slot,
        "claim": claim_json(job),
        "created": format_time(job.created_ms),
        "updated": format_time(job.updated_ms),
    }


def claim_json(job: Job) -> dict[str, Any] | None:
    """Who works on a job; None when nobody does. `since` is the last event of the job: the claim, or its renewal."""
    if job.state is not State.CLAIMED:
        return None
    return {"worker": job.worker, "kept": job.kept, "ttl": job.ttl_s, "since": format_time(job.updated_ms)}


def worker_json(worker: Worker, look: Look) -> dict[str, Any]:
    """A worker as scripts rely on it. `silent` is for how many seconds this clone has seen no sign of life of it."""
    return {
        "id": worker.id,
        "holder": worker.holder,
        "state": look.presence(worker),
        "capacity": worker.capacity,
        "ttl": worker.ttl_s,
        "silent": round(look.workers.get(worker.id, 0.0), 1),
        "jobs": [seen.record.id for seen in look.claims_of(worker.id)],
        "since": format_time(worker.since_ms),
        "updated": format_time(worker.updated_ms),
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


def ordered(jobs: Iterable[Seen[Job]], states: Mapping[JobId, State] | None = None) -> list[Job]:
    """Jobs in the order in which they are taken."""
    return sorted((seen.record for seen in jobs), key=lambda job: order_key(job, states))


def jobs_table(jobs: Sequence[Job], states: Mapping[JobId, State], now_ms: int, *, missing_holds: bool = False) -> str:
    """One line a job."""
    rows = [
        (
            job.id,
            state_word(job, states, missing_holds=missing_holds),
            shorten(escape(job.branch or "-"), BRANCH_WIDTH),
            age(job.updated_ms, now_ms),
            shorten(escape(job.title), TITLE_WIDTH),
        )
        for job in jobs
    ]
    return table(rows, ("JOB", "STATE", "BRANCH", "AGE", "TITLE"))


def state_word(job: Job, states: Mapping[JobId, State], *, missing_holds: bool = False) -> str:
    """The state, and what its dependencies make of it where that matters."""
    found = derived(job, states, missing_holds=missing_holds)
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
        ("labels", " ".join(job.labels)),
        ("after", _after_text(job, states)),
        ("run", escape(job.run or "")),
        ("lands", "" if job.lands else "no: done by word of its worker"),
        ("worker", escape(job.worker or "")),
        ("claim", _claim_text(job)),
        ("attempt", str(job.attempt) if job.attempt else ""),
        ("created", format_time(job.created_ms)),
    ]
    return table([(key, value) for key, value in facts if value])


def _after_text(job: Job, states: Mapping[JobId, State]) -> str:
    named = [f"{d} ({states[d].value if d in states else 'unknown'})" for d in job.after[:20]]
    return " ".join(named) + (f" and {len(job.after) - 20} more" if len(job.after) > 20 else "")


def _claim_text(job: Job) -> str:
    if job.state is not State.CLAIMED:
        return ""
    kind = "kept by a running worker" if job.kept else "made by a single command"
    return f"{kind}, lives {duration(job.ttl_s or 0)} without a sign of life" + (
        f", slot {job.slot}" if job.slot else ""
    )


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


def counts(
    snapshot: Snapshot, states: Mapping[JobId, State] | None = None, *, missing_holds: bool = False
) -> dict[str, int]:
    """How many jobs are in each state, and how many are ready, waiting or blocked."""
    states = states_of(snapshot) if states is None else states
    found = {state.value: 0 for state in State} | {"ready": 0, "waiting": 0, "blocked": 0}
    for seen in snapshot.jobs.values():
        found[seen.record.state.value] += 1
        word = derived(seen.record, states, missing_holds=missing_holds)
        if word is not None:
            found[word.value] += 1
    return found
