"""What the parts of one push owe each other: a claim its slot, an edge the graph, a deletion the archive, a landing its
job. Part of `gitorch.core.admission`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gitorch.core.admission import Change, Push, RefusalError, Written, archive_word
from gitorch.core.admission_notes import check_notes
from gitorch.core.archive import BY_BRANCH, branch_path, entry_path, read_entry
from gitorch.core.codec import decode_job, decode_lease
from gitorch.core.errors import DamagedError
from gitorch.core.graph import closing_path
from gitorch.core.model import Job, JobId, Lease, Oid, Slot, State
from gitorch.core.names import RefKind, branch_ref
from gitorch.core.states import FINAL, Event

ANY_LIST = "?"
"""Instead of the place of a branch's list, where that is not judged."""

_ASCII = re.compile("[ -~]*")


def check_links(push: Push, ours: Sequence[Change]) -> None:
    """Raises RefusalError."""
    names = push.rules.namespace
    for (kind, _), written in push.events.items():
        if kind is RefKind.JOB:
            _check_job(push, written)
        elif kind is RefKind.SLOT:
            _check_slot(push, written)
        elif kind is RefKind.GRAPH:
            _check_graph(push, written)
    _check_cycles(push)
    gone = [change for change in ours if change.new is None and _is_job(push, change)]
    archive = push.changes.get(names.archive)
    if archive is not None:
        _check_archive(push, archive, gone)
    elif gone:
        raise RefusalError("deletion", gone[0].ref, "a job is deleted only by the push that archives it")
    if names.notes in push.changes:
        check_notes(push, push.changes[names.notes])


def _is_job(push: Push, change: Change) -> bool:
    parsed = push.rules.namespace.parse(change.ref)
    return parsed is not None and parsed[0] is RefKind.JOB


# -- jobs, slots, edges


def _check_job(push: Push, written: Written) -> None:
    job: Job = written.record
    ref = written.change.ref
    old: Job | None = written.before.record if written.before else None
    archive = push.view.ref(push.rules.namespace.archive)
    if old is None and archive is not None and push.view.at(archive, "/".join(entry_path(job.id))) is not None:
        raise RefusalError("archived", ref, "a finished job of this id is in the archive")
    if old is not None and old.after != job.after:
        edit = push.events.get((RefKind.GRAPH, ""))
        if edit is None or edit.record.job != job.id or edit.record.after != job.after:
            raise RefusalError("graph", ref, "what a job waits for changes only together with the graph")
    if written.event.event == Event.LAND.value:
        tip = push.after(branch_ref(job.target))
        if job.landed is None or tip is None or not push.view.is_ancestor(job.landed, tip):
            raise RefusalError("landed", ref, f"what landed is not on {job.target}")
    if job.slot is not None and (old is None or old.slot != job.slot):
        slot = push.events.get((RefKind.SLOT, str(job.slot)))
        if slot is None or (slot.record.job, slot.record.token) != (job.id, job.token):
            raise RefusalError("slot", ref, "a claim takes its slot in the same push")


def _check_slot(push: Push, written: Written) -> None:
    slot: Slot = written.record
    ref = written.change.ref
    if slot.held:
        claim = push.job(slot.job or "")
        if claim is None or (claim.record.slot, claim.record.token) != (slot.number, slot.token):
            raise RefusalError("slot", ref, "a slot is taken only by a claim in the same push")
        return
    before: Slot = written.before.record if written.before else slot
    holder = push.after(push.rules.namespace.job(before.job)) if before.job is not None else None
    if holder is None:
        return
    try:
        job = decode_job(push.view.commit(holder).message).record
    except (DamagedError, ValueError):
        return
    if job.state is State.CLAIMED and (job.slot, job.token) == (before.number, before.token):
        raise RefusalError("slot", ref, "its claim still has it")


def _check_graph(push: Push, written: Written) -> None:
    job = push.job(written.record.job)
    if job is None or job.record.after != written.record.after:
        raise RefusalError("graph", written.change.ref, "the graph changes only together with the job that it names")


def _check_cycles(push: Push) -> None:
    """I6: on the edges as they will be once the push is taken."""
    changed = [w for (kind, _), w in push.events.items() if kind is RefKind.JOB and _new_edges(w)]
    if not changed:
        return
    names = push.rules.namespace
    edges: dict[JobId, tuple[JobId, ...]] = {}
    for ref, oid in push.view.refs(f"{names.root}/{RefKind.JOB.value}/").items():
        if ref not in push.changes:
            edges.update(_edges(push, oid))
    for (kind, _), written in push.events.items():
        if kind is RefKind.JOB:
            edges[written.record.id] = written.record.after
    for written in changed:
        if closing_path(edges, written.record.id, written.record.after) is not None:
            raise RefusalError("cycle", written.change.ref, "its dependencies close a cycle")


