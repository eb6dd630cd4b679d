"""Options that many commands share, as annotated types, so that they are spelled and explained in one place.

def run(job: ..., remote: Remote = None, quiet: Quiet = False, color: Color = None, as_json: AsJson = False) ->
Answer:
"""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

Remote = Annotated[
    str | None,
    typer.Option("--remote", metavar="NAME", help="The remote to work with, instead of `orch.remote`."),
]

Target = Annotated[
    str | None,
    typer.Option("--target", metavar="BRANCH", help="The branch to land on, instead of `orch.target`."),
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Report no progress on standard error.")]

Color = Annotated[
    bool | None,
    typer.Option(
        "--color/--no-color", show_default=False, help="Colour the text, or do not; by default on a terminal."
    ),
]


def color_flag(color: bool | None) -> str | None:
    """The flag as git spells it in `color.ui`; None when it was not given."""
    return None if color is None else ("always" if color else "never")


JOB_HELP = "A job's id, a unique beginning of it, or its branch."
