"""`git orch version`: which git orch this is."""

from __future__ import annotations

from gitorch import __version__
from gitorch.cli.options import AsJson
from gitorch.cli.outcome import Answer


def run(as_json: AsJson = False) -> Answer:
    """Print the version of git orch."""
    return Answer(data={"version": __version__}, text=f"git orch {__version__}")
