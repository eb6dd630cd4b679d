"""Commands made for the tests of the frame: what real ones do, without a repository. `TABLE` is their table."""

from __future__ import annotations

from gitorch.cli.table import Command

TABLE = (
    Command("echo", "test", "Give back what was typed", module="tests.cli.samples.echo"),
    Command("fail", "test", "End badly", module="tests.cli.samples.fail"),
    Command(
        "lamp",
        "test",
        "Handle a lamp",
        module="tests.cli.samples.lamp",
        subcommands=(("on", "Light it"), ("break", "Smash it")),
    ),
)
