"""`git orch help`: the list of commands, or all about one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gitorch.cli.options import AsJson
from gitorch.cli.outcome import Answer
from gitorch.cli.table import COMMANDS, Command, help_text

EXAMPLES = ("git orch help land", "git orch help lease break")


def run(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="What to explain; without it, list all.")
    ] = None,
    as_json: AsJson = False,
) -> Answer:
    """Explain a command, or list them all.

    `git orch help COMMAND` prints the same as `git orch COMMAND -h`."""
    if command:
        from gitorch.cli.app import help_of

        return help_of(command)
    return Answer(data={"commands": [_row(row) for row in COMMANDS if not row.hidden]}, text=help_text())


def _row(command: Command) -> dict[str, Any]:
    return {
        "name": command.name,
        "group": command.group,
        "summary": command.summary,
        "subcommands": [name for name, _ in command.subcommands],
    }
