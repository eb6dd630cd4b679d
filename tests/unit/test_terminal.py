"""What people see while they wait. Real terminals (pseudo-terminals) and real pipes; time is given by the test."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitorch.core.text import columns
from gitorch.shell.terminal import PLAIN, Progress, Style, is_terminal, wants_colour


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Screen:
    """A pseudo-terminal and what is written on it, as a person would see it."""

    def __init__(self, width: int) -> None:
        self.master, self.fd = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.raw = b""

    def lines(self) -> list[str]:
        while select.select([self.master], [], [], 0.0)[0]:
            self.raw += os.read(self.master, 65536)
        return _seen(self.raw.decode())

    def close(self) -> None:
        os.close(self.master)
        os.close(self.fd)


def _seen(raw: str) -> list[str]:
    """The lines of a terminal that understands newlines, carriage returns, erase-to-end and colours."""
    lines, column = [""], 0
    for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", raw):
        if token == "\n":
            lines.append("")
            column = 0
        elif token == "\r":
            column = 0
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not token.startswith("\x1b"):
            lines[-1] = lines[-1][:column] + token + lines[-1][column + len(token) :]
            column += len(token)
    return lines


@pytest.fixture
def screen() -> Iterator[Callable[[int], Screen]]:
    made: list[Screen] = []

    def make(width: int = 80) -> Screen:
        made.append(Screen(width))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _piped(act: Callable[[Progress, Time], None], *, echo: bool = True) -> str:
    """What `act` writes where there is no terminal."""
    reader, writer = os.pipe()
    time = Time()
    act(Progress(writer, terminal=False, now=time, echo=echo), time)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return pipe.read()


def test_a_terminal_shows_what_runs_for_how_long_and_for_which_job(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test", "job abc123")
    assert terminal.lines() == ["gate: make test  0s  job abc123"]
    time.seconds += 65
    progress.beat()
    assert terminal.lines() == ["gate: make test  1m05s  job abc123"]


def test_the_status_line_is_redrawn_at_most_five_times_a_second(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test")
    for _ in range(100):
        time.seconds += 0.01
        progress.beat()
    terminal.lines()
    assert 4 <= terminal.raw.count(b"gate: make test") <= 6


def test_output_takes_the_place_of_the_status_line_which_comes_back_below(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test")
    progress.output(b"one\ntwo\n")
    assert terminal.lines() == ["one", "two", ""]
    time.seconds += 1
    progress.beat()
    assert terminal.lines() == ["one", "two", "gate: make test  1s"]
    progress.output(b"three\n")
    progress.end()
    assert terminal.lines() == ["one", "two", "three", ""]


def test_a_line_of_dots_stays_whole_until_the_gate_is_silent(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test")
    for _ in range(3):
        progress.output(b".")
        time.seconds += 1
        progress.beat()
    assert terminal.lines() == ["..."]
    time.seconds += 2
    progress.beat()
    assert terminal.lines() == ["...", "gate: make test  5s"]


def test_the_end_leaves_one_line_and_no_status(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test")
    progress.end("green after 5s")
    time.seconds += 10
    progress.beat()
    assert terminal.lines() == ["green after 5s", ""]


@pytest.mark.parametrize("width", [1, 2, 10, 24, 40, 79])
def test_the_status_line_never_wraps(screen: Callable[[int], Screen], width: int) -> None:
    terminal = screen(width)
    progress = Progress(terminal.fd, terminal=True, now=Time(), style=Style(colour=True))
    progress.begin("gate: 日本語 " + "make test " * 20, "job abc123")
    (line,) = terminal.lines()
    assert columns(line) < width or line == ""
    assert ("0s  job abc123" in line) == (width >= 40)


def test_a_label_from_a_stranger_cannot_steer_the_terminal(screen: Callable[[int], Screen]) -> None:
    terminal = screen(80)
    progress = Progress(terminal.fd, terminal=True, now=Time())
    progress.begin("gate: \x1b[2Jtrue\n\u202e", "job \x1b]0;x\x07")
    assert terminal.lines() == ["gate: \\x1b[2Jtrue \\u202e  0s  job \\x1b]0;x\\x07"]


def test_a_status_line_without_colour_has_no_colour_codes(screen: Callable[[int], Screen]) -> None:
    plain, coloured = screen(80), screen(80)
    for terminal, style in ((plain, PLAIN), (coloured, Style(colour=True))):
        Progress(terminal.fd, terminal=True, now=Time(), style=style).begin("gate: make test", "job abc123")
        terminal.lines()
    assert b"m" not in re.sub(rb"make test", b"", plain.raw)
    assert b"\x1b[2m" in coloured.raw


def test_without_a_terminal_there_is_a_line_at_the_start_one_a_minute_and_one_at_the_end() -> None:
    def act(progress: Progress, time: Time) -> None:
        progress.begin("gate: make test", "job abc123")
        for _ in range(1300):
            time.seconds += 0.1
            progress.beat()
        progress.end("green after 2m10s")

    assert _piped(act).splitlines() == [
        "gate: make test  job abc123",
        "gate: make test: still running after 1m",
        "gate: make test: still running after 2m",
        "green after 2m10s",
    ]


def test_a_caller_that_beats_rarely_gets_one_line_not_several_at_once() -> None:
    def act(progress: Progress, time: Time) -> None:
        progress.begin("gate: make test")
        time.seconds += 190
        progress.beat()
        progress.beat()

    assert _piped(act).splitlines()[1:] == ["gate: make test: still running after 3m10s"]


def test_our_lines_never_continue_a_line_of_the_gate() -> None:
    def act(progress: Progress, time: Time) -> None:
        progress.begin("gate: make test")
        progress.output(b"no newline")
        progress.end("green")

    assert _piped(act) == "gate: make test\nno newline\ngreen\n"


def test_output_is_passed_on_byte_for_byte_unless_it_is_not_wanted() -> None:
    def act(progress: Progress, time: Time) -> None:
        progress.output(b"\x1b[31mred\x1b[m\r\n")

    assert _piped(act) == "\x1b[31mred\x1b[m\n"
    assert _piped(act, echo=False) == ""


def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    time = Time()
    for terminal in (True, False):
        progress = Progress(writer, terminal=terminal, now=time)
        progress.begin("gate: make test")
        progress.output(b"output\n")
        time.seconds += 60
        progress.beat()
        progress.end("green")
    os.close(writer)
    Progress(writer, terminal=False, now=time).begin("on a closed descriptor")


def test_a_reader_that_stands_still_holds_up_the_output_but_not_the_beat() -> None:
    reader, writer = os.pipe()
    time = Time()
    progress = Progress(writer, terminal=True, now=time)
    progress.begin("gate: yes")
    pump = threading.Thread(target=progress.output, args=(b"y\n" * 500_000,), daemon=True)
    pump.start()
    beaten = threading.Event()

    def beat() -> None:
        for _ in range(50):
            time.seconds += 1
            progress.beat()
        beaten.set()

    threading.Thread(target=beat, daemon=True).start()
    assert beaten.wait(10), "beat was held up by a reader that does not read"
    assert pump.is_alive(), "the pipe took everything, so this test shows nothing"
    while pump.is_alive():
        os.read(reader, 1 << 20)
        pump.join(0.001)
    os.close(reader)
    os.close(writer)


def test_a_terminal_stopped_by_hand_does_not_stop_the_beat(screen: Callable[[int], Screen]) -> None:
    terminal, time = screen(80), Time()
    progress = Progress(terminal.fd, terminal=True, now=time)
    progress.begin("gate: make test")
    os.write(terminal.master, b"\x13")  # Ctrl-S
    time.seconds += 5
    beats = threading.Thread(target=progress.beat, daemon=True)
    beats.start()
    beats.join(10)
    assert not beats.is_alive()
    os.write(terminal.master, b"\x11")  # Ctrl-Q
    time.seconds += 5
    progress.beat()
    assert "gate: make test  10s" in terminal.lines()[-1]


@pytest.mark.parametrize(
    ("wanted", "environ", "terminal", "flag", "orch", "ui"),
    [
        (True, {}, True, None, None, None),
        (False, {}, False, None, None, None),
        (False, {"NO_COLOR": "1"}, True, "always", "always", "always"),
        (True, {"NO_COLOR": ""}, True, None, None, None),
        (True, {}, False, "always", "never", "never"),
        (False, {}, True, "never", "always", "always"),
        (True, {}, False, None, "always", "never"),
        (False, {}, True, None, "false", "always"),
        (True, {}, False, None, None, "always"),
        (False, {}, False, "auto", "always", "always"),
        (False, {}, False, None, "true", "always"),
        (False, {}, True, None, "nonsense", "never"),
    ],
)
def test_colour_follows_no_color_then_the_flag_then_the_configuration_then_the_terminal(
    wanted: bool, environ: dict[str, str], terminal: bool, flag: str | None, orch: str | None, ui: str | None
) -> None:
    assert wants_colour(environ, terminal=terminal, flag=flag, orch=orch, ui=ui) is wanted


def test_words_are_coloured_only_where_colour_is_wanted() -> None:
    loud = Style(colour=True)
    assert loud.green("ok") == "\x1b[32mok\x1b[m"
    assert len({loud.green("x"), loud.red("x"), loud.yellow("x"), loud.bold("x"), loud.dim("x")}) == 5
    assert [paint("x") for paint in (PLAIN.green, PLAIN.red, PLAIN.yellow, PLAIN.bold, PLAIN.dim)] == ["x"] * 5


def test_a_terminal_that_cannot_erase_a_line_counts_as_none(screen: Callable[[int], Screen]) -> None:
    terminal = screen(80)
    assert is_terminal(terminal.fd, {"TERM": "xterm"})
    assert not is_terminal(terminal.fd, {"TERM": "dumb"})
    reader, writer = os.pipe()
    assert not is_terminal(writer, {"TERM": "xterm"})
    os.close(reader)
    os.close(writer)
    assert not is_terminal(writer, {"TERM": "xterm"})


_SPEAKER = """
import sys
from gitorch.shell.terminal import prepare_streams, silence
prepare_streams()
try:
    for number in range(20000):
        print("line", number)
    sys.stdout.flush()
except BrokenPipeError:
    silence(sys.stdout)
print("caf\\u00e9 \\udcff", file=sys.stderr)
"""


def _speak(redirections: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"$0" -c "$1" {redirections}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, _SPEAKER],
        env={**os.environ, **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_silenced_stream_gives_neither_a_traceback_nor_a_warning() -> None:
    spoken = _speak("| head -n 1")
    assert (spoken.stdout, spoken.stderr.decode()) == (b"line 0\n", "café \\udcff\n")


def test_closed_standard_streams_are_survived_and_not_taken_by_other_files(tmp_path: Path) -> None:
    spoken = _speak(f"<&- >&- 2>&-; echo $? > '{tmp_path}/status'")
    assert (spoken.stdout, spoken.stderr) == (b"", b"")
    assert (tmp_path / "status").read_text() == "0\n"


def test_text_that_the_encoding_lacks_is_escaped() -> None:
    spoken = _speak(">/dev/null", PYTHONIOENCODING="ascii")
    assert spoken.stderr == b"caf\\xe9 \\udcff\n"
