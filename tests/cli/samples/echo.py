"""A command with an argument and every kind of option."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.options import AsJson, Color, Quiet, Target
from gitorch.cli.outcome import Answer

EXITS = ("nothing", "busy")
EXAMPLES = ("git orch echo fix-parser",)


def run(
    branch: Annotated[str, typer.Argument(metavar="BRANCH", help="Any name.")],
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="A title.")] = "",
    target: Target = None,
    quiet: Quiet = False,
    color: Color = None,
    as_json: AsJson = False,
) -> Answer:
    """Give back what was typed.

    Nothing is changed."""
    data = {"branch": branch, "title": title, "target": target, "quiet": quiet, "color": color}
    return Answer(data=data, text=f"branch {branch} title {title}")
