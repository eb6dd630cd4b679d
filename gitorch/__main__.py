"""`git orch`: looks at its arguments before it imports anything.

`--version` and `--help` are answered from two files without imports of their own; a word that is no command
costs no option parser. Everything else goes to gitorch.cli.app, which loads typer and the one command that was
asked for.
"""

from __future__ import annotations

import sys

VERSION_WORDS = ("-V", "--version", "version")
HELP_WORDS = ("-h", "--help", "help")


def main() -> int:
    """The console script. Returns the exit status."""
    try:
        return dispatch(sys.argv[1:])
    except KeyboardInterrupt:
        # Before the frame that reports interruptions stood, or while it did.
        return 130


def dispatch(argv: list[str]) -> int:
    """Answer what needs no imports, hand on the rest."""
    first = argv[0] if argv else "help"
    if len(argv) <= 1 and first in VERSION_WORDS + HELP_WORDS:
        return _at_once(first)
    if first in VERSION_WORDS + HELP_WORDS:
        argv = ["version" if first in VERSION_WORDS else "help", *argv[1:]]
    from gitorch.cli.table import find

    if find(argv[0]) is None:
        from gitorch.cli.unknown import answer_unknown

        return answer_unknown(argv)
    from gitorch.cli.app import run

    return run(argv)


def _at_once(word: str) -> int:
    from gitorch.cli.streams import OutputError, complain_of_output, say

    try:
        say(_version() if word in VERSION_WORDS else _help())
    except OutputError as problem:
        return complain_of_output(problem)
    return 0


def _version() -> str:
    from gitorch import __version__

    return f"git orch {__version__}\n"


def _help() -> str:
    from gitorch.cli.table import help_text

    return help_text()


if __name__ == "__main__":
    sys.exit(main())
