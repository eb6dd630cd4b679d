"""Checks chains of events: each a parent-linked row of commits, one event a commit, each step legal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gitorch.core.codec import (
    Decoded,
    NewerFormatError,
    decode_graph,
    decode_job,
    decode_lease,
    decode_slot,
    decode_worker,
    read_trailers,
)
from gitorch.core.errors import DamagedError
from gitorch.core.gitobjects import ROOT_MESSAGE
from gitorch.core.model import Job, JobId, Oid, Seen, Snapshot
from gitorch.core.names import Namespace
from gitorch.core.steps import graph_step, job_step, lease_step, slot_step, worker_step


class Severity(Enum):
    """FAULT: a promise is broken. WARNING: it is not, but something should be looked at. INFO: as it should be, and
    good to know."""

    FAULT = "fault"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: with which ref (or target), which promise it touches (`I1` to `I8`, or `format`), and
    what it is. The texts may hold what others wrote."""

    ref: str
    promise: str
    problem: str
    severity: Severity = Severity.FAULT


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a chain as it was read."""

    parents: tuple[Oid, ...]
    message: bytes


Commits = Mapping[Oid, Commit]
Step = Callable[[Any, Any], str]
"""What is wrong with an event after another one (None: it begins the chain); empty when nothing is."""


@dataclass(frozen=True, slots=True)
class _Kind:
    decode: Callable[[bytes], Decoded[Any]]
    step: Step


def chain_faults(
    names: Namespace, snapshot: Snapshot, commits: Commits, archive: Oid | None, archived: Mapping[JobId, Seen[Job]]
) -> Iterator[Fault]:
    """What is wrong with any chain: of live jobs, leases, workers, slots, the graph, the archive and what is in it."""
    for job, seen in sorted(snapshot.jobs.items()):
        yield from _chain(names.job(job), seen, commits, _JOB)
    for target, lease in sorted(snapshot.leases.items()):
        yield from _chain(names.lease(target), lease, commits, _LEASE)
    for worker, presence in sorted(snapshot.workers.items()):
        yield from _chain(names.worker(worker), presence, commits, _WORKER)
    for number, slot in sorted(snapshot.slots.items()):
        yield from _chain(names.slot(number), slot, commits, _SLOT)
    if snapshot.graph is not None:
        yield from _chain(names.graph, snapshot.graph, commits, _GRAPH)
    yield from _archive_chain(names, commits, archive)
    for job, seen in sorted(archived.items()):
        for fault in _chain(names.archive, seen, commits, _JOB):
            yield Fault(fault.ref, fault.promise, f"job {job}: {fault.problem}", fault.severity)


def _chain(ref: str, seen: Seen[Any], commits: Commits, kind: _Kind) -> Iterator[Fault]:
    """Read a chain from its tip to its beginning, then judge it forwards."""
    events: list[tuple[Oid, Decoded[Any]]] = []
    nonces: set[str] = set()
    at: Oid | None = seen.oid
    while at is not None:
        commit = commits.get(at)
        if commit is None:
            yield Fault(ref, "format", f"the chain breaks off: event {at[:12]} cannot be read")
            break
        if _is_root(commit):
            break
        try:
            event = kind.decode(commit.message)
        except NewerFormatError as problem:
            yield Fault(ref, "format", f"event {at[:12]}: {problem.message}", Severity.WARNING)
            break
        except DamagedError as problem:
            yield Fault(ref, "format", f"commit {at[:12]} of its chain is no event: {problem.message}")
            break
        if event.nonce in nonces:
            yield Fault(ref, "I4", f"event {at[:12]} has the nonce of a later event")
        nonces.add(event.nonce)
        events.append((at, event))
        at = next(iter(commit.parents), None)
    whole = at is None or (at in commits and _is_root(commits[at]))
    if events and events[0][1].record != seen.record:
        yield Fault(ref, "I3", f"what is said of it is not what its last event {events[0][0][:12]} says")
    before: Decoded[Any] | None = None
    for place, (oid, event) in enumerate(reversed(events)):
        wrong = kind.step(before, event) if place or whole else ""
        if wrong:
            yield Fault(ref, _PROMISE[kind.decode], f"event {oid[:12]} ({event.event}): {wrong}")
        before = event


def _is_root(commit: Commit) -> bool:
    return commit.message.strip() == ROOT_MESSAGE.strip().encode()


_JOB = _Kind(decode_job, job_step)
_LEASE = _Kind(decode_lease, lease_step)
_WORKER = _Kind(decode_worker, worker_step)
_SLOT = _Kind(decode_slot, slot_step)
_GRAPH = _Kind(decode_graph, graph_step)
_PROMISE: Mapping[Callable[[bytes], Decoded[Any]], str] = {
    decode_job: "I3",
    decode_lease: "I5",
    decode_worker: "I7",
    decode_slot: "I5",
    decode_graph: "I6",
}


# -- the archive


def archive_commits(commits: Commits, archive: Oid | None) -> Iterable[tuple[Oid, Commit | None]]:
    """The archive's own commits, newest first; the last is None when it cannot be read."""
    at = archive
    while at is not None:
        commit = commits.get(at)
        if commit is not None and _is_root(commit):
            return
        yield at, commit
        at = next(iter(commit.parents), None) if commit is not None else None


def folded_tips(commits: Commits, archive: Oid | None) -> frozenset[Oid]:
    """The last events of all jobs that were ever archived."""
    return frozenset(tip for _, commit in archive_commits(commits, archive) if commit for tip in commit.parents[1:])


def _archive_chain(names: Namespace, commits: Commits, archive: Oid | None) -> Iterator[Fault]:
    for oid, commit in archive_commits(commits, archive):
        if commit is None:
            yield Fault(names.archive, "I3", f"the chain breaks off: commit {oid[:12]} cannot be read")
            return
        try:
            found = read_trailers(commit.message)
        except DamagedError as problem:
            yield Fault(names.archive, "format", f"commit {oid[:12]} is no event: {problem.message}")
            return
        if (found.get("Record"), found.get("Event")) != ("archive", "fold") or not found.get("Nonce"):
            yield Fault(names.archive, "format", f"commit {oid[:12]} is not one that archives jobs")
        elif len(commit.parents) < 2:
            yield Fault(names.archive, "I3", f"commit {oid[:12]} keeps no job's events")


def event_of(commit: Commit | None) -> Job | None:
    """The job that an event is about; None for anything else."""
    try:
        return None if commit is None else decode_job(commit.message).record
    except DamagedError:
        return None
