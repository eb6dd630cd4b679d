"""The table of commands: what `git orch help` lists, what completion offers, which module runs what.

It is data in plain slotted objects, and this file imports nothing: reading it must cost next to nothing,
because `git orch --help` is printed from it alone. It does not know options; those live with each command (see
gitorch.cli.commands).
"""

from __future__ import annotations

DESCRIPTION = "a job queue and a merge queue in any plain git remote"


class Command:
    """One verb. `module` defines it; `subcommands` are (name, summary) pairs, empty for nearly all."""

    __slots__ = ("group", "hidden", "module", "name", "subcommands", "summary")

    def __init__(
        self,
        name: str,
        group: str,
        summary: str,
        *,
        module: str = "",
        hidden: bool = False,
        subcommands: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.name = name
        self.group = group
        self.summary = summary
        self.module = module or f"gitorch.cli.commands.{name}"
        self.hidden = hidden
        self.subcommands = subcommands


_LEASE = (
    ("show", "Say who holds it, for which job, since when"),
    ("acquire", "Take it and keep it for one TTL"),
    ("renew", "Keep it for one more TTL"),
    ("release", "Give it back"),
    ("break", "Free it when its holder is dead"),
)

_HOOKS = (
    ("install", "Install the hooks, or bring them up to date"),
    ("uninstall", "Take them away, and put back what was there"),
    ("status", "Say which are installed and current"),
    ("run", "Be a hook, for another hook that calls this"),
)

COMMANDS = (
    Command("init", "set up", "Tell this clone its remote, target and gate"),
    Command("doctor", "set up", "Check this repository and its remote"),
    Command("hooks", "set up", "Install hooks in a clone or on a server", subcommands=_HOOKS),
    Command("demo", "set up", "Show the whole thing in a throw-away repository"),
    Command("completion", "set up", "Print a completion script for bash, zsh or fish"),
    Command("add", "hand out work", "Describe work that somebody is to do"),
    Command("edit", "hand out work", "Change what a job says of itself"),
    Command("after", "hand out work", "Let a job wait for others"),
    Command("claim", "hand out work", "Take a job, so that nobody else does"),
    Command("release", "hand out work", "Give a claimed job back unfinished"),
    Command("fail", "hand out work", "Say that a claimed job cannot be done"),
    Command("done", "hand out work", "Finish a claimed job that lands nothing"),
    Command("work", "hand out work", "Claim jobs and run a command for each"),
    Command("submit", "land work", "Hand in a finished branch for landing"),
    Command("land", "land work", "Catch up, test, and move the target"),
    Command("gate", "land work", "Catch up and test, and leave the merge to others"),
    Command("settle", "land work", "Finish a job whose tested tree reached the target"),
    Command("verdict", "land work", "Read or note what a gate said about a commit"),
    Command("status", "look", "Show targets, leases and what is ready"),
    Command("list", "look", "List jobs in the order in which they are taken"),
    Command("show", "look", "Show all about a job"),
    Command("log", "look", "Show the diary of a job"),
    Command("why", "look", "Say why a job or branch is where it is"),
    Command("graph", "look", "Draw what waits for what"),
    Command("retry", "repair", "Put a failed job back into the queue"),
    Command("cancel", "repair", "Withdraw a job; its branch stays"),
    Command("lease", "repair", "Handle the right to move a target", subcommands=_LEASE),
    Command("reap", "repair", "Return what dead workers hold"),
    Command("gc", "repair", "Fold finished jobs into the archive"),
    Command("restore", "repair", "Publish again what this clone saw last"),
    Command("fsck", "repair", "Check every promise that the refs can tell about"),
    Command("help", "about", "Explain a command"),
    Command("version", "about", "Print the version"),
)


def find(name: str, commands: tuple[Command, ...] = COMMANDS) -> Command | None:
    """The command of this exact name, None when there is none."""
    for command in commands:
        if command.name == name:
            return command
    return None


def help_text(commands: tuple[Command, ...] = COMMANDS) -> str:
    """What `git orch help` prints."""
    shown = [command for command in commands if not command.hidden]
    width = max(len(command.name) for command in shown)
    lines = ["usage: git orch COMMAND [ARGUMENTS]", "", f"git orch: {DESCRIPTION}.", ""]
    for group in dict.fromkeys(command.group for command in shown):
        lines.append(group)
        lines += [f"   {c.name:<{width}}   {c.summary}" for c in shown if c.group == group]
        lines.append("")
    lines += [
        "`git orch help COMMAND` explains one of them; `--json` makes it answer programs.",
        "New here? `git orch demo` shows it at work, `git orch init` sets up a clone.",
    ]
    return "\n".join(lines) + "\n"
