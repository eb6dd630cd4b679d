"""What a stranger wrote reaches people as visible text: failures here let a title steer a terminal or forge a line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.model import REASON_LIMIT, TITLE_LIMIT, Job, JobId, State
from gitorch.core.text import columns, duration, escape, escape_block, one_line, printable_bytes, shorten

# Any code point, surrogates included, and the nasty ones more often than chance gives them.
NASTY = (
    "\x00\x1b\x07\n\r\t\x7f\x80\x85\x9b\xad\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069"
    "\ufeff\udc80\U000e0041"
)
ANY = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from(NASTY)), max_size=60)
SPACES = str.maketrans("", "", "\xa0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcödé, 日本語, 🎉", "plain, ünïcödé, 日本語, 🎉"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"),
        ("\x7f\x85\x9b31m", "\\x7f\\x85\\x9b31m"),
        ("\u202eevil\u202c", "\\u202eevil\\u202c"),
        ("\u061c\u200e\u200f\u2066\u2069", "\\u061c\\u200e\\u200f\\u2066\\u2069"),
        ("zero\u200bwidth\u200d\u2060", "zero\\u200bwidth\\u200d\\u2060"),
        ("\u2028\u2029\ufeff", "\\u2028\\u2029\\ufeff"),
        ("\U000e0001\U000e0041", "\\U000e0001\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\udcff", "\\xff"),
        ("hangul filler \u3164", "hangul filler \\u3164"),
        ("wide space\u3000and no-break\xa0space", "wide space\u3000and no-break\xa0space"),
        (r"back\slash", r"back\slash"),
    ],
)
def test_escape_shows_what_would_be_invisible_and_keeps_what_people_type(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(ANY)
def test_escaped_text_is_printable_on_one_line_and_can_be_encoded(text: str) -> None:
    shown = escape(text)
    assert shown.translate(SPACES).isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert escape(shown) == shown


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=40))
def test_escape_changes_no_letter_digit_or_sign_that_can_be_seen(text: str) -> None:
    invisible = set("\u115f\u1160\u3164\uffa0")
    assert escape(text) == text or invisible & set(text)


@given(ANY)
def test_a_block_keeps_its_lines_and_tabs_and_nothing_else_that_moves_the_cursor(text: str) -> None:
    block = escape_block(text)
    assert block.count("\n") == text.count("\n")
    assert block.count("\t") == text.count("\t")
    assert block.replace("\n", "").replace("\t", "").translate(SPACES).isprintable()


def test_bytes_that_are_not_utf8_show_as_bytes() -> None:
    assert printable_bytes(b"caf\xc3\xa9 \xff\x1b[0m") == "café \\xff\\x1b[0m"


@given(st.binary(max_size=60))
def test_any_bytes_become_printable(data: bytes) -> None:
    assert printable_bytes(data).translate(SPACES).isprintable()


@given(ANY, st.integers(min_value=-1, max_value=40))
def test_shortened_text_fits_its_width(text: str, width: int) -> None:
    short = shorten(text, width)
    assert columns(short) <= max(width, 0)
    assert short == escape(text) or width < 1 or short.endswith("…")


def test_shorten_counts_wide_characters_as_two_cells() -> None:
    assert shorten("日本語", 6) == "日本語"
    assert shorten("日本語", 5) == "日本…"
    assert shorten("日本語", 4) == "日…"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abc", 0) == ""


@given(ANY, st.integers(min_value=1, max_value=TITLE_LIMIT))
def test_one_line_makes_a_legal_title_and_reason_of_any_text(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert 1 <= len(line) <= limit
    job = Job(id=JobId("a"), title=line, reason=line, state=State.QUEUED, target="main", created_ms=0, updated_ms=0)
    assert job.title == line


def test_one_line_joins_lines_trims_and_cuts_with_an_ellipsis() -> None:
    assert one_line("  fix\tthe \r\n parser\n", 80) == "fix the parser"
    assert one_line("two  spaces stay", 80) == "two  spaces stay"
    assert one_line("a\x1bb", 80) == "a\\x1bb"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("ab   cdef", 5) == "ab…"
    assert one_line(" \n\t ", 80) == "(no title)"
    assert one_line("", REASON_LIMIT, "(no reason)") == "(no reason)"
    assert len(one_line("x" * 10_000, TITLE_LIMIT)) == TITLE_LIMIT


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0s"),
        (0.9, "0s"),
        (5, "5s"),
        (59.99, "59s"),
        (60, "1m"),
        (65, "1m05s"),
        (120, "2m"),
        (3599, "59m59s"),
        (3600, "1h"),
        (3665, "1h01m"),
        (12_000, "3h20m"),
        (86_399, "23h59m"),
        (86_400, "1d"),
        (216_000, "2d12h"),
    ],
)
def test_a_duration_names_its_two_largest_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_is_never_more_than_what_passed_and_less_than_one_unit_off(seconds: float) -> None:
    size = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    parts = [(int(count), size[unit]) for count, unit in re.findall(r"(\d+)([smhd])", duration(seconds))]
    shown = sum(count * unit for count, unit in parts)
    smallest = 1 if seconds < 3600 else 60 if seconds < 86_400 else 3600
    assert shown <= seconds < shown + smallest
