"""How the demonstration is told: a heading, a sentence or two, the command as it is typed, and what it answers.

Pure: text comes in, escaped and folded text goes to a function. Output is indented; a line that is too long is folded
between words and nothing is cut.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from gitorch.core.text import escape_block

WIDEST = 80
NARROWEST = 40
INDENT = "    "


def _plain(text: str) -> str:
    return text


class Narrator:
    """Tells a story through `say`, which takes text that ends in a newline."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        columns: int = WIDEST,
        bold: Callable[[str], str] = _plain,
        dim: Callable[[str], str] = _plain,
    ) -> None:
        self._say = say
        self._bold = bold
        self._dim = dim
        self._width = max(NARROWEST, min(columns, WIDEST)) - 1
        self._after_prose = False

    def heading(self, text: str) -> None:
        self._say(f"\n{self._bold(text)}\n")

    def tell(self, text: str) -> None:
        """A paragraph of narration."""
        self._after_prose = True
        self._say("\n" + "".join(f"{line}\n" for line in textwrap.wrap(text, self._width)))

    def typed(self, who: str, command: str) -> None:
        """A command at somebody's prompt. Never folded: it is there to be copied."""
        gap = "\n" if self._after_prose else ""
        self._after_prose = False
        self._say(f"{gap}  {self._dim(f'{who}$')} {self._bold(command)}\n")

    def answer(self, line: str) -> None:
        """A line of a command's output."""
        self._output(INDENT, line)

    def answer_of(self, who: str, line: str) -> None:
        """A line of the output of one of several commands that run at once."""
        self._output(f"{INDENT}{self._dim(f'{who:<5} |')} ", line, prefix=len(INDENT) + len(f"{who:<5} | "))

    def _output(self, lead: str, line: str, prefix: int = len(INDENT)) -> None:
        shown = escape_block(line)
        inner = " " * (len(shown) - len(shown.lstrip(" ")) + 2)
        folded = textwrap.wrap(
            shown,
            self._width - prefix,
            subsequent_indent=inner,
            drop_whitespace=True,
            expand_tabs=False,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        self._say("".join(f"{lead}{part}".rstrip() + "\n" for part in folded or [""]))
