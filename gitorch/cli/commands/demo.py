"""`git orch demo`: show the whole thing in a throw-away repository."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.options import AsJson, Color
from gitorch.cli.outcome import Answer
from gitorch.cli.streams import complain, say

if TYPE_CHECKING:
    from gitorch.demo.narrator import Narrator

EXAMPLES = (
    "git orch demo",
    "git orch demo --keep orch-demo    and look around in orch-demo/bob afterwards",
)


def run(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Play in DIR, a new or empty directory, and leave it there."),
    ] = None,
    color: Color = None,
    as_json: AsJson = False,
) -> Answer:
    """Show the whole thing in a throw-away repository.

    Two people work on one remote in a temporary directory: their landers race, branches conflict in text and in
    meaning, a lander is killed and another one finishes. Every command that is shown is really run, nothing of yours is
    read or changed, and it takes about ten seconds. What comes of each step is compared with what was told, and if
    anything differs the demonstration fails. With --json the story goes to standard error.
    """
    from gitorch.demo.project import GATE

    return perform(_narrator(color, as_json), keep, GATE)


def perform(narrator: Narrator, keep: Path | None, gate: str) -> Answer:
    """Play the story to `narrator`, with the script `gate` as the project's gate, in `keep` or in a directory that is
    gone afterwards."""
    from gitorch.core.errors import OrchError
    from gitorch.demo.stage import Stage, clock_s
    from gitorch.demo.story import Story

    began_s = clock_s()
    problem: OrchError | None = None
    try:
        with Stage(keep) as stage:
            story = Story(stage, narrator, gate)
            try:
                story.perform()
            except OrchError as error:
                problem = error
    except KeyboardInterrupt as stop:
        left = "" if keep is None else f", {keep} stays as it is"
        return Answer(code="interrupted", message=f"{str(stop) or 'interrupted'}{left}", hint="git orch demo")
    data = asdict(story.facts) | {
        "seconds": round(clock_s() - began_s, 3),
        "kept": None if keep is None else str(stage.root),
    }
    if problem is not None:
        return Answer(data=data, code=problem.code, message=problem.message, hint=problem.hint)
    return Answer(data=data, text=ending(data))


def _narrator(color: bool | None, as_json: bool) -> Narrator:
    from gitorch.demo.narrator import WIDEST, Narrator
    from gitorch.shell.terminal import Style, is_terminal, wants_colour

    fd = 2 if as_json else 1
    flag = None if color is None else "always" if color else "never"
    style = Style(wants_colour(os.environ, terminal=is_terminal(fd, os.environ), flag=flag))
    try:
        columns = os.get_terminal_size(fd).columns or WIDEST
    except OSError:
        columns = WIDEST
    return Narrator(complain if as_json else say, columns=columns, bold=style.bold, dim=style.dim)


def ending(data: dict[str, Any]) -> str:
    """What was shown, and what to type next."""
    lines = (
        "",
        f"All of this took {data['seconds']:.0f} s, with git and nothing else running:",
        f"  - main grew by {len(data['landed'])} commits, and each was tested before main moved to it;",
        "  - two landers worked at once, and each branch landed once;",
        "  - a conflict in text and one in meaning went back to their author;",
        "  - a lander died at work, and the next one finished without any clean-up.",
        f"Look around in {data['kept']}." if data["kept"] else "The directory it was played in is gone again.",
        "",
        "In a repository of your own, type",
        "",
        "  git orch init --gate 'make test'",
    )
    return "\n".join(lines) + "\n"
