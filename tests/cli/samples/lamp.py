"""Handle a lamp that is not there."""

from __future__ import annotations

from gitorch.cli.options import AsJson, Target
from gitorch.cli.outcome import Answer


def on(target: Target = None, as_json: AsJson = False) -> Answer:
    """Light it."""
    return Answer(data={"lamp": target}, text="light")


def break_(as_json: AsJson = False) -> Answer:
    """Smash it."""
    return Answer(text="dark")


SUBCOMMANDS = {"on": on, "break": break_}
