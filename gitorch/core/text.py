"""Untrusted text made fit to be shown: titles, refs, paths and output of strangers.

Promises: what comes out has no character that moves a cursor, changes a colour, reorders or hides what stands beside
it. Does not promise that the original can be read back: a backslash stays a backslash, so `\\x1b` may have been an
escape or four typed characters; `--json` gives exact text. Widths are an estimate by blocks of Unicode.
"""

from __future__ import annotations

import re

# Letters and marks that count as printable but are drawn as nothing: fillers, joiners, separators of vowels.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")

# Spaces that `str.isprintable` refuses and people type: no-break, typographic and ideographic ones.
_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")

_WIDE = re.compile(
    "[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f"
    "\uff00-\uff60\uffe0-\uffe6\u231a\u231b\u23e9-\u23f3\u25fd\u25fe\u2614-\u27bf\u2b1b-\u2b55"
    "\U00016fe0-\U00018cff\U0001b000-\U0001b2ff\U0001f000-\U0001faff\U00020000-\U0003fffd]"
)
# Runs of blanks, looked at once each: a pattern that asks for a break inside of one takes the square of its length.
_BLANKS = re.compile(r"[ \t\n\v\f\r]+")

ELLIPSIS = "…"

_PASTABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@+%-]*")

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+%:-]*")

_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1))


def escape(text: str) -> str:
    """`text` on one line, every character visible: controls, surrogates, bidi and zero-width characters, line
    separators, tags and unassigned code points become `\\x1b`, `\\u202e`, `\\U000e0041`. A byte that was not UTF-8
    (a surrogate escape) shows as that byte."""
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(map(_shown, text))


def escape_block(text: str) -> str:
    """Like escape, but newlines and tabs stay: for a description or the tail of a log."""
    return "\n".join("\t".join(map(escape, line.split("\t"))) for line in text.split("\n"))


def printable_bytes(data: bytes) -> str:
    """Bytes as escape shows them: UTF-8 where it is UTF-8, `\\xff` elsewhere."""
    return escape(data.decode("utf-8", "surrogateescape"))


def printable_block(data: bytes) -> str:
    """Like printable_bytes, but newlines and tabs stay: for the tail of a log or a list of paths."""
    return escape_block(data.decode("utf-8", "surrogateescape"))


def columns(text: str) -> int:
    """About how many cells of a terminal escaped text takes."""
    return len(text) + len(_WIDE.findall(text))


def shorten(text: str, width: int) -> str:
    """Escaped `text` in at most `width` cells of a terminal; what was cut ends in an ellipsis."""
    text = escape(text)
    if columns(text) <= width:
        return text
    if width < 1:
        return ""
    kept = text[: width - 1]
    while columns(kept) > width - 1:
        kept = kept[:-1]
    return kept + ELLIPSIS


def one_line(text: str, limit: int, fallback: str = "(no title)") -> str:
    """A legal title or reason made of any text: one escaped line of 1 to `limit` characters without spaces around it.
    Line breaks and tabs become one space. Text without anything to show becomes `fallback`."""
    assert limit >= 1, "a line has at least one character"
    unbroken = _BLANKS.sub(lambda run: " " if run[0].strip(" ") else run[0], text)
    line = escape(unbroken.strip(" ")).strip() or fallback
    return line if len(line) <= limit else line[: limit - 1].rstrip() + ELLIPSIS


def typed(name: str, instead: str = "BRANCH") -> str:
    """The name of a branch or remote as it can be pasted into a shell after a hint; `instead` of one that cannot."""
    return name if _PASTABLE.fullmatch(name) else instead


def quoted(word: str) -> str:
    """Any text as one word of a shell's command line."""
    return word if _PLAIN_WORD.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"


def duration(seconds: float) -> str:
    """Whole seconds for people, in at most two units: `5s`, `1m05s`, `2m`, `3h20m`, `1d04h`."""
    total = max(0, int(seconds))
    for large, size, small, part in _UNITS:
        if total >= size:
            rest = total % size // part
            return f"{total // size}{large}{rest:02d}{small}" if rest else f"{total // size}{large}"
    return f"{total}s"


def _shown(char: str) -> str:
    if (char.isprintable() and char not in _INVISIBLE) or char in _SPACES:
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
