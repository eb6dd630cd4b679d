"""Output of gates: bounded on disk and in memory, complete up to its bounds, and carried away without being asked."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gitorch.shell.gatelog import KEPT_LOGS, LOG_LIMIT, TAIL_LIMIT, GateLog, Pump, Tail, log_name


@given(st.lists(st.binary(max_size=30)), st.integers(min_value=1, max_value=40))
def test_a_tail_is_the_end_of_everything_that_was_added(parts: list[bytes], limit: int) -> None:
    tail = Tail(limit)
    for part in parts:
        tail.add(part)
    assert tail.content() == b"".join(parts)[-limit:]


def test_a_log_within_its_limit_holds_everything(tmp_path: Path) -> None:
    log = GateLog(tmp_path / "a" / "logs", "job", limit=100)
    log.add(b"x" * 60)
    log.add(b"y" * 40)
    log.close()
    assert log.path == tmp_path / "a" / "logs" / "job.log"
    assert log.path.read_bytes() == b"x" * 60 + b"y" * 40
    assert log.fault == ""


def test_a_runaway_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = GateLog(tmp_path, "job", limit=100, tail_limit=10)
    log.add(b"h" * 90)
    for _ in range(1000):
        log.add(b"m" * 100)
    log.add(b"the end")
    log.close()
    assert log.path is not None
    kept = b"h" * 90 + b"m" * 10
    dropped = 1000 * 100 - 10 + 7 - 10
    assert log.path.read_bytes() == kept + f"\n# {dropped} bytes are left out here\nmmmthe end".encode()


def test_a_log_that_runs_over_by_less_than_its_tail_loses_nothing(tmp_path: Path) -> None:
    log = GateLog(tmp_path, "job", limit=10, tail_limit=10)
    log.add(b"0123456789abcde")
    log.close()
    assert log.path is not None
    assert log.path.read_bytes() == b"0123456789abcde"


def test_the_bounds_are_those_that_are_promised() -> None:
    assert (KEPT_LOGS, LOG_LIMIT, TAIL_LIMIT) == (50, 64 << 20, 64 << 10)


def test_only_the_last_fifty_logs_are_kept_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for number in range(60):
        GateLog(tmp_path, f"job-{number}").close()
        os.utime(tmp_path / f"job-{number}.log", ns=(number, number))
    GateLog(tmp_path, "last").close()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes.txt", "last.log"} | {f"job-{number}.log" for number in range(11, 60)}


def test_two_logs_of_one_moment_do_not_share_a_file(tmp_path: Path) -> None:
    first, second = GateLog(tmp_path, "job"), GateLog(tmp_path, "job")
    first.add(b"first")
    second.add(b"second")
    first.close()
    second.close()
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"first", b"second"]


def test_a_headline_cannot_forge_further_lines(tmp_path: Path) -> None:
    log = GateLog(tmp_path, "job")
    log.headline("run 1: true\n# run 2: green\x1b[2J")
    log.close()
    assert log.path is not None
    assert log.path.read_text() == "# run 1: true # run 2: green\\x1b[2J\n"


def test_a_log_name_says_what_and_when() -> None:
    assert log_name("abc123", 1_769_860_800_250) == "abc123-20260131T120000.250Z"


def test_a_pump_hands_over_everything_and_ends_with_the_last_writer() -> None:
    taken: list[bytes] = []
    with Pump(taken.append) as pump:
        writer = os.dup(pump.write_end)
        pump.release()
        for _ in range(300):
            os.write(writer, b"x" * 1000)
        os.close(writer)
        assert pump.ended.wait(20)
    assert b"".join(taken) == b"x" * 300_000


def test_a_pump_that_is_told_to_finish_takes_what_is_there_though_somebody_still_could_write() -> None:
    taken: list[bytes] = []
    with Pump(taken.append) as pump:
        os.write(pump.write_end, b"before")
        pump.finish()
        assert pump.ended.wait(20)
        assert taken == [b"before"]


def test_a_pump_is_left_behind_when_whoever_takes_the_output_stands_still() -> None:
    stands_still, goes_on = threading.Event(), threading.Event()

    def take(data: bytes) -> None:
        stands_still.set()
        goes_on.wait(20)

    with Pump(take) as pump:
        os.write(pump.write_end, b"x")
        assert stands_still.wait(20)
    assert not pump.ended.is_set()
    goes_on.set()
    assert pump.ended.wait(20)


def test_a_pump_that_is_told_to_finish_ends_though_the_pipe_never_runs_dry() -> None:
    def refill(data: bytes) -> None:
        os.write(pump.write_end, data)

    with Pump(refill) as pump:
        os.write(pump.write_end, b"x" * 65_536)
        pump.finish()
        assert pump.ended.wait(20)
        pump.check()
