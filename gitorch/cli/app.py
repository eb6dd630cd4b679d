"""The application behind `git orch COMMAND`: one typer group over the table, which loads the one command that
was asked for.

Typer is given the whole work of parsing and none of reporting: its errors become our sentence and hint, with
exit status 2, as a JSON document where that was asked for. Works with typer 0.25 (on click) to 0.28 (with click
inside), hence without an import of click.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from gitorch.cli.outcome import ALWAYS_POSSIBLE, CODES, Answer, guarded
from gitorch.cli.streams import OutputError
from gitorch.cli.table import COMMANDS, Command, find
from gitorch.cli.unknown import unknown, wants_json

PROGRAM = "git orch"
HELP_OPTIONS = ["-h", "--help"]
CONTEXT = {"help_option_names": HELP_OPTIONS}

# click.UsageError and click.ClickException; typer carries its own copies since 0.26, so they are found by way
# of what it exports.
_UsageFault: Any = typer.BadParameter.__mro__[1]
_ClickFault: Any = typer.BadParameter.__mro__[2]


class LazyGroup(TyperGroup):
    """A group whose commands are those of a table, each loaded when it is asked for."""

    def __init__(self, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__(name=PROGRAM, context_settings=dict(CONTEXT), rich_markup_mode=None)
        self.table = tuple(commands)

    def list_commands(self, ctx: Any) -> list[str]:
        return [command.name for command in self.table]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = find(cmd_name, self.table)
        return None if command is None else load(command)


class PlainCommand(TyperCommand):
    """A command whose help ends as it was written, examples and exit codes in lines of their own, and whose
    usage line is the same with each version of typer."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "argument"]
        return ["[OPTIONS]", *map(argument_form, arguments)]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            formatter.write(f"\n{self.epilog}\n")


def argument_form(argument: Any) -> str:
    """`JOB`, `[JOB]` or `[JOB...]`."""
    form = str(argument.metavar or argument.name.upper()).strip("[]")
    if argument.nargs == -1 and not form.endswith("..."):
        form += "..."
    return form if argument.required else f"[{form}]"


def run(argv: Sequence[str], commands: Sequence[Command] = COMMANDS) -> int:
    """Run the command that `argv` names. Returns the exit status; everything is printed."""
    return guarded(lambda: _invoke(LazyGroup(commands), list(argv)), wants_json(argv))


def _invoke(group: LazyGroup, argv: list[str]) -> Answer | int:
    if find(argv[0], group.table) is None:
        return unknown(argv[0], group.table)
    try:
        with group.make_context(PROGRAM, argv) as context:
            return int(group.invoke(context))
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _ClickFault as fault:
        return _misused(fault, _words(argv, group))
    except BrokenPipeError:
        raise
    except OSError as problem:
        # The parser's own help; what a command prints fails inside of `guarded`.
        from gitorch.shell.terminal import silence

        silence(sys.stdout)
        raise OutputError(problem.strerror or str(problem)) from None


def load(command: Command) -> Any:
    """The click object of a command; imports its module."""
    module = import_module(command.module)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=dict(CONTEXT))
    if command.subcommands:
        app.callback(help=module.__doc__)(_nothing)
        for name, summary in command.subcommands:
            _add(app, name, summary, module.SUBCOMMANDS[name], _tail(module))
    else:
        _add(app, command.name, command.summary, module.run, _tail(module))
    loaded = get_command(app)
    loaded.name = command.name
    for leaf in leaves(loaded):
        leaf.callback = _reported(leaf.callback)
    return loaded


def leaves(command: Any) -> Iterable[Any]:
    """The commands that do something: the command itself, or those below it."""
    below = getattr(command, "commands", None)
    return [command] if below is None else list(below.values())


def _nothing() -> None:
    """A group does nothing of its own."""


def _add(app: typer.Typer, name: str, summary: str, function: Callable[..., Answer], tail: str) -> None:
    register = app.command(name, cls=PlainCommand, help=function.__doc__ or summary, short_help=summary, epilog=tail)
    register(function)


def _reported(function: Callable[..., Answer]) -> Callable[..., int]:
    """Run the command under `guarded`, with the `--json` that was parsed."""

    def report(**values: Any) -> int:
        # Here, not at the head: help and usage errors need none of it, and it loads the records of the core.
        from gitorch.shell.system import handle_signals
        from gitorch.shell.terminal import prepare_streams

        prepare_streams()
        with handle_signals():
            return guarded(lambda: function(**values), bool(values.get("as_json")))

    return report


def _tail(module: Any) -> str:
    """The end of a command's help: examples and exit codes."""
    lines = []
    examples = getattr(module, "EXAMPLES", ())
    if examples:
        lines += ["Examples:", *(f"  {example}" for example in examples), ""]
    rows = [CODES[code] for code in ("done", *getattr(module, "EXITS", ()))]
    others = ", ".join(str(CODES[code].exit) for code in ALWAYS_POSSIBLE)
    lines += ["Exit status:", *(f"  {row.exit:>3}  {row.when}" for row in rows)]
    return "\n".join([*lines, f"  and, as every command, {others}: see `man git-orch`"])


def _words(argv: Sequence[str], group: LazyGroup) -> str:
    """The command and subcommand that were typed: some errors of the parser do not say where they happened."""
    command = find(argv[0], group.table)
    below = [name for name, _ in command.subcommands] if command is not None else []
    return " ".join((PROGRAM, *(argv[:2] if argv[1:2] and argv[1] in below else argv[:1])))


def _misused(fault: Any, typed: str) -> Answer:
    """Our form of an error of the option parser."""
    message = " ".join(str(fault.format_message()).split()).rstrip(".")
    hint = f"{typed} -h"
    if hasattr(fault, "option_name") and hasattr(fault, "possibilities"):
        hint += " (a name that begins with a dash goes behind `--`)"
    code = "usage" if isinstance(fault, _UsageFault) else "failed"
    return Answer(code=code, message=message[:1].lower() + message[1:], hint=hint)


def context_of(command: Any, name: str, parent: typer.Context | None = None) -> typer.Context:
    """What click wants to know before it describes a command: how it was called."""
    return typer.Context(command, info_name=name, parent=parent, help_option_names=HELP_OPTIONS)


def help_of(words: Sequence[str], commands: Sequence[Command] = COMMANDS) -> Answer:
    """The help of a command or subcommand, as `-h` prints it."""
    command: Any = LazyGroup(commands)
    context = context_of(command, PROGRAM)
    for word in words:
        below = command.get_command(context, word) if hasattr(command, "get_command") else None
        if below is None:
            return _no_topic(words, word, commands)
        command, context = below, context_of(below, word, context)
    text = command.get_help(context)
    return Answer(data={"command": " ".join(words), "help": text}, text=text)


def _no_topic(words: Sequence[str], word: str, commands: Sequence[Command]) -> Answer:
    if word == words[0]:
        return unknown(word, commands)
    return Answer(code="usage", message=f"`{words[0]}` has no subcommand `{word}`", hint=f"git orch help {words[0]}")
