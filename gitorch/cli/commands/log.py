"""`git orch log`: the diary of a job, or of a target's lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.shell.store import DiaryEntry

EXAMPLES = ("git orch log 7k2m9qd", "git orch log --lease main", "git orch log -n 20      the last events of all jobs")


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    lease: Annotated[str | None, typer.Option("--lease", metavar="TARGET", help="The lease's diary instead.")] = None,
    limit: Annotated[int, typer.Option("-n", "--max-count", metavar="N", min=1, max=100_000, help="At most N.")] = 100,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Show what happened, newest first: to one job, to the lease of a target, or to all live jobs.

    Each event is one commit: `git log --first-parent` on the mirrored ref shows the same with everything in it.
    """
    from gitorch.core.queue import find_job

    with opened(remote=remote) as here:
        snapshot = here.world.store.observe()
        namespace, store = here.world.namespace, here.session.store
        if lease is not None:
            entries = store.diary(namespace.lease(lease), limit)
        elif job is not None:
            entries = store.diary(namespace.job(find_job(snapshot.jobs, job).record.id), limit)
        else:
            entries = [entry for job_id in snapshot.jobs for entry in store.diary(namespace.job(job_id), limit)]
            entries = sorted(entries, key=lambda entry: entry.time_ms, reverse=True)[:limit]
        now_ms = here.world.clock.now_ms()
        return Answer(data={"events": [_json(entry) for entry in entries]}, text=_text(entries, now_ms))


def _json(entry: DiaryEntry) -> dict[str, Any]:
    from gitorch.core.times import format_time

    return {
        "oid": entry.oid,
        "subject": entry.message.partition("\n")[0],
        "by": entry.who,
        "time": format_time(entry.time_ms),
        "message": entry.message,
    }


def _text(entries: list[DiaryEntry], now_ms: int) -> str:
    from gitorch.core.text import escape, shorten
    from gitorch.core.times import format_time
    from gitorch.render import table

    del now_ms
    rows = [
        (
            entry.oid[:10],
            format_time(entry.time_ms)[:19].replace("T", " "),
            shorten(escape(entry.who), 20),
            shorten(escape(entry.message.partition("\n")[0]), 90),
        )
        for entry in entries
    ]
    return table(rows) if rows else "no events\n"
