"""`git orch done`: finish a claimed job that lands nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

EXITS = ("busy", "lost")
EXAMPLES = ("git orch done write-minutes",)


def run(
    job: Annotated[str, typer.Argument(metavar="JOB", help=JOB_HELP, show_default=False)],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="What came of it.")] = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Finish a claimed job that lands nothing (made with `add --no-land`).

    A job that lands is done when its branch is on the target: hand it in with `git orch submit`.
    """
    from gitorch.cli.leaving import leave_claim
    from gitorch.core.states import Event

    with opened(remote=remote) as here:
        return leave_claim(here, job, Event.FINISH, word_done="finished", reason=reason)
