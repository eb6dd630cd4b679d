"""Gates that take long, are stopped, fail or cannot run. A failure here means a verdict that is late or never comes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from tests.git.gates import GREEN, RED, STOPPED, Bench, Recorder, alive, make_bench
from tests.support import eventually, git


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return make_bench(tmp_path, monkeypatch)


# Time, ticks and stopping


def test_a_gate_that_takes_too_long_is_red_and_gets_a_moment_to_clean_up(bench: Bench) -> None:
    polite = "trap 'echo bye; exit 0' TERM; echo $$ >\"$OUT/pid\"; while :; do sleep 0.01; done"
    result = bench.run(polite, timeout_s=0.7)
    assert (result.end, result.reason) == (RED, "timed out after 0.7 s")
    assert result.tail.endswith(b"bye\n")
    assert not alive(bench.pid("pid"))


def test_a_child_gets_its_moment_to_clean_up_though_its_shell_is_dead(bench: Bench) -> None:
    child = "trap 'sleep 0.2; echo child cleaned up; exit 0' TERM; while :; do sleep 0.01; done"
    result = bench.run(f'sh -c "{child}"; echo never', timeout_s=0.7, grace_s=20)
    assert result.tail.endswith(b"child cleaned up\n")
    assert result.seconds < 15


def test_a_gate_that_ignores_a_polite_request_is_killed(bench: Bench) -> None:
    stubborn = "trap '' TERM HUP INT; echo $$ >\"$OUT/pid\"; while :; do sleep 0.01; done"
    result = bench.run(stubborn, timeout_s=0.5, grace_s=0.2)
    assert result.end is RED
    assert not alive(bench.pid("pid"))


def test_the_time_limit_is_for_all_commands_together(bench: Bench) -> None:
    result = bench.run("sleep 0.4", "sleep 0.4", "sleep 0.4", "sleep 0.4", timeout_s=1.0)
    assert result.reason == "timed out after 1 s: sleep 0.4"


def test_a_tick_that_says_no_stops_the_gate_without_a_verdict_and_without_a_retry(bench: Bench) -> None:
    def stop_once_started(seconds: float) -> bool:
        return not (bench.out / "pid").exists()

    gate = 'echo run >>"$OUT/runs"; echo $$ >"$OUT/pid"; sleep 300'
    result = bench.run(gate, tick=stop_once_started, retries=5)
    assert (result.end, result.runs) == (STOPPED, 1)
    assert result.reason
    assert (bench.out / "runs").read_text() == "run\n"
    assert not alive(bench.pid("pid"))
    assert bench.tree.released


def test_ticks_come_at_least_five_times_a_second_and_tell_the_time(bench: Bench) -> None:
    ticks: list[float] = []

    def tick(seconds: float) -> bool:
        ticks.append(seconds)
        if len(ticks) == 11:
            (bench.out / "enough").touch()
        return True

    result = bench.run('while [ ! -e "$OUT/enough" ]; do sleep 0.01; done', tick=tick, timeout_s=30)
    assert result.end is GREEN
    assert ticks == sorted(ticks)
    assert ticks[0] > 0
    assert ticks[10] - ticks[0] <= 10 / 5


def test_a_tick_that_takes_long_does_not_hold_up_the_output(bench: Bench) -> None:
    def slow_tick(seconds: float) -> bool:
        eventually((bench.out / "printed").exists, "a megabyte was printed during one tick")
        return True

    flood = 'sleep 0.2; head -c 1000000 /dev/zero; touch "$OUT/printed"'
    assert bench.run(flood, tick=slow_tick).end is GREEN


def test_a_reader_that_stands_still_holds_up_the_gate_but_not_the_ticks(bench: Bench) -> None:
    go = threading.Event()
    ticks: list[float] = []

    def tick(seconds: float) -> bool:
        ticks.append(seconds)
        if len(ticks) == 5:
            go.set()
        return True

    result = bench.run("echo one; echo two", tick=tick, display=Recorder(lambda data: assert_set(go)))
    assert (result.end, result.tail) == (GREEN, b"one\ntwo\n")
    assert len(ticks) >= 5


def assert_set(event: threading.Event) -> None:
    assert event.wait(20), "nobody ticked while the output stood still"


def test_a_stopped_gate_does_not_wait_for_a_reader_that_stands_still(bench: Bench) -> None:
    never = threading.Event()
    result = bench.run(
        "echo one; sleep 300", tick=lambda seconds: False, display=Recorder(lambda data: assert_set(never))
    )
    assert result.end is STOPPED
    assert result.seconds < 15
    never.set()


def test_a_fault_of_the_display_neither_blocks_the_gate_nor_goes_unnoticed(bench: Bench) -> None:
    def broken(data: bytes) -> None:
        raise RuntimeError("display")

    with pytest.raises(RuntimeError, match="display"):
        bench.run('head -c 1000000 /dev/zero; touch "$OUT/printed"', display=Recorder(broken))
    assert (bench.out / "printed").exists()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_what_is_raised_while_the_gate_runs_gets_out_after_the_gate_is_dead(
    bench: Bench, kind: type[BaseException]
) -> None:
    def tick(seconds: float) -> bool:
        if (bench.out / "pid").exists():
            raise kind
        return True

    with pytest.raises(kind):
        bench.run('echo $$ >"$OUT/pid"; sleep 300', tick=tick)
    assert not alive(bench.pid("pid"))
    assert not bench.number_file.exists()
    assert bench.tree.released


# Retries


def test_a_flaky_gate_is_green_on_a_later_run_and_says_so(bench: Bench) -> None:
    flaky = 'echo run >>"$OUT/runs"; [ $(wc -l <"$OUT/runs") = 3 ] || exit 7; echo fine'
    result = bench.run(flaky, retries=5)
    assert (result.end, result.runs) == (GREEN, 3)
    assert result.reason == "green on run 3, after exit status 7"
    assert result.tail == b"fine\n"


def test_a_gate_that_stays_red_is_run_as_often_as_allowed(bench: Bench) -> None:
    result = bench.run('echo run >>"$OUT/runs"; wc -l <"$OUT/runs"; exit 1', retries=2)
    assert (result.end, result.runs, result.reason) == (RED, 3, "exit status 1 (3 runs)")
    assert result.tail == b"3\n"
    assert result.log is not None
    assert "\n1\n# run 1: exit status 1\n" in Path(result.log).read_text()


def test_each_run_starts_from_a_fresh_checkout(bench: Bench) -> None:
    dirty = '[ "$(cat file)" = content ] || exit 99; echo dirt >file; exit 1'
    assert bench.run(dirty, retries=2).reason == "exit status 1 (3 runs)"


# Faults that are not the gate's


@pytest.mark.parametrize("command", ["true \0", "true " + "x" * 3_000_000])
def test_a_command_that_no_machine_can_start_is_an_error_and_no_verdict(bench: Bench, command: str) -> None:
    with pytest.raises(OrchError, match="could not be started") as caught:
        bench.run(command)
    assert caught.value.hint
    assert bench.tree.released
    assert not bench.number_file.exists()


def test_a_gate_whose_number_cannot_be_kept_is_not_run(bench: Bench) -> None:
    bench.number_file.mkdir()
    with pytest.raises(OrchError, match="could not be started"):
        bench.run('touch "$OUT/ran"')
    assert not (bench.out / "ran").exists()
    assert not Path(f"{bench.number_file}.part").exists()


def test_a_worktree_that_cannot_be_checked_out_is_an_error_and_no_verdict(bench: Bench) -> None:
    with pytest.raises(AssertionError, match="checkout"):
        bench.run("true", commit="1" * 40)
    assert bench.tree.released


def test_the_number_of_the_session_is_on_disk_before_the_command_starts(bench: Bench) -> None:
    number, session, group = bench.run('cat "$PWD.pgid"; cut -d " " -f 5,6 /proc/$$/stat').tail.split()
    assert number == session == group
    assert not bench.number_file.exists()


def test_the_repository_itself_is_left_alone(bench: Bench) -> None:
    before = (bench.repo.refs(), git(bench.repo.path, "status", "--porcelain"))
    bench.run("true")
    assert (bench.repo.refs(), git(bench.repo.path, "status", "--porcelain")) == before
