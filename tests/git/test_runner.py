"""Gates in real worktrees, run by real shells. A failure here means a wrong verdict, or a gate that got the wrong
world."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gitorch.core.gates import Gate
from gitorch.shell.gatelog import TAIL_LIMIT
from gitorch.shell.runner import ShellGateRunner, gate_environment
from gitorch.shell.system import RealClock
from gitorch.shell.terminal import Progress
from tests.git.gates import GREEN, RED, Bench, Recorder, alive, go_on, make_bench
from tests.git.lander import PlainTree, request
from tests.support import eventually

ESCAPE = "import os, time; os.setsid(); print(os.getpid(), file=open(os.environ['OUT'] + '/pid', 'w'))"
"""Python that leaves the gate's session and says who it is."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return make_bench(tmp_path, monkeypatch)


# What a gate says


def test_a_gate_that_exits_with_zero_is_green_and_leaves_its_output(bench: Bench) -> None:
    result = bench.run("cat file; echo to stderr >&2")
    assert (result.end, result.reason, result.runs) == (GREEN, "", 1)
    assert result.tail == b"content\nto stderr\n"
    assert result.log is not None
    log = Path(result.log)
    assert log.parent == bench.logs
    assert log.name.startswith("abc123-")
    assert "content\nto stderr\n" in log.read_text()
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert bench.tree.released


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 1", "exit status 1"),
        ("false", "exit status 1"),
        ("exit 200", "exit status 200"),
        ("kill -SEGV $$", "exit status 139 (killed by SIGSEGV)"),
        ("kill -9 0", "killed by SIGKILL"),
        ("sh -c 'kill -ABRT $$'; exit $?", "exit status 134 (killed by SIGABRT)"),
        ("./file", "exit status 126: `./file` could not be started, it is not executable"),
        ("no-such-program --x", "exit status 127: `no-such-program --x` could not be started, it was not found"),
        ("-x", "exit status 127: `-x` could not be started, it was not found"),
        ("no-such\x1b[2J", "exit status 127: `no-such\\x1b[2J` could not be started, it was not found"),
    ],
)
def test_any_other_end_is_red_and_says_how_it_ended(bench: Bench, command: str, reason: str) -> None:
    result = bench.run(command)
    assert (result.end, result.reason) == (RED, reason)


def test_commands_run_in_order_and_the_first_that_fails_ends_the_gate_and_is_named(bench: Bench) -> None:
    result = bench.run("echo one", "echo two; exit 3", "echo three")
    assert (result.end, result.reason) == (RED, "exit status 3: echo two; exit 3")
    assert result.tail == b"one\ntwo\n"


def test_the_files_are_those_of_the_candidate_not_of_the_checkout(bench: Bench) -> None:
    candidate = bench.repo.branch("topic", {"file": "candidate\n"}, "change")
    assert bench.run("cat file", commit=candidate).tail == b"candidate\n"
    assert (bench.repo.path / "file").read_text() == "content\n"


def test_a_gate_without_commands_is_green_and_needs_no_worktree(tmp_path: Path) -> None:
    def no_tree(gate: Gate) -> PlainTree:
        raise AssertionError("a worktree was opened")

    runner = ShellGateRunner(no_tree, tmp_path, RealClock())
    assert runner.run(request("1" * 40, ()), go_on).end is GREEN


def test_a_gate_that_changes_tracked_files_is_red(bench: Bench) -> None:
    result = bench.run("echo changed >file; echo new >untracked")
    assert (result.end, result.reason) == (RED, "the gate changed tracked files")
    assert bench.run("echo new >untracked").end is GREEN


def test_a_gate_that_moves_head_is_red(bench: Bench) -> None:
    result = bench.run("git commit -q --allow-empty -m sneaky")
    assert (result.end, result.reason) == (RED, "the gate moved HEAD")


# What a gate gets


def test_a_gate_learns_what_it_tests_from_its_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_JOB", "outer")
    show = 'echo "$ORCH_JOB,$ORCH_TARGET,$ORCH_BASE,$ORCH_CANDIDATE"; echo "${ORCH_JOB-absent}"'
    tip = bench.repo.git("rev-parse", "main")
    assert bench.run(show).tail.decode() == f"abc123,main,{'0' * 40},{tip}\nabc123\n"
    assert bench.run(show, job=None).tail.decode() == f",main,{'0' * 40},{tip}\nabsent\n"


