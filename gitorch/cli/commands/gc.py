"""`git orch gc`: fold finished jobs into the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Quiet, Remote
from gitorch.cli.outcome import Answer

EXAMPLES = ("git orch gc",)


def run(
    now: Annotated[bool, typer.Option("--now", help="Also what was made a moment ago.")] = False,
    remote: Remote = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> Answer:
    """Fold finished jobs into the archive.

    Every push downloads a line for each ref of the remote, so jobs that are done or cancelled move into one ref, with
    their diary and their commits; `show`, `log`, `why` and dependencies still find them. Refs of workers that are gone
    are dropped. Landing and workers do this in passing, with 20 finished jobs or more.

    Jobs that were made less than `orch.gcGrace` seconds ago (600) stay, unless --now is given: a push that was thought
    lost may still arrive and make such a job a second time. Use --now where nothing is on its way.
    """
    from gitorch.engine.gc import collect

    with opened(remote=remote, quiet=quiet, bulk=True) as here:
        report = collect(replace(here.world, gc_grace_s=0) if now else here.world)
        data = {"folded": report.folded, "workers": report.workers, "pushes": report.pushes, "kept": report.kept}
        return Answer(
            data=data,
            text=_text(report.folded, report.workers, report.kept),
            hint="git orch gc --now" if report.kept and not report.folded else "",
        )


def _text(folded: Sequence[str], workers: Sequence[str], kept: int) -> str:
    if not folded and not workers and not kept:
        return "nothing is finished that is not in the archive"
    lines = [f"{len(folded)} finished job{'s' * (len(folded) != 1)} archived"] if folded else []
    lines += [f"{len(workers)} worker{'s' * (len(workers) != 1)} no longer there: dropped"] if workers else []
    lines += (
        [f"{kept} finished job{'s' * (kept != 1)} kept for now: made less than `orch.gcGrace` seconds ago"]
        if kept
        else []
    )
    return "\n".join(lines)
