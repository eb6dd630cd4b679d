"""The lines in the notes. A failure here runs a gate twice, or takes a stranger's line for a verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.model import Color, JobId, LandingRecord, Oid, Verdict
from gitorch.core.verdicts import (
    NOTE_LIMIT,
    Bypass,
    format_landing,
    format_verdict,
    parse_bypasses,
    parse_landings,
    parse_verdicts,
    verdict_for,
)
from tests.records import JOB_IDS, OIDS, TIME_MS, TIMES, UNICODE, oid

TEXT = st.text(UNICODE, min_size=1, max_size=40)
TREE, GATE = oid(1), oid(2)
GREEN = Verdict(color=Color.GREEN, tree=TREE, gate=GATE, time_ms=TIME_MS)
LINE = format_verdict(GREEN)


def verdicts() -> st.SearchStrategy[Verdict]:
    return st.builds(
        Verdict,
        color=st.sampled_from(Color),
        tree=OIDS,
        gate=OIDS,
        time_ms=TIMES,
        seconds=st.integers(0, 9_999_999_999).map(lambda tenths: tenths / 10),
        job=st.one_of(st.none(), JOB_IDS),
        by=st.one_of(st.none(), TEXT),
        url=st.one_of(st.none(), TEXT),
    )


def landings() -> st.SearchStrategy[LandingRecord]:
    return st.builds(
        LandingRecord,
        job=JOB_IDS,
        target=TEXT,
        head=OIDS,
        base=OIDS,
        time_ms=TIMES,
        branch=st.one_of(st.none(), TEXT),
        gate=st.one_of(st.none(), OIDS),
    )


@given(verdicts())
def test_any_verdict_is_one_line_of_plain_ascii_and_is_read_as_it_was_written(verdict: Verdict) -> None:
    line = format_verdict(verdict)
    assert line.isascii() and line.isprintable()
    assert parse_verdicts(line + "\n") == [verdict]


@given(landings())
def test_any_landing_is_one_line_of_plain_ascii_and_is_read_as_it_was_written(landing: LandingRecord) -> None:
    line = format_landing(landing)
    assert line.isascii() and line.isprintable()
    assert parse_landings(line + "\n") == [landing]


def test_a_line_reads_time_first_then_the_word_then_what_it_is_about() -> None:
    verdict = Verdict(
        color=Color.RED, tree=TREE, gate=GATE, time_ms=0, seconds=1.25, job=JobId("fix"), by="ada on h", url="u%\u00e9"
    )
    assert format_verdict(verdict) == (
        f"1970-01-01T00:00:00.000Z red tree={TREE} gate={GATE} seconds=1.2 job=fix by=ada%20on%20h url=u%25%C3%A9"
    )


@given(st.text(max_size=300))
def test_no_note_raises_and_none_of_its_lines_is_taken_for_ours(note: str) -> None:
    assert parse_verdicts(note) == []
    assert parse_landings(note) == []


WORDS = st.sampled_from(
    [*LINE.split(), "landed", "red", "seconds=-1", "seconds=nan", "seconds=1e400", "job=X", "by=%ZZ"]
)


@given(st.lists(WORDS, max_size=8))
def test_a_line_of_any_of_our_words_is_read_or_skipped(words: list[str]) -> None:
    for verdict in parse_verdicts(" ".join(words)):
        assert verdict.tree == TREE and verdict.gate == GATE and verdict.seconds >= 0


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("green", "GREEN"),
        LINE.replace("green", "yellow"),
        LINE.replace(f"tree={TREE}", "tree=abc"),
        LINE.replace(f"tree={TREE}", ""),
        LINE.replace(f"gate={GATE}", ""),
        LINE.removeprefix("2"),
        " " + LINE,
        f"{LINE} job=UPPER",
        f"{LINE} by={'x' * 10_000}",
        LINE.replace(" ", "\t"),
    ],
)
def test_a_line_that_is_not_quite_ours_is_skipped_and_the_others_count(line: str) -> None:
    assert parse_verdicts(f"{line}\n{LINE}\n\nsome words\n") == [GREEN]


def test_the_last_line_for_a_tree_and_a_gate_is_in_force() -> None:
    red = format_verdict(Verdict(color=Color.RED, tree=TREE, gate=GATE, time_ms=TIME_MS - 1))
    assert verdict_for(f"{LINE}\n{red}\n", TREE, GATE).color is Color.RED  # type: ignore[union-attr]
    assert verdict_for(f"{red}\n{LINE}\n", TREE, GATE) == GREEN
    assert verdict_for(f"{LINE}\n{LINE}\n{red}\n{LINE}\n{red}\n", TREE, GATE).color is Color.RED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("seconds", "read_s"),
    [
        ("", 0.0),
        ("seconds=x", 0.0),
        ("seconds=-1", 0.0),
        ("seconds=1e9", 0.0),
        ("seconds=2.25", 2.25),
        ("seconds=7", 7.0),
    ],
)
def test_how_long_a_gate_took_is_a_plain_number_or_unknown(seconds: str, read_s: float) -> None:
    (found,) = parse_verdicts(f"{LINE.partition(' seconds=')[0]} {seconds}")
    assert found.seconds == read_s and found.job is None


def test_a_line_is_as_long_as_it_may_be_and_no_longer() -> None:
    room = 10_000 - len(LINE) - len(" by=")
    assert parse_verdicts(f"{LINE} by={'x' * room}")[0].by == "x" * room
    assert parse_verdicts(f"{LINE} by={'x' * (room + 1)}") == []


def test_what_a_server_let_through_is_read_whatever_is_missing() -> None:
    time = LINE.split(" ")[0]
    line = f"{time} bypass ref=refs/heads/main old={oid(1)} new={oid(2)} by=ada reason=a%20fire"
    assert parse_bypasses(line) == [Bypass(TIME_MS, "refs/heads/main", oid(1), oid(2), "ada", "a fire")]
    for left_out in (f"{time} bypass ref=", f"{time} bypass old={oid(1)}", f"{time} landed ref=x", "bypass ref=x"):
        assert parse_bypasses(left_out) == []
    assert parse_bypasses(f"{time} bypass ref=x") == [Bypass(TIME_MS, "x", None, None, "", "")]
    assert parse_bypasses(f"x\n{line}\n{line} more\n{time} bypass ref=x old=y")[2].old is None


@pytest.mark.parametrize("key", ["job", "target", "head", "base"])
def test_a_landing_without_one_of_its_words_is_skipped(key: str) -> None:
    landing = LandingRecord(job=JobId("fix"), target="main", head=oid(4), base=oid(5), time_ms=0)
    assert parse_landings(format_landing(landing)) == [landing]
    words = [word for word in format_landing(landing).split(" ") if not word.startswith(f"{key}=")]
    assert parse_landings(" ".join(words)) == []


def test_a_verdict_counts_for_its_own_tree_and_gate_alone() -> None:
    assert verdict_for(LINE, TREE, oid(3)) is None
    assert verdict_for(LINE, oid(3), GATE) is None
    assert verdict_for(None, TREE, GATE) is None
    assert verdict_for("", TREE, GATE) is None


def test_a_landing_is_no_verdict_and_a_verdict_no_landing() -> None:
    landing = LandingRecord(job=JobId("fix"), target="main", head=oid(4), base=oid(5), time_ms=0)
    assert parse_verdicts(format_landing(landing)) == []
    assert parse_landings(LINE) == []


@pytest.mark.parametrize(
    "change", [("job=fix", "job=Fix"), ("target=main", "target="), ("head=0", "head="), ("base=0", "")]
)
def test_a_landing_that_lacks_something_is_skipped(change: tuple[str, str]) -> None:
    landing = LandingRecord(job=JobId("fix"), target="main", head=oid(4), base=oid(5), time_ms=0, gate=Oid(GATE))
    line = format_landing(landing)
    assert line.count(change[0]) == 1
    assert parse_landings(line.replace(*change)) == []


def test_of_an_endless_note_the_end_is_read() -> None:
    assert parse_verdicts("x" * (2 * NOTE_LIMIT) + "\n" + LINE) == [GREEN]
    assert parse_verdicts(LINE + "\n" + "x" * (2 * NOTE_LIMIT)) == []