def _new_edges(written: Written) -> bool:
    return bool(written.record.after) and (
        written.before is None or written.before.record.after != written.record.after
    )


def _edges(push: Push, oid: Oid) -> dict[JobId, tuple[JobId, ...]]:
    try:
        job = decode_job(push.view.commit(oid).message).record
    except (DamagedError, ValueError):
        return {}
    return {job.id: job.after}


# -- the archive


def _check_archive(push: Push, change: Change, gone: Sequence[Change]) -> None:
    """I3: exactly the deleted jobs are added, each with its last event, and nothing else changes."""
    view = push.view
    assert change.new is not None
    if view.kind(change.new)[0] != "commit":
        raise RefusalError("kind", change.ref, "it would be no commit")
    commit = view.commit(change.new)
    if archive_word(commit.message) != "fold":
        raise RefusalError("format", change.ref, "it is not a commit that archives jobs")
    tips = [job.old for job in gone if job.old is not None]
    first, *rest = commit.parents or (Oid(""),)
    if first != (change.old or push.rules.root) or not gone or sorted(rest) != sorted(tips):
        raise RefusalError(
            "archive", change.ref, "its parents are not the archive before it and the jobs that it takes"
        )
    jobs = {str(record.id): (tip, record) for tip in tips for record in _final(push, change, tip)}
    diff = view.diff(change.old, change.new)
    entries: set[str] = set()
    indexes: set[tuple[str, str]] = set()
    for path, old, new, mode in diff:
        name = path.decode("ascii", "replace")
        job = name.rpartition("/")[2]
        if name.startswith(BY_BRANCH + "/"):
            indexes.update((name, word) for word in _indexed(push, change, old, new, mode))
        elif job in jobs and name == "/".join(entry_path(JobId(job))) and old is None and mode == "100644":
            _check_entry(push, change, new, *jobs[job])
            entries.add(job)
        else:
            raise RefusalError("archive", change.ref, "it changes what is archived already")
    if entries != set(jobs) or len(jobs) != len(gone):
        raise RefusalError("archive", change.ref, "it lacks the entry of a job that is deleted")
    _check_index(change, [record for _, record in jobs.values()], indexes)


def _final(push: Push, change: Change, tip: Oid) -> Iterable[Job]:
    try:
        record = decode_job(push.view.commit(tip).message).record
    except (DamagedError, ValueError):
        raise RefusalError("damaged", change.ref, "a job that it takes is damaged") from None
    if record.state not in FINAL or push.rules.namespace.job(record.id) not in push.changes:
        raise RefusalError("archive", change.ref, f"job {record.id} is {record.state.value}, which is not final")
    yield record


def _check_entry(push: Push, change: Change, blob: Oid | None, tip: Oid, record: Job) -> None:
    data = push.view.blob(blob) if blob is not None else b""
    seen = read_entry(data, record.id)
    message = push.view.commit(tip).message
    if seen is None or seen.oid != tip or data.partition(b"\n\n")[2] != message:
        raise RefusalError("archive", change.ref, f"the entry of job {record.id} is not its last event")


def _indexed(push: Push, change: Change, old: Oid | None, new: Oid | None, mode: str) -> list[str]:
    """The ids that a branch's list gains."""
    before = push.view.blob(old) if old is not None else b""
    after = push.view.blob(new) if new is not None and mode == "100644" else b""
    if new is None or mode != "100644" or not after.startswith(before):
        raise RefusalError("archive", change.ref, "it shortens the list of a branch's jobs")
    return after[len(before) :].decode("ascii", "replace").split()


def _check_index(change: Change, jobs: Iterable[Job], indexes: set[tuple[str, str]]) -> None:
    """A branch whose name is not plain ASCII may stand in any list: the hook's shell cannot hash such a name."""
    wanted = {(_list_of(job.branch), str(job.id)) for job in jobs if job.branch is not None}
    anywhere = {job for path, job in wanted if path == ANY_LIST}
    placed = {(ANY_LIST if job in anywhere else path, job) for path, job in indexes}
    if placed != wanted:
        raise RefusalError(
            "archive", change.ref, "the lists of the branches' jobs are not those of the jobs that it takes"
        )


def _list_of(branch: str) -> str:
    return "/".join(branch_path(branch)) if _ASCII.fullmatch(branch) else ANY_LIST


def lease_at(push: Push, oid: Oid) -> Lease | None:
    """The lease at an event; None for damage."""
    try:
        return decode_lease(push.view.commit(oid).message).record
    except (DamagedError, ValueError):
        return None
