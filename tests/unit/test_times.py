"""Times in records: what one client writes, every other reads back to the millisecond."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitorch.core.times import format_time, parse_time
from tests.records import TIMES


@given(TIMES)
@example(-62_135_596_800_000)
@example(-30_641_760_000_000)
@example(-1)
@example(0)
@example(253_402_300_799_999)
def test_any_time_of_four_digit_years_is_read_as_it_was_written(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_769_860_800_250, "2026-01-31T12:00:00.250Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert format_time(ms) == text


@given(TIMES, TIMES)
def test_written_times_sort_as_the_times_do(one: int, other: int) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_the_fraction_may_be_missing() -> None:
    assert parse_time("1970-01-01T00:00:01Z") == 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.5Z",
        "1970-01-01T00:00:00.0000Z",
        "1970-01-01T00:00:00Z\n",
        "1970-13-01T00:00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:60Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "١٩٧٠-٠١-٠١T٠٠:٠٠:٠٠Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@given(st.text(max_size=30))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
