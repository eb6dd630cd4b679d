"""The judge of printed text, independent of the escaping that it judges: by Unicode's own categories and properties."""

from __future__ import annotations

import unicodedata

_ALLOWED = frozenset("\n\t")
_BIDI = frozenset(("RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI", "BN"))
_DRAWN = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"))
_DRAWN_TOO = frozenset(("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs"))


def unsafe(text: str) -> str:
    """The first character that moves a cursor, reorders, hides or cannot be encoded; nothing when there is none."""
    if text.isascii():
        return next((char for char in text if not " " <= char <= "~" and char not in _ALLOWED), "")
    return next((char for char in text if char not in _ALLOWED and not _is_shown(char)), "")


def _is_shown(char: str) -> bool:
    category = unicodedata.category(char)
    return (category in _DRAWN or category in _DRAWN_TOO) and unicodedata.bidirectional(char) not in _BIDI


def require_safe(text: str) -> None:
    """Raises AssertionError for text that must not reach a terminal."""
    found = unsafe(text)
    assert not found, f"shown as it is: {found!a} in {text[:200]!a}"
