"""`git orch after`: let a job wait for others, or not any more."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

EXITS = ("blocked",)
EXAMPLES = ("git orch after use-parser fix-parser", "git orch after use-parser fix-parser --remove")


def run(
    job: Annotated[str, typer.Argument(metavar="JOB", help=JOB_HELP, show_default=False)],
    dependencies: Annotated[
        list[str], typer.Argument(metavar="DEP...", help="What it is to wait for.", show_default=False)
    ],
    remove: Annotated[bool, typer.Option("--remove", help="It does not wait for them any more.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Let a job wait for others, or with --remove not any more.

    No cycle can come about, however many people do this at once: an edge that would close one is refused.
    """
    from gitorch.engine.change import change_edges
    from gitorch.render import job_json, state_word

    with opened(remote=remote) as here:
        result = change_edges(here.world, job, dependencies, remove=remove)
        waits = ", ".join(result.job.after[:10]) + (", …" if len(result.job.after) > 10 else "")
        word = "" if result.changed else "unchanged: "
        text = f"{word}{result.job.id} waits for {waits or 'nothing'} ({state_word(result.job, result.states)})"
        return Answer(data=job_json(result.job, result.states) | {"changed": result.changed}, text=text)
