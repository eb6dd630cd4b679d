"""`git orch completion`: scripts that complete commands and options in a shell."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from gitorch.cli.options import AsJson
from gitorch.cli.outcome import Answer

EXAMPLES = (
    "git orch completion bash > ~/.local/share/bash-completion/completions/git-orch",
    "git orch completion zsh > ~/.zfunc/_git-orch    # with ~/.zfunc in fpath",
    "git orch completion fish > ~/.config/fish/conf.d/git-orch.fish",
)


class Shell(Enum):
    """The shells that a script can be made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def run(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    as_json: AsJson = False,
) -> Answer:
    """Print a completion script for a shell.

    It completes commands, subcommands and options of `git orch` and of `git-orch`; it starts no process while
    you type. Print it again after an update of git orch."""
    from gitorch.cli import completions
    from gitorch.cli.describe import pages

    make = {Shell.BASH: completions.bash, Shell.ZSH: completions.zsh, Shell.FISH: completions.fish}[shell]
    script = make(pages())
    return Answer(data={"shell": shell.value, "script": script}, text=script)
