"""Which of the ready jobs a worker tries to take.

Workers that all want the first in the list lose nine pushes in ten at sixteen of them. Each job therefore has an owner
among the workers that are known, by rendezvous hashing (Thaler and Ravishankar, 1996): the one for whom hash(worker,
job) is highest. A worker takes the first job in the order that is its own, among the first few of the list; so two that
know of each other never want the same, even when what they know is not quite new. Who is alone takes them strictly in
order. After a lost race there are others whom nobody knows yet: then chance decides, among more and more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from gitorch.core.model import Job, JobId

SPREAD = 8
"""Jobs to look at for each worker, after a lost race."""

SURPRISE = 64
"""Jobs to look at more, doubled with every race lost in a row: others are there whom nobody could know of."""

SPREAD_LIMIT = 1_024


def pick(ready: Sequence[Job], worker: str, others: Collection[str] = (), lost: int = 0) -> Job | None:
    """The job that a worker should try, of ready jobs in order; None when there is none. `others` are the workers that
    it knows of, `lost` how many races in a row it has lost."""
    if not ready:
        return None
    if not others and not lost:
        return ready[0]
    equal = [job for job in ready[:SPREAD_LIMIT] if job.priority == ready[0].priority]
    if lost:
        span = (1 + len(others)) * SPREAD + (SURPRISE << min(lost, 10))
        return max(equal[:span], key=lambda job: rendezvous(worker, job.id))
    # However far down that stands: who looks at an old view has used up its own near the front, and the first in that
    # view are what the others have taken meanwhile.
    return next((job for job in equal if _owns(worker, others, job)), equal[0])


def _owns(worker: str, others: Collection[str], job: Job) -> bool:
    mine = rendezvous(worker, job.id)
    return all(rendezvous(other, job.id) <= mine for other in others)


def rendezvous(worker: str, job: JobId | str) -> bytes:
    """The weight of a job for a worker."""
    return hashlib.blake2b(f"{worker} {job}".encode(), digest_size=8).digest()
