"""A command that ends in every way there is."""

from __future__ import annotations

import os
import signal
from typing import Annotated

import typer

from gitorch.cli.options import AsJson
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UnreachableError, UsageError


def run(how: Annotated[str, typer.Argument(metavar="HOW")], as_json: AsJson = False) -> Answer:
    """End badly."""
    if how == "usage":
        raise UsageError("there is no job orch-1", hint="git orch list")
    if how == "unreachable":
        raise UnreachableError("https://bob:hunter2@example.org/r.git cannot be reached", hint="git orch doctor")
    if how == "ctrl-c":
        raise KeyboardInterrupt
    if how == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "unprintable":
        return Answer(data={"it": object()}, text="fine")
    if how == "busy":
        return Answer(
            code="busy", message="main is held", hint="git orch land --wait", data={"job": "a"}, retryable=True
        )
    raise RuntimeError("no route to https://bob:hunter2@example.org/r.git")
