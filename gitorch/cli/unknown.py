"""A word that is no command: one sentence, the nearest command, where to look. Loads no option parser."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.cli.outcome import Answer, guarded
from gitorch.cli.table import COMMANDS, Command


def answer_unknown(argv: Sequence[str]) -> int:
    """Print that `argv` starts with no command. Returns the exit status."""
    return guarded(lambda: unknown(argv[0]), wants_json(argv))


def wants_json(argv: Sequence[str]) -> bool:
    """Whether `--json` is among the arguments. For when they could not be parsed; after `--` it would be a
    name."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in options


def unknown(word: str, commands: Sequence[Command] = COMMANDS) -> Answer:
    """The answer to a word that is no command."""
    if word.startswith("-"):
        return Answer(
            code="usage",
            message=f"there is no option {word} before a command; options follow it, as in `git orch list --json`",
            hint="git orch help",
        )
    near = _nearest(word, [command.name for command in commands])
    if near is None:
        return Answer(code="usage", message=f"there is no command `{word}`", hint="git orch help")
    return Answer(
        code="usage",
        message=f"there is no command `{word}`; the nearest is `{near}`",
        hint=f"git orch help {near}",
    )


def _nearest(word: str, names: list[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word.lower(), names, n=1)), None)
