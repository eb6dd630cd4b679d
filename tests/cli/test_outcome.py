"""How commands end: exit codes, what goes to which stream, the one JSON document, and the report of a fault."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitorch import __version__
from gitorch.cli import app
from gitorch.cli.outcome import CODES, Answer, emit, guarded, json_document
from gitorch.core.errors import DamagedError, OrchError, RefusedError, UnreachableError, UsageError
from gitorch.shell.system import Interrupted
from tests.cli.samples import TABLE
from tests.support import make_alone

Captured = pytest.CaptureFixture[str]
BUSY = Answer(code="busy", message="main is held by ada", hint="git orch land --wait", retryable=True)


def raising(problem: BaseException) -> Any:
    """A command that fails."""

    def call() -> Answer:
        raise problem

    return call


def test_the_exit_codes_are_those_of_the_command_contract() -> None:
    assert {name: code.exit for name, code in CODES.items()} == {
        "done": 0,
        "failed": 1,
        "usage": 2,
        "nothing": 10,
        "busy": 11,
        "lost": 12,
        "blocked": 13,
        "conflict": 14,
        "red": 15,
        "refused": 16,
        "unreachable": 17,
        "bug": 70,
        "interrupted": 130,
    }


@pytest.mark.parametrize("code", [code for code in CODES if code != "done"])
def test_each_failure_exits_with_its_code_and_ends_with_its_hint(code: str, capsys: Captured) -> None:
    answer = Answer(code=code, message="it did not work", hint="git orch status", text="one\ntwo")
    assert emit(answer, False) == CODES[code].exit
    assert capsys.readouterr() == ("one\ntwo\n", "it did not work\nhint: git orch status\n")


def test_a_success_prints_its_text_and_nothing_on_standard_error(capsys: Captured) -> None:
    assert emit(Answer(text="landed\n"), False) == 0
    assert capsys.readouterr() == ("landed\n", "")


def test_a_success_may_say_what_comes_next(capsys: Captured) -> None:
    assert emit(Answer(text="submitted", hint="git orch land"), False) == 0
    assert capsys.readouterr() == ("submitted\n", "hint: git orch land\n")


def test_a_success_without_text_prints_nothing(capsys: Captured) -> None:
    assert emit(Answer(), False) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "broken",
    [
        {"code": "sad", "message": "m", "hint": "h"},
        {"code": "busy", "message": "m"},
        {"code": "busy", "hint": "h"},
        {"message": "m"},
    ],
)
def test_an_answer_that_would_break_the_contract_cannot_be_made(broken: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"outcome|failure|success"):
        Answer(**broken)  # type: ignore[arg-type]


def test_json_of_a_success_is_one_line_with_the_data(capsys: Captured) -> None:
    assert emit(Answer(data={"jobs": [{"id": "a", "head": None}]}, text="never shown"), True) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert json.loads(out) == {"schema": 1, "ok": True, "data": {"jobs": [{"id": "a", "head": None}]}}


def test_json_of_a_success_without_data_says_null() -> None:
    assert json.loads(json_document(Answer(text="done"))) == {"schema": 1, "ok": True, "data": None}


def test_json_of_a_failure_has_the_error_the_extras_and_the_data(capsys: Captured) -> None:
    answer = Answer(
        code="conflict", message="m", hint="h", data={"job": "a"}, extra={"paths": ["x"], "code": "overridden"}
    )
    assert emit(answer, True) == 14
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "ok": False,
        "error": {"code": "conflict", "message": "m", "hint": "h", "retryable": False, "paths": ["x"]},
        "data": {"job": "a"},
    }
    assert "data" not in json.loads(json_document(BUSY))
    assert json.loads(json_document(BUSY))["error"]["retryable"] is True


def test_json_is_plain_ascii_without_half_characters() -> None:
    title = "\x1b[31mred\u202e \udcff\ud83d \U0001f600 é"
    text = json_document(Answer(data={"title": title, "\udcff": ["\udcff"]}))
    assert text.isascii()
    assert text.rstrip("\n").isprintable()
    data = json.loads(text)["data"]
    assert data == {"title": "\x1b[31mred\u202e \ufffd\ufffd \U0001f600 é", "\ufffd": ["\ufffd"]}


def test_credentials_appear_in_no_output(capsys: Captured) -> None:
    url = "https://bob:hunter2@example.org/r.git"
    answer = Answer(code="refused", message=f"no to {url}", hint=f"see {url}", text=url, data={"deep": [{"url": url}]})
    for as_json in (False, True):
        emit(answer, as_json)
        out, err = capsys.readouterr()
        assert "hunter2" not in out + err
        assert "https://***@example.org/r.git" in out


def test_colours_of_a_text_are_sent_and_everything_else_is_shown(capsys: Captured) -> None:
    emit(Answer(text="\x1b[32mgreen\x1b[m\ttab \x1b]0;owned\x07 \u202e\x1b[2J \x9b"), False)
    assert capsys.readouterr().out == "\x1b[32mgreen\x1b[m\ttab \\x1b]0;owned\\x07 \\u202e\\x1b[2J \\x9b\n"


def test_a_message_stays_on_one_line(capsys: Captured) -> None:
    emit(Answer(code="failed", message="a\nhint: rm\x1b[31m", hint="git\norch"), False)
    assert capsys.readouterr().err == "a\\x0ahint: rm\\x1b[31m\nhint: git\\x0aorch\n"


@pytest.mark.parametrize(
    ("kind", "status"),
    [(OrchError, 1), (UsageError, 2), (DamagedError, 1), (RefusedError, 16), (UnreachableError, 17)],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[OrchError], status: int, capsys: Captured) -> None:
    assert guarded(raising(kind("it broke", hint="git orch doctor")), False) == status
    assert capsys.readouterr() == ("", "it broke\nhint: git orch doctor\n")
    assert guarded(raising(kind("it broke", hint="git orch doctor")), True) == status
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["retryable"] is (kind is UnreachableError)


@pytest.mark.parametrize(("problem", "said"), [(KeyboardInterrupt(), "interrupted;"), (Interrupted(15), "SIGTERM;")])
def test_an_interruption_exits_130_without_a_traceback(problem: BaseException, said: str, capsys: Captured) -> None:
    assert guarded(raising(problem), False) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[0]
    assert err.splitlines()[1:] == ["hint: git orch status"]
    assert guarded(raising(problem), True) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "interrupted"


def test_a_signal_to_a_running_command_is_an_interruption(capsys: Captured) -> None:
    assert app.run(["fail", "sigterm", "--json"], TABLE) == 130
    assert json.loads(capsys.readouterr().out)["error"]["message"].startswith("interrupted by SIGTERM")


@pytest.mark.parametrize(("how", "status"), [("usage", 2), ("unreachable", 17), ("busy", 11), ("ctrl-c", 130)])
def test_what_a_command_raises_or_returns_decides_its_exit(how: str, status: int, capsys: Captured) -> None:
    assert app.run(["fail", how], TABLE) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("hint: ")
    assert "hunter2" not in err
    assert app.run(["fail", how, "--json"], TABLE) == status
    document = json.loads(capsys.readouterr().out)
    assert CODES[document["error"]["code"]].exit == status


def report_of(captured: Captured) -> Path:
    """The report that a JSON answer names."""
    out, err = captured.readouterr()
    assert err == ""
    error = json.loads(out)["error"]
    assert error["code"] == "bug"
    assert error["report"] in error["message"]
    assert error["report"] in error["hint"]
    return Path(error["report"])


def test_a_fault_leaves_a_private_report_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    clone = make_alone(tmp_path)
    monkeypatch.chdir(clone.path)
    monkeypatch.setattr(sys, "argv", ["git-orch", "submit", "https://bob:hunter2@example.org/x"])
    assert app.run(["fail", "bug", "--json"], TABLE) == 70
    report = report_of(capsys)
    assert report.parent == clone.path / ".git" / "orch" / "reports"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text(encoding="utf-8")
    assert text.startswith(f"git orch {__version__}\n")
    assert "python 3." in text
    assert "git version " in text
    assert "'submit', 'https://***@example.org/x'" in text
    assert "RuntimeError: no route to https://***@example.org/r.git" in text
    assert "hunter2" not in text


def test_a_fault_outside_of_a_repository_is_reported_among_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert app.run(["fail", "bug", "--json"], TABLE) == 70
    assert report_of(capsys).parent == tmp_path


def test_a_fault_without_any_place_for_a_report_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert app.run(["fail", "bug"], TABLE) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("a fault of git orch (RuntimeError: no route to https://***@")
    assert err.splitlines()[1:] == ["hint: git orch doctor"]


def test_a_fault_for_people_is_two_lines_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert app.run(["fail", "bug"], TABLE) == 70
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("hint: look through ")


def test_data_that_is_no_json_is_a_fault_and_still_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert app.run(["fail", "unprintable", "--json"], TABLE) == 70
    assert "TypeError" in report_of(capsys).read_text(encoding="utf-8")


def orch(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`git orch` as a process with one stream replaced."""
    chosen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-m", "gitorch", *argv], text=True, check=False, timeout=60, **chosen)


@pytest.mark.parametrize(
    ("argv", "status"), [(("--help",), 0), (("help", "--json"), 0), (("completion", "bash"), 0), (("help", "-h"), 1)]
)
def test_a_reader_that_left_ends_the_output_quietly(argv: tuple[str, ...], status: int) -> None:
    read, write = os.pipe()
    os.close(read)
    done = orch(*argv, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("argv", [("--version",), ("help", "--json")])
def test_a_closed_standard_output_is_no_error(argv: tuple[str, ...]) -> None:
    done = orch(*argv, stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("argv", [("--version",), ("version", "--json")])
def test_a_full_disk_is_told_in_a_sentence(argv: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = orch(*argv, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "the output could not be written: No space left on device",
        "hint: make room, or send the output elsewhere",
    ]


def test_characters_that_the_terminal_lacks_are_shown_escaped() -> None:
    done = orch("völlig", env={**os.environ, "PYTHONIOENCODING": "ascii:strict"})
    assert done.returncode == 2
    assert done.stderr.startswith("there is no command `v\\xf6llig`\n")
