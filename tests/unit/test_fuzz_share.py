"""A share of what `make fuzz` does, the same inputs each time, and what it found once. A failure here means: bytes that
somebody else wrote raise what nobody expects, take for ever, or reach a terminal as they are."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fuzz.__main__ import main
from fuzz.harness import input_of, run, run_chunk, subjects
from fuzz.safe import unsafe
from gitorch.core import codec
from gitorch.core.codec import Decoded
from gitorch.core.gitobjects import decode_tree
from gitorch.core.mask import mask_urls
from gitorch.core.model import Job, Oid
from gitorch.core.text import one_line
from gitorch.shell.gitcmd import GitResult
from gitorch.shell.push import judge_push
from gitorch.shell.remembered import CloneMemory

SHARE = 30_000
SEED = 1
LONG = 200_000


class StandingClock:
    """Ten seconds after the machine started, for ever."""

    def now_ms(self) -> int:
        return 0

    def boot_s(self) -> float:
        return 10.0

    def boot_id(self) -> str:
        return "boot"

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


def test_a_share_of_hostile_bytes_is_read_or_refused_by_every_reader() -> None:
    tallies = run(SHARE, SEED)
    findings = [finding.text() for tally in tallies.values() for finding in tally.findings]
    assert findings == []
    assert set(tallies) == set(subjects())
    for name, tally in tallies.items():
        assert tally.read > 0, f"{name}: nothing was read, so only refusals were tested"
    strict = ("job", "lease", "worker", "slot", "graph", "archive", "names", "tree", "commit")
    assert all(tallies[name].read < tallies[name].inputs for name in strict), "and nothing was refused"


def test_the_input_of_a_number_is_always_the_same() -> None:
    for name in subjects():
        assert [input_of(name, 7, number) for number in (3, 0)] == [input_of(name, 7, number) for number in (3, 0)]
    assert input_of("job", 7, 3) != input_of("job", 8, 3)


def test_a_reader_that_raises_something_else_is_found_and_can_be_replayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = codec.decode_job

    def broken(message: bytes) -> Decoded[Job]:
        if b"\x1b" in message:
            raise KeyError("planted")
        return honest(message)

    monkeypatch.setattr(codec, "decode_job", broken)
    assert main(["--count", "2000", "--seed", "3", "--only", "job", "--processes", "1"]) == 1
    said = capsys.readouterr().out
    assert "KeyError: 'planted'" in said and "\\x1b" in said
    number = said.rpartition("--replay ")[2].split()[0]
    assert main(["--seed", "3", "--only", "job", "--replay", number]) == 1
    monkeypatch.setattr(codec, "decode_job", honest)
    assert main(["--seed", "3", "--only", "job", "--replay", number]) == 0


def test_a_reader_that_loses_something_or_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = codec.decode_slot
    monkeypatch.setattr(
        codec, "decode_slot", lambda message: Decoded(honest(message).record, "other", str(len(message)))
    )
    assert "not what is written" in run_chunk("slot", 3, range(2_000)).findings[0].problem

    def slow(message: bytes) -> object:
        begun_s = time.process_time()
        while time.process_time() - begun_s < 1.1:
            pass
        return honest(message)

    monkeypatch.setattr(codec, "decode_slot", slow)
    assert "it took" in run_chunk("slot", 3, range(1)).findings[0].problem


@pytest.mark.parametrize("char", "\x00\x1b\x7f\x80\x9b\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800\U000e0041")
def test_the_judge_of_printed_text_sees_what_must_not_be_printed(char: str) -> None:
    assert unsafe(f"a{char}b") == char
    assert not unsafe("plain, ünï 日本 \u00a0 -> done\n\tx")


# -- what was found, each in its place


@pytest.mark.parametrize("text", [" " * LONG + "x", "a " * LONG, "\t " * LONG, "x" + " " * LONG])
def test_a_title_of_blanks_takes_no_longer_than_another(text: str) -> None:
    begun_s = time.process_time()
    assert len(one_line(text, 80)) <= 80
    assert time.process_time() - begun_s < 2.0


@pytest.mark.parametrize("unit", ["a.", "a+", "://", "x://a", "?token"])
def test_credentials_are_looked_for_in_time_that_grows_with_the_text(unit: str) -> None:
    begun_s = time.process_time()
    assert mask_urls(unit * LONG + " https://user:secret@host/").endswith("https://***@host/")
    assert time.process_time() - begun_s < 2.0


def test_the_reason_of_a_rejection_is_found_in_time_that_grows_with_it() -> None:
    begun_s = time.process_time()
    said = b"!\tx:refs/heads/a\t[rejected] " + b"(" * LONG + b"stale info"
    assert judge_push(GitResult(1, said, b""), ["refs/heads/a"], frozenset())[1]
    assert time.process_time() - begun_s < 2.0


def test_a_tree_that_is_cut_off_where_a_shorter_id_would_end_is_cut_off() -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_tree(b"100644 a\x00" + b"\x11" * 20, 32)


@pytest.mark.parametrize("since", ["-Infinity", "Infinity", "NaN", "1" + "0" * 400, "-1", "11", '"1"', "[" * 5_000])
def test_an_observation_with_a_time_that_cannot_be_is_begun_anew(tmp_path: Path, since: str) -> None:
    memory = CloneMemory(tmp_path, tmp_path, "origin", StandingClock())
    path = tmp_path / "seen" / "origin" / "x"
    path.parent.mkdir(parents=True)
    oid = Oid("1" * 40)
    path.write_text(f'{{"oid": "{oid}", "boot": "boot", "since_s": {since}}}')
    assert memory.unchanged_s("x", oid) == 0.0, "nothing makes a lease a dead one but having looked for so long"
    assert json.loads(path.read_text())["since_s"] == 10.0
