"""`git orch edit`: change what a job says of itself."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

EXAMPLES = ("git orch edit fix-parser --priority 10", "git orch edit fix-parser --run '' --label area/parser")


def run(
    job: Annotated[str, typer.Argument(metavar="JOB|BRANCH", help=JOB_HELP, show_default=False)],
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="One line.")] = None,
    body: Annotated[str | None, typer.Option("--body", metavar="TEXT|-", help="The description; - reads it.")] = None,
    priority: Annotated[int | None, typer.Option("--priority", metavar="N", help="Higher is taken first.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", metavar="B", help="The branch; '' for none.")] = None,
    command: Annotated[str | None, typer.Option("--run", metavar="CMD", help="What to run; '' for nothing.")] = None,
    land: Annotated[
        bool | None, typer.Option("--land/--no-land", show_default=False, help="Whether its branch is to land.")
    ] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", metavar="L", help="Replaces all labels.")] = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Change what a job says of itself. What it waits for is changed with `git orch after`.

    A job that somebody works on can be edited, too; a finished one cannot.
    """
    from gitorch.cli.commands.add import read_text
    from gitorch.core.additions import Draft, check
    from gitorch.core.plan_queue import Changes
    from gitorch.engine.change import edit
    from gitorch.render import job_json

    if all(value is None for value in (title, body, priority, branch, command, land, labels)):
        raise UsageError("nothing was to be changed", hint="git orch edit -h")
    text = None if body is None else read_text(body)
    wanted = tuple(dict.fromkeys(label for label in labels or () if label))
    checked = check(
        Draft(
            title="title" if title is None else title,
            body=text or "",
            priority=priority or 0,
            branch=branch or None,
            run=command or None,
            labels=wanted,
        )
    )
    changes = Changes(
        title=None if title is None else checked.title,
        priority=priority,
        branch=branch,
        run=command,
        lands=land,
        labels=None if labels is None else wanted,
        body=None if text is None else text.encode(),
    )
    with opened(remote=remote) as here:
        changed, states = edit(here.world, job, changes)
        return Answer(data=job_json(changed, states), text=f"changed {changed.id}: {changed.title}")
