"""What the commands say about themselves, as plain data: for the manual page and the completion scripts.

Loads every command's module (never pygit2, filelock or the engine) and reads the parser's own objects, so that
neither can go stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import cleandoc
from typing import Any

from gitorch.cli.app import PROGRAM, argument_form, context_of, load
from gitorch.cli.table import COMMANDS, Command


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or an option: form and explanation as `-h` shows them; the spellings of an option, none for
    an argument; whether a value follows it; the only words it may be, where they are fixed."""

    form: str
    text: str
    spellings: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One command or subcommand. `words` are what is typed behind `git orch`; `help` and `tail` are what `-h`
    prints above and below the parameters."""

    words: tuple[str, ...]
    summary: str
    usage: str
    help: str
    tail: str
    parameters: tuple[Parameter, ...]

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way to write every option."""
        return tuple(word for parameter in self.parameters for word in parameter.spellings)


def pages(commands: Sequence[Command] = COMMANDS, *, strict: bool = True) -> tuple[Page, ...]:
    """All commands in the order of the table, a group before its members. `strict` raises ModuleNotFoundError
    for a command of the table without a module; otherwise it is left out."""
    shown = [command for command in commands if not command.hidden]
    there = [command for command in shown if strict or find_spec(command.module) is not None]
    return tuple(page for c in there for page in _walk(load(c), (c.name,), c.summary))


def _walk(command: Any, words: tuple[str, ...], summary: str) -> Iterator[Page]:
    yield _page(command, words, summary)
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(below, (*words, name), below.short_help)


def _page(command: Any, words: tuple[str, ...], summary: str) -> Page:
    name = " ".join((PROGRAM, *words))
    found = [parameter for parameter in command.get_params(context_of(command, name)) if not parameter.hidden]
    parameters = tuple(map(_parameter, found))
    arguments = [parameter.form for parameter in parameters if not parameter.spellings]
    below = ["COMMAND", "[ARGUMENTS]"] if hasattr(command, "commands") else []
    return Page(
        words=words,
        summary=summary,
        usage=" ".join([name, "[OPTIONS]", *arguments, *below]),
        help=cleandoc(command.help or ""),
        tail=command.epilog or "",
        parameters=parameters,
    )


def _parameter(parameter: Any) -> Parameter:
    """Made from what a parameter is, not from how click prints it: that differs from version to version."""
    option = parameter.param_type_name == "option"
    # The option that click makes for help is a flag in each version, but only some say so under this name.
    takes_value = option and not (getattr(parameter, "is_flag", False) or "--help" in parameter.opts)
    # Sorted, because click keeps the spellings of its help option in a set.
    spellings = sorted((*parameter.opts, *parameter.secondary_opts), key=len) if option else []
    return Parameter(
        form=_option_form(parameter, spellings, takes_value) if option else argument_form(parameter),
        text=" ".join((parameter.help or "").split()),
        spellings=tuple(spellings),
        takes_value=takes_value,
        choices=tuple(map(str, getattr(getattr(parameter, "type", None), "choices", ()))),
    )


def _option_form(option: Any, spellings: Sequence[str], takes_value: bool) -> str:
    """`-q, --quiet` or `--target BRANCH`."""
    return ", ".join(spellings) + (f" {option.metavar or 'VALUE'}" if takes_value else "")
