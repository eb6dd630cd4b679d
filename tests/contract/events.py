"""Short ways to say what a test publishes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitorch.core.codec import encode
from gitorch.core.model import Oid, Seen, Snapshot, State
from gitorch.core.names import Namespace
from gitorch.core.writes import EventCommit, NotesAppend, Plan, RefUpdate
from tests.records import TIME_MS, a_job, a_lease


def job_event(name: str, nonce: str, previous: Oid | None = None, **changes: Any) -> EventCommit:
    """An event of a queued job; `keeps` and `files` may be given."""
    own = {key: changes.pop(key) for key in ("keeps", "files") if key in changes}
    job = a_job(name, **{"state": State.QUEUED, "head": None, "branch": None, **changes})
    message = encode(job, event="edit", subject=job.title, nonce=nonce)
    return EventCommit(message=message, time_ms=TIME_MS, previous=previous, **own)


def job_update(namespace: Namespace, name: str, nonce: str, previous: Oid | None = None, **changes: Any) -> RefUpdate:
    """Create a job, or put an event on top of `previous`."""
    return RefUpdate(namespace.job(a_job(name).id), previous, job_event(name, nonce, previous, **changes))


def lease_update(namespace: Namespace, nonce: str, before: Seen[Any] | None, epoch: int) -> RefUpdate:
    """Put an event on the lease of main."""
    previous = None if before is None else before.oid
    message = encode(a_lease(epoch=epoch), event="acquire", subject="main", nonce=nonce)
    event = EventCommit(message=message, time_ms=TIME_MS, previous=previous)
    return RefUpdate(namespace.lease("main"), previous, event)


def notes_update(namespace: Namespace, base: Oid | None, nonce: str, lines: Iterable[tuple[Oid, str]]) -> RefUpdate:
    """Append lines to notes."""
    append = NotesAppend(base=base, lines=tuple(lines), subject=f"orch\n\nNonce: {nonce}", time_ms=TIME_MS)
    return RefUpdate(namespace.notes, base, append)


def plan(*updates: RefUpdate) -> Plan:
    return Plan(updates, "a test")


def job_oid(snapshot: Snapshot, name: str) -> Oid:
    """The event that a job stands at."""
    return snapshot.jobs[a_job(name).id].oid
