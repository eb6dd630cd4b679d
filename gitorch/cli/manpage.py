"""The manual page `git-orch(1)`, made from the table and the commands' own options; `make man` writes it to
man/git-orch.1.

`git orch --help` is `git help orch`, which shows this page. It bears no date, so that the same commands always
give the same bytes; a test compares the committed page with what the commands say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitorch import __version__
from gitorch.cli.describe import Page, pages
from gitorch.cli.outcome import CODES
from gitorch.cli.streams import complain
from gitorch.cli.table import COMMANDS, DESCRIPTION, find

_DESCRIPTION = """\
`git orch` hands out work and lands finished branches one at a time, so that a target branch only ever moves to a
tree that was tested as it stands. All shared state is git objects on the remote; every write is one atomic push
that compares and swaps. No server, no database.

`git orch demo` shows it at work in a throw-away repository. `git orch init` sets up a clone; then
`git orch submit` hands in a branch and `git orch land` lands it.

With `--json` every command prints one document instead of text: `{"schema": 1, "ok": true, "data": ...}`, or
`{"schema": 1, "ok": false, "error": {"code", "message", "hint", "retryable"}}`. A failure ends with a hint: the
next command to type. A name that begins with a dash goes behind `--`.
"""


def manual(described: Sequence[Page]) -> str:
    """The whole page in roff."""
    lines = [
        f'.TH GIT\\-ORCH 1 "" "git orch {__version__}" "git orch"',
        *_section("Name", [f"git\\-orch \\- {_roff(DESCRIPTION)}"]),
        *_section("Synopsis", ["\\fBgit orch\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]"]),
        *_section("Description", _paragraphs(_DESCRIPTION)),
    ]
    groups = dict.fromkeys(command.group for command in COMMANDS)
    for group in groups:
        members = [page for page in described if _group(page) == group]
        if members:
            lines += _section(f"Commands: {group}", [line for page in members for line in _command(page)])
    lines += _section("Exit status", [line for row in CODES.items() for line in _code(*row)])
    lines += _section("See also", ["\\fBgit\\fR(1), \\fBgit\\-notes\\fR(1), \\fBgit\\-push\\fR(1)"])
    return "\n".join(lines) + "\n"


def _group(page: Page) -> str:
    command = find(page.words[0])
    return command.group if command is not None else ""


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f".SH {title.upper()}", *lines]


def _command(page: Page) -> Iterator[str]:
    yield f".SS {_roff(page.usage)}"
    yield from _paragraphs(page.help)
    for parameter in page.parameters:
        if "--help" not in parameter.spellings:
            yield from (".TP", f"\\fB{_roff(parameter.form)}\\fR", _roff(parameter.text))
    # The codes that every command may give are listed once, at the end of the page.
    tail = [line for line in page.tail.split("\n") if not line.startswith("  and, as every command")]
    if tail != [""]:
        yield from (".PP", ".nf", *map(_roff, tail), ".fi")


def _code(code: str, row: tuple[int, str]) -> Iterator[str]:
    yield from (".TP", f"\\fB{row[0]}\\fR ({code})", _roff(row[1]))


def _paragraphs(text: str) -> list[str]:
    """Filled paragraphs, each on one line, so that no `code` is torn apart. One that begins with the mark `\\b` keeps
    its lines."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.startswith("\b"):
            lines += [".PP", ".nf", *(_roff(line) for line in paragraph.split("\n")[1:]), ".fi"]
        else:
            lines += [".PP", _roff(" ".join(paragraph.split()))]
    return lines


def _roff(text: str) -> str:
    """Plain text as roff: nothing in it is a request, dashes stay dashes when copied, `code` is bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main(argv: Sequence[str]) -> int:
    """`python -m gitorch.cli.manpage [--strict] FILE`: write the page. Without `--strict`, commands without a
    module are left out."""
    strict = "--strict" in argv
    files = [word for word in argv if word != "--strict"]
    if len(files) != 1:
        complain("usage: python -m gitorch.cli.manpage [--strict] FILE\n")
        return 2
    Path(files[0]).write_text(manual(pages(strict=strict)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
