"""`git orch fail`: say that a claimed job cannot be done."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

EXITS = ("busy", "lost")
EXAMPLES = ("git orch fail fix-parser --reason 'needs a decision about the grammar'",)


def run(
    job: Annotated[str, typer.Argument(metavar="JOB", help=JOB_HELP, show_default=False)],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for others to read.")] = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Say that a claimed job cannot be done as it is.

    It goes to rework with the reason, where others can take it again; once its attempts are used up
    (`orch.maxAttempts`), it is failed and waits for a person.
    """
    from gitorch.cli.leaving import leave_claim
    from gitorch.core.states import Event

    with opened(remote=remote) as here:
        return leave_claim(here, job, Event.FAIL, word_done="gave up", reason=reason, counts=True)
