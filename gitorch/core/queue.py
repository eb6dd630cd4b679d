"""What a snapshot says about its jobs: who is ready, who waits for whom, in what order, and which job a word names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from gitorch.core.errors import UsageError
from gitorch.core.graph import on_cycles
from gitorch.core.model import Derived, Job, JobId, Seen, Snapshot, State
from gitorch.core.states import FINAL

_PICKABLE = frozenset({State.QUEUED, State.SUBMITTED, State.REWORK})
CLAIMABLE = frozenset({State.QUEUED, State.REWORK})


class States(Mapping[JobId, State]):
    """The state of every job that a snapshot knows, archived ones included; also which lie on a cycle (damage: no edit
    can make one), and when the finished ones were finished."""

    def __init__(self, snapshot: Snapshot) -> None:
        known = {**snapshot.archived, **snapshot.jobs}
        self._states = {job_id: seen.record.state for job_id, seen in known.items()}
        self.finished_ms = {i: s.record.updated_ms for i, s in known.items() if s.record.state is State.DONE}
        self._jobs = snapshot.jobs

    @cached_property
    def cyclic(self) -> frozenset[JobId]:
        """The open jobs on a cycle; looked for when somebody asks, which no claim and no landing does."""
        jobs = self._jobs.items()
        return on_cycles({i: s.record.after for i, s in jobs if s.record.after and s.record.state not in FINAL})

    def __getitem__(self, job: JobId) -> State:
        return self._states[job]

    def __iter__(self) -> Iterator[JobId]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


def states_of(snapshot: Snapshot) -> States:
    """What a snapshot knows of the states of jobs."""
    return States(snapshot)


def is_ready(job: Job, states: Mapping[JobId, State], *, missing_holds: bool = False) -> bool:
    """Whether somebody could take or land a job now: `derived` says READY."""
    if job.state not in _PICKABLE:
        return False
    return all(states.get(d, State.QUEUED if missing_holds else State.DONE) is State.DONE for d in job.after)


def derived(job: Job, states: Mapping[JobId, State], *, missing_holds: bool = False) -> Derived | None:
    """Ready, waiting or blocked; None for a job that nobody could take or land now. A dependency that cannot be
    found does not hold the job back (it is reported as damage), unless `missing_holds` (orch.missingDependency =
    closed)."""
    if job.state not in _PICKABLE:
        return None
    # A job on a cycle waits for one that is not done, so only those that wait ask for cycles.
    if is_ready(job, states, missing_holds=missing_holds):
        return Derived.READY
    found = [states[d] for d in job.after if d in states]
    missing = missing_holds and len(found) < len(job.after)
    on_cycle = isinstance(states, States) and job.id in states.cyclic
    if on_cycle or missing or any(state in (State.FAILED, State.CANCELLED) for state in found):
        return Derived.BLOCKED
    return Derived.WAITING


def order_key(job: Job, states: Mapping[JobId, State] | None = None) -> tuple[int, int, str]:
    """Priority (higher first), then when the job first became ready, then id. It became ready when it was made, or when
    the last of what it waits for was done; rework changes neither."""
    since_ms = job.created_ms
    if job.after and isinstance(states, States):
        since_ms = max(since_ms, *(states.finished_ms.get(d, 0) for d in job.after))
    return (-job.priority, since_ms, job.id)


def to_land(snapshot: Snapshot, target: str | None = None, *, missing_holds: bool = False) -> list[Seen[Job]]:
    """The jobs that can land now, in order; of one target where one is named."""
    return _ready(snapshot, target, frozenset({State.SUBMITTED}), missing_holds)


def to_claim(snapshot: Snapshot, target: str | None = None, *, missing_holds: bool = False) -> list[Seen[Job]]:
    """The jobs that a worker can take now, in order; of one target where one is named."""
    return _ready(snapshot, target, CLAIMABLE, missing_holds)


def _ready(snapshot: Snapshot, target: str | None, wanted: frozenset[State], missing_holds: bool) -> list[Seen[Job]]:
    states = states_of(snapshot)
    ready = (
        seen
        for seen in snapshot.jobs.values()
        if seen.record.state in wanted
        and (target is None or seen.record.target == target)
        and is_ready(seen.record, states, missing_holds=missing_holds)
    )
    return sorted(ready, key=lambda seen: order_key(seen.record, states))


def open_dependencies(job: Job, states: Mapping[JobId, State]) -> list[JobId]:
    """What a job still waits for. What cannot be found is not among it."""
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