def test_neither_secrets_nor_what_redirects_git_reaches_a_gate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {"ORCH_TOKEN", "ORCH_TEST_KILLER", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"}
    monkeypatch.setenv("KEPT", "x")
    monkeypatch.setenv("ORCH_TOKEN", "x")
    names = {line.partition("=")[0] for line in bench.run("env").tail.decode().splitlines()}
    assert "KEPT" in names
    assert "ORCH_TOKEN" not in names
    for name in hidden:
        monkeypatch.setenv(name, "x")
    assert hidden.isdisjoint(gate_environment(request("1" * 40, ())))


def test_a_gate_has_empty_input_no_stray_descriptors_and_no_child_it_did_not_start(bench: Bench) -> None:
    result = bench.run("cat; wait; ls /proc/self/fd | wc -l; [ ! -e /proc/$$/fd/3 ] && echo none")
    # 0, 1, 2, and the one with which `ls` reads the folder.
    assert result.tail.split() == [b"4", b"none"]


def test_output_arrives_while_the_gate_runs(bench: Bench) -> None:
    def answer(data: bytes) -> None:
        if b"ready" in data:
            (bench.out / "seen").touch()

    wait = 'echo ready; while [ ! -e "$OUT/seen" ]; do sleep 0.01; done'
    assert bench.run(wait, display=Recorder(answer), timeout_s=20).end is GREEN


def test_people_see_what_runs_and_what_came_of_it(bench: Bench) -> None:
    reader, writer = os.pipe()
    progress = Progress(writer, terminal=False, now=time.monotonic)
    bench.run("printf 'no newline'; exit 4", display=progress)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        seen = pipe.read()
    assert seen.startswith("gate: printf 'no newline'; exit 4  job abc123\nno newline\ngate: red after ")
    assert seen.endswith("s: exit status 4\n")


# What a gate leaves


def test_everything_printed_is_in_the_log_and_the_tail_is_its_bounded_end(bench: Bench) -> None:
    result = bench.run("seq 1 60000")
    everything = "".join(f"{number}\n" for number in range(1, 60001)).encode()
    assert len(result.tail) == TAIL_LIMIT
    assert everything.endswith(result.tail)
    assert result.log is not None
    assert everything in Path(result.log).read_bytes()


def test_a_log_that_cannot_be_written_costs_the_log_and_not_the_verdict(bench: Bench) -> None:
    bench.logs.parent.mkdir()
    bench.logs.write_text("a file where the folder should be")
    display = Recorder()
    result = bench.run("echo fine", display=display)
    assert (result.end, result.log, result.tail) == (GREEN, None, b"fine\n")
    assert "its log is not complete" in display.shown[-2]


def test_what_a_gate_leaves_running_is_killed_before_the_next_command(bench: Bench) -> None:
    spawn = 'sh -c \'echo $$ >"$OUT/pid"; exec sleep 300\' & while [ ! -s "$OUT/pid" ]; do sleep 0.01; done'
    check = 'read -r pid <"$OUT/pid"; kill -0 "$pid" 2>/dev/null && grep -q "^State:.[^Z]" "/proc/$pid/status"'
    started = time.monotonic()
    result = bench.run(spawn, f"if {check}; then exit 1; fi", timeout_s=20)
    assert result.end is GREEN, result.reason
    assert time.monotonic() - started < 10
    assert not alive(bench.pid("pid"))
    assert not bench.number_file.exists()


def test_what_a_gate_leaves_in_a_group_of_its_own_is_killed_too(bench: Bench) -> None:
    spawn = "timeout 300 sh -c 'echo $$ >\"$OUT/pid\"; exec sleep 300' >/dev/null 2>&1 & "
    assert bench.run(spawn + 'while [ ! -s "$OUT/pid" ]; do sleep 0.01; done', timeout_s=20).end is GREEN
    assert not alive(bench.pid("pid"))


def test_a_process_that_left_the_session_and_holds_the_output_does_not_hold_us(bench: Bench) -> None:
    spawn = f'"$PYTHON" -c "{ESCAPE}; time.sleep(300)" & while [ ! -s "$OUT/pid" ]; do sleep 0.01; done; echo end'
    started = time.monotonic()
    try:
        result = bench.run(spawn)
        assert (result.end, result.tail) == (GREEN, b"end\n")
        assert time.monotonic() - started < 20
    finally:
        os.kill(bench.pid("pid"), signal.SIGKILL)


def test_a_process_that_left_the_session_and_prints_for_ever_does_not_hold_us(bench: Bench) -> None:
    spawn = f'"$PYTHON" -c "{ESCAPE}; os.execvp(\'yes\', [\'yes\'])" & while [ ! -s "$OUT/pid" ]; do sleep 0.01; done'
    assert bench.run(spawn, timeout_s=20).end is GREEN
    # The pipe is gone, so its next write ends it.
    eventually(lambda: not alive(bench.pid("pid")), "the stranger died of its broken pipe")
