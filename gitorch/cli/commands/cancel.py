"""`git orch cancel`: withdraw a job; its branch stays."""

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
    """Withdraw a job; its branch stays.

    Nothing that you wrote is deleted: the branch and every submitted commit stay. A cancelled job is final; submit the
    branch again for a new one.
    """
    from gitorch.core.states import Event
    from gitorch.core.text import one_line
    from gitorch.engine.edit import change_job
    from gitorch.render import job_json

    with opened(remote=remote) as here:
        changed, states = change_job(here.world, job, Event.CANCEL, one_line(reason, 500) if reason else None)
        text = f"{changed.id} is cancelled: {changed.title} ({changed.state.value})"
        return Answer(data=job_json(changed, states), text=text, hint="")
