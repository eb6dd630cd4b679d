"""`git orch release`: give a claimed job back unfinished."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

EXITS = ("busy", "lost")
EXAMPLES = (
    "git orch release fix-parser",
    "git orch release fix-parser --break --reason 'its laptop is gone'",
)


def run(
    job: Annotated[str, typer.Argument(metavar="JOB", help=JOB_HELP, show_default=False)],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for others to read.")] = None,
    force: Annotated[bool, typer.Option("--break", help="End somebody else's claim; takes a --reason.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Give a claimed job back unfinished: others can take it at once, and the attempt does not count.

    With --break, somebody else's claim ends. Nobody has to do this for a dead worker, whose claims run out; one that
    lives is fenced, and can neither finish nor hand in any more.
    """
    from gitorch.cli.leaving import leave_claim
    from gitorch.core.states import Event

    if force and not reason:
        raise UsageError("--break takes a reason, for its holder to read", hint=f"{EXAMPLES[1]}")
    with opened(remote=remote) as here:
        why = f"claim broken by {here.world.holder}: {reason}" if force else reason
        return leave_claim(here, job, Event.RELEASE, word_done="released", reason=why, refund=not force, force=force)
