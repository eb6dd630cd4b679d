"""What a snapshot says about its jobs: who is ready, who waits for whom, in what order, and which job a word names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitorch.core.errors import UsageError
from gitorch.core.model import Derived, Job, JobId, Seen, Snapshot, State
from gitorch.core.states import FINAL

_PICKABLE = frozenset({State.QUEUED, State.SUBMITTED, State.REWORK})


def derived(job: Job, states: Mapping[JobId, State]) -> Derived | None:
    """Ready, waiting or blocked; None for a job that nobody could take or land now. A dependency that cannot be
    found does not hold the job back (it is reported as damage)."""
    if job.state not in _PICKABLE:
        return None
    found = [states[d] for d in job.after if d in states]
    if any(state in (State.FAILED, State.CANCELLED) for state in found):
        return Derived.BLOCKED
    return Derived.READY if all(state is State.DONE for state in found) else Derived.WAITING


def states_of(jobs: Mapping[JobId, Seen[Job]]) -> dict[JobId, State]:
    return {job_id: seen.record.state for job_id, seen in jobs.items()}


def order_key(job: Job) -> tuple[int, int, str]:
    """Priority (higher first), then age (kept across rework), then id."""
    return (-job.priority, job.created_ms, job.id)


def to_land(jobs: Mapping[JobId, Seen[Job]], target: str | None = None) -> list[Seen[Job]]:
    """The jobs that can land now, in order; of one target where one is named."""
    states = states_of(jobs)
    ready = (
        seen
        for seen in jobs.values()
        if seen.record.state is State.SUBMITTED
        and (target is None or seen.record.target == target)
        and derived(seen.record, states) is Derived.READY
    )
    return sorted(ready, key=lambda seen: order_key(seen.record))


def open_dependencies(job: Job, states: Mapping[JobId, State]) -> list[JobId]:
    """What a job still waits for."""
    return [d for d in job.after if states.get(d, State.DONE) is not State.DONE]


def find_job(jobs: Mapping[JobId, Seen[Job]], word: str) -> Seen[Job]:
    """The job that a word names: its id, else the branch of one live job, else the only id that begins with it.
    Raises UsageError for none and for several."""
    exact = jobs.get(JobId(word))
    if exact is not None:
        return exact
    by_branch = jobs_of_branch(jobs, word)
    matches = by_branch or [seen for job_id, seen in sorted(jobs.items()) if word and job_id.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise UsageError(f"no job and no submitted branch is named {word!r}", hint="git orch list")
    names = ", ".join(seen.record.id for seen in matches[:5]) + (", …" if len(matches) > 5 else "")
    raise UsageError(f"{word!r} could be any of {names}", hint=f"git orch show {matches[0].record.id}")


def jobs_of_branch(jobs: Mapping[JobId, Seen[Job]], branch: str) -> list[Seen[Job]]:
    """The jobs of a branch: those that are still open, else the last one that is not."""
    of_branch = sorted((s for s in jobs.values() if s.record.branch == branch), key=lambda s: order_key(s.record))
    still_open = [seen for seen in of_branch if seen.record.state not in FINAL]
    return still_open or of_branch[-1:]


def is_target(snapshot: Snapshot, branch: str) -> bool:
    """Whether a branch is itself a target that work lands on: only a landing under its own lease may move it."""
    return branch in snapshot.leases or any(seen.record.target == branch for seen in snapshot.jobs.values())


def open_job_of_branch(jobs: Iterable[Seen[Job]], branch: str, target: str) -> Seen[Job] | None:
    """The job that submitting this branch for this target again would continue."""
    found = [
        seen
        for seen in jobs
        if seen.record.branch == branch and seen.record.target == target and seen.record.state not in FINAL
    ]
    return min(found, key=lambda seen: order_key(seen.record)) if found else None
