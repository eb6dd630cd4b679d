"""Which job a word names, live or archived: the archive is asked only when nothing live fits."""

from __future__ import annotations

from gitorch.core.errors import UsageError
from gitorch.core.model import JOB_ID, Job, JobId, Seen, Snapshot
from gitorch.core.queue import find_job
from gitorch.engine.world import World


def find_any(world: World, snapshot: Snapshot, word: str) -> Seen[Job]:
    """The job that a word names: as `find_job` for live jobs; an archived one by its id, its branch, or a unique
    beginning. An exact id goes before everything else. Raises UsageError for none and for several."""
    exact = snapshot.jobs.get(JobId(word)) or snapshot.archived.get(JobId(word))
    exact = exact or _exact(world, word, fresh=False)
    if exact is not None:
        return exact
    try:
        return find_job(snapshot.jobs, word)
    except UsageError as unknown:
        found = None if _is_ambiguous(snapshot, word) else _archived(world, word)
        if found is None:
            raise unknown from None
        return found


def is_archived(world: World, job: JobId) -> bool:
    """Whether an id was used by a job that is in the archive now, asked of the remote."""
    return bool(world.store.archive().find((job,)))


def archived_job(world: World, job: JobId) -> Seen[Job]:
    """A job that is not live any more, asked of the remote. Raises UsageError when it is not in the archive either."""
    found = world.store.archive().find((job,)).get(job)
    if found is None:
        raise UsageError(f"job {job} is not on the remote any more", hint="git orch list")
    return found


def _is_ambiguous(snapshot: Snapshot, word: str) -> bool:
    """Whether live jobs fit the word, only too many of them."""
    return any(job.startswith(word) or seen.record.branch == word for job, seen in snapshot.jobs.items())


def _exact(world: World, word: str, *, fresh: bool) -> Seen[Job] | None:
    if not JOB_ID.fullmatch(word):
        return None
    return world.store.archive(fresh=fresh).find((JobId(word),)).get(JobId(word))


def _archived(world: World, word: str) -> Seen[Job] | None:
    """An archived job, looked up on the remote. Raises UsageError when several begin so."""
    exact = _exact(world, word, fresh=True)
    archive = world.store.archive(fresh=False)
    if exact is not None:
        return exact
    by_branch = archive.of_branch(word)
    if by_branch:
        return by_branch[-1]
    ids = archive.ids(word) if word and JOB_ID.fullmatch(word) else []
    if len(ids) > 1:
        names = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
        raise UsageError(f"{word!r} could be any of {names}", hint=f"git orch show {ids[0]}")
    return archive.find(ids).get(ids[0]) if ids else None
