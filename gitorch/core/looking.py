"""What a person looks at: one observation, and how long this clone has seen claims and workers without a sign of life.

Pure. A claim that is kept by a running worker lives while its job's ref or its worker's ref changes; another one by
its job's ref alone. Times inside records are shown and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitorch.core.graph import closing_path
from gitorch.core.lease import MARGIN
from gitorch.core.model import Job, JobId, Seen, Snapshot, State, Worker
from gitorch.core.queue import States
from gitorch.core.states import FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A snapshot with what is known beside it. `jobs`, `workers` and `leases` say for how many seconds the ref was seen
    unchanged, by this observer's own clock; what was not watched is left out. `claims` are the claimed jobs, oldest
    event first. `slots` is orch.maxConcurrency here (0: as many as there are), `missing_holds` whether a vanished
    dependency holds a job back."""

    snapshot: Snapshot
    states: States
    now_ms: int
    jobs: Mapping[JobId, float] = field(default_factory=dict)
    workers: Mapping[str, float] = field(default_factory=dict)
    leases: Mapping[str, float] = field(default_factory=dict)
    claims: tuple[Seen[Job], ...] = ()
    slots: int = 0
    missing_holds: bool = False

    def silent_s(self, job: Job) -> float:
        """For how long a claim was seen without a sign of life."""
        silent = self.jobs.get(job.id, 0.0)
        if job.kept and job.worker in self.workers:
            silent = min(silent, self.workers[job.worker or ""])
        return silent

    def dead_in_s(self, job: Job) -> float:
        """How much longer a claim must stay silent before it counts as dead; 0: it does."""
        return max(0.0, (job.ttl_s or 0) * MARGIN - self.silent_s(job))

    def presence(self, worker: Worker) -> str:
        """`present`, `silent` (longer than its own TTL), or `left`."""
        if not worker.present:
            return "left"
        return "silent" if self.workers.get(worker.id, 0.0) >= worker.ttl_s * MARGIN else "present"

    def around(self) -> list[str]:
        """The workers that are there and not silent."""
        seen = (found.record for found in self.snapshot.workers.values())
        return sorted(worker.id for worker in seen if self.presence(worker) == "present")

    def claims_of(self, worker: str) -> list[Seen[Job]]:
        """The jobs that a worker has claimed."""
        return [seen for seen in self.claims if seen.record.worker == worker]

    def slots_used(self) -> int:
        """How many concurrency slots are held."""
        return sum(1 for seen in self.snapshot.slots.values() if seen.record.held)

    def slots_full(self) -> bool:
        """Whether a claim would find no free slot, as far as this clone's setting knows."""
        return 0 < self.slots <= self.slots_used()


def claimed(snapshot: Snapshot) -> list[Seen[Job]]:
    """The jobs that somebody works on, those first whose last event is oldest."""
    found = [seen for seen in snapshot.jobs.values() if seen.record.state is State.CLAIMED]
    return sorted(found, key=lambda seen: (seen.record.updated_ms, seen.record.id))


def open_edges(jobs: Iterable[Seen[Job]]) -> dict[JobId, tuple[JobId, ...]]:
    """What unfinished jobs wait for, by job."""
    return {s.record.id: s.record.after for s in jobs if s.record.after and s.record.state not in FINAL}


def cycles(jobs: Iterable[Seen[Job]], cyclic: frozenset[JobId]) -> list[tuple[JobId, ...]]:
    """One cycle for each knot of jobs that wait for each other, as a path that ends where it begins. `cyclic` are the
    jobs that lie on one."""
    edges = {job: tuple(d for d in after if d in cyclic) for job, after in open_edges(jobs).items() if job in cyclic}
    found, left = [], set(cyclic)
    for job in sorted(cyclic):
        path = closing_path(edges, job, edges.get(job, ())) if job in left else None
        if path is not None:
            found.append((job, *path))
            left -= set(path)
    return found


def vanished(snapshot: Snapshot) -> dict[JobId, list[JobId]]:
    """The dependencies of unfinished jobs that are neither live nor archived: damage. By job."""
    gone: dict[JobId, list[JobId]] = {}
    for job, after in open_edges(snapshot.jobs.values()).items():
        lost = [d for d in after if d not in snapshot.jobs and d not in snapshot.archived]
        if lost:
            gone[job] = lost
    return gone
