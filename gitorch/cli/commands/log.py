"""`git orch log`: the diary of a job, or of a target's lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import DiaryEntry

EXAMPLES = ("git orch log 7k2m9qd", "git orch log --lease main", "git orch log -n 20      the last events of all jobs")


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    lease: Annotated[str | None, typer.Option("--lease", metavar="TARGET", help="The lease's diary instead.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Without a job: archived jobs too.")] = False,
    limit: Annotated[int, typer.Option("-n", "--max-count", metavar="N", min=1, max=100_000, help="At most N.")] = 100,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Show what happened, newest first: to one job (an archived one too), to the lease of a target, or to all jobs.

    Each event is one commit: `git log --first-parent` on the mirrored ref shows the same with everything in it.
    """
    with opened(remote=remote) as here:
        entries = _entries(here, job, lease, limit, everything=everything)
        return Answer(data={"events": [_json(entry) for entry in entries]}, text=_text(entries))


def _entries(here: Opened, job: str | None, lease: str | None, limit: int, *, everything: bool) -> list[DiaryEntry]:
    from gitorch.engine.lookup import find_any

    snapshot, store = here.world.store.observe(), here.session.store
    if lease is not None:
        return store.diary(here.world.namespace.lease(lease), limit)
    if job is not None:
        return store.diary(find_any(here.world, snapshot, job).oid, limit)
    starts: list[str] = [seen.oid for seen in snapshot.jobs.values()]
    if everything and store.archive().tip is not None:
        starts += store.archived_events()
    # By the publishers' clocks: chains of many jobs have no other order in common.
    return sorted(store.diaries(starts, limit), key=lambda entry: entry.time_ms, reverse=True)


def _json(entry: DiaryEntry) -> dict[str, Any]:
    from gitorch.core.times import format_time

    return {
        "oid": entry.oid,
        "job": _job_of(entry),
        "subject": entry.message.partition("\n")[0],
        "by": entry.who,
        "time": format_time(entry.time_ms),
        "message": entry.message,
    }


def _job_of(entry: DiaryEntry) -> str | None:
    """The job that an event belongs to; None for the event of a lease, or one that cannot be read."""
    from gitorch.core.codec import decode_job
    from gitorch.core.errors import DamagedError

    try:
        return decode_job(entry.message.encode()).record.id
    except DamagedError:
        return None


def _text(entries: list[DiaryEntry]) -> str:
    from gitorch.core.text import escape, shorten
    from gitorch.core.times import format_time
    from gitorch.render import table

    rows = [
        (
            entry.oid[:10],
            format_time(entry.time_ms)[:19].replace("T", " "),
            _job_of(entry) or "-",
            shorten(escape(entry.who), 20),
            shorten(escape(entry.message.partition("\n")[0]), 90),
        )
        for entry in entries
    ]
    return table(rows) if rows else "no events\n"
