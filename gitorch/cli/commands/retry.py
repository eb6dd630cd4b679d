"""`git orch retry`: put a job back that went to rework or failed."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer


def run(
    job: Annotated[str, typer.Argument(metavar="JOB|BRANCH", help=JOB_HELP, show_default=False)],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for others to read.")] = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Put a job back that went to rework or failed.

    A job in rework is submitted again at the very same head, for a gate that was at fault; the gate runs once more. A
    failed one goes back into the queue.
    """
    from gitorch.core.states import Event
    from gitorch.core.text import one_line
    from gitorch.engine.edit import change_job
    from gitorch.render import job_json

    with opened(remote=remote) as here:
        changed, states = change_job(here.world, job, Event.RETRY, one_line(reason, 500) if reason else None)
        text = f"{changed.id} is back: {changed.title} ({changed.state.value})"
        return Answer(
            data=job_json(changed, states),
            text=text,
            hint=f"git orch land {changed.id}" if changed.head else f"git orch show {changed.id}",
        )
