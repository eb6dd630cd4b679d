"""Arguments in, one answer out: the fast path, help, the parser's errors, and what each command owes the frame."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gitorch import __version__
from gitorch.__main__ import dispatch
from gitorch.cli import app
from gitorch.cli.outcome import CODES
from gitorch.cli.table import COMMANDS, Command, find, help_text
from tests.cli.samples import TABLE

Captured = pytest.CaptureFixture[str]
WRITTEN = [command for command in COMMANDS if find_spec(command.module) is not None]


def sample(*argv: str) -> int:
    """Run one of the sample commands."""
    return app.run(argv, TABLE)


def refused(captured: Captured) -> list[str]:
    """The lines of an error: nothing on standard output, a hint last."""
    out, err = captured.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[-1].startswith("hint: ")
    return lines


def modules_after(*argv: str) -> set[str]:
    """The modules that a process loads on top of a bare interpreter's to run `git orch ARGV`."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from gitorch.__main__ import dispatch; dispatch(sys.argv[1:])\n"
        "print(' '.join(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("word", ["version", "--version", "-V"])
def test_the_version_is_printed_for_each_spelling(word: str, capsys: Captured) -> None:
    assert dispatch([word]) == 0
    assert capsys.readouterr() == (f"git orch {__version__}\n", "")


@pytest.mark.parametrize("argv", [[], ["help"], ["--help"], ["-h"]])
def test_without_a_command_the_commands_are_listed(argv: list[str], capsys: Captured) -> None:
    assert dispatch(argv) == 0
    assert capsys.readouterr() == (help_text(), "")


def test_the_list_names_each_command_once_in_its_group_and_fits_a_terminal() -> None:
    lines = help_text().splitlines()
    for command in COMMANDS:
        row = [line for line in lines if line.split(" ")[:4] == ["", "", "", command.name]]
        assert len(row) == 1
        assert row[0].endswith(command.summary)
        heading = [line for line in lines[: lines.index(row[0])] if not line.startswith(" ")][-1]
        assert heading == command.group
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60, "more than that nobody reads"
    assert "git orch help COMMAND" in lines[-2]


def test_a_hidden_command_runs_but_is_not_listed() -> None:
    hidden = Command("secret", "test", "Whisper", hidden=True)
    assert "secret" not in help_text((*COMMANDS, hidden))
    assert find("secret", (hidden,)) is hidden


@pytest.mark.parametrize("argv", [(), ("help",), ("--help",), ("--version",), ("version",)])
def test_version_and_help_load_nothing_but_two_files_of_ours(argv: tuple[str, ...]) -> None:
    loaded = modules_after(*argv)
    assert {name for name in loaded if not name.startswith("gitorch")} <= {"__future__"}
    assert len(loaded) <= 6


def test_an_unknown_command_loads_no_option_parser() -> None:
    loaded = modules_after("lnad")
    assert "difflib" in loaded
    assert not loaded & {"typer", "rich", "pygit2", "filelock"}


@pytest.mark.parametrize("argv", [("completion", "bash"), ("help", "help"), ("help", "-h"), ("version", "--bogus")])
def test_help_completion_and_usage_errors_load_no_git_and_no_engine(argv: tuple[str, ...]) -> None:
    loaded = modules_after(*argv)
    assert "typer" in loaded
    assert not loaded & {"rich", "pygit2", "filelock", "gitorch.shell.gitcmd"}
    assert not [name for name in loaded if name.startswith("gitorch.engine")]


def test_no_module_of_the_command_line_loads_pygit2_or_filelock_by_being_imported() -> None:
    folder = Path(app.__file__).parent
    names = [".".join(("gitorch.cli", *p.relative_to(folder).with_suffix("").parts)) for p in folder.rglob("*.py")]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names!r}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"gitorch.cli.app", "typer"} <= set(done.stdout.split())
    assert not set(done.stdout.split()) & {"pygit2", "filelock"}


def test_an_unknown_command_is_answered_with_the_nearest_one(capsys: Captured) -> None:
    assert dispatch(["lnad"]) == 2
    assert refused(capsys) == ["there is no command `lnad`; the nearest is `land`", "hint: git orch help land"]


def test_a_word_like_no_command_is_answered_with_the_list(capsys: Captured) -> None:
    assert dispatch(["xylophone"]) == 2
    assert refused(capsys) == ["there is no command `xylophone`", "hint: git orch help"]


def test_an_option_before_the_command_is_explained(capsys: Captured) -> None:
    assert dispatch(["--quiet", "list"]) == 2
    assert "options follow it" in refused(capsys)[0]


def test_an_unknown_command_reaches_the_terminal_escaped(capsys: Captured) -> None:
    assert dispatch(["\x1b]0;owned\x07\u202e"]) == 2
    assert refused(capsys)[0] == "there is no command `\\x1b]0;owned\\x07\\u202e`"


def test_an_unknown_command_with_json_is_one_document(capsys: Captured) -> None:
    assert dispatch(["lnad", "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    error = json.loads(out)["error"]
    assert (error["code"], error["hint"], error["retryable"]) == ("usage", "git orch help land", False)


@pytest.mark.parametrize("words", [["echo"], ["lamp"], ["lamp", "break"]])
def test_help_about_a_command_is_what_its_own_option_prints(words: list[str], capsys: Captured) -> None:
    answer = app.help_of(words, TABLE)
    assert sample(*words, "-h") == 0
    printed = capsys.readouterr().out
    assert printed.rstrip("\n") == answer.text.rstrip("\n")
    assert sample(*words, "--help") == 0
    assert capsys.readouterr().out == printed


def test_help_tells_parameters_examples_and_exit_codes(capsys: Captured) -> None:
    assert sample("echo", "-h") == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Usage: git orch echo [OPTIONS] BRANCH\n\n  Give back what was typed.\n\n  Nothing is changed."
    )
    assert "Any name." in out
    assert "--color / --no-color" in out
    assert "\nExamples:\n  git orch echo fix-parser\n" in out
    assert "\nExit status:\n    0  done\n   10  nothing ready to claim or land\n   11  lease or job held" in out


def test_help_about_nothing_we_have_is_a_usage_error(capsys: Captured) -> None:
    assert dispatch(["help", "lnad"]) == 2
    assert refused(capsys)[-1] == "hint: git orch help land"
    assert dispatch(["help", "version", "now"]) == 2
    assert refused(capsys) == ["`version` has no subcommand `now`", "hint: git orch help version"]


def test_help_and_version_answer_programs_too(capsys: Captured) -> None:
    assert dispatch(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "ok": True, "data": {"version": __version__}}
    assert dispatch(["help", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["data"]["commands"]
    assert [row["name"] for row in rows] == [command.name for command in COMMANDS]
    assert dispatch(["help", "help", "--json"]) == 0
    assert "COMMAND" in json.loads(capsys.readouterr().out)["data"]["help"]


def test_options_and_arguments_reach_the_command(capsys: Captured) -> None:
    assert sample("echo", "fix", "--title", "A title", "-q", "--no-color", "--target", "dev", "--json") == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data == {"branch": "fix", "title": "A title", "target": "dev", "quiet": True, "color": False}


def test_a_name_with_leading_dashes_works_behind_two_dashes(capsys: Captured) -> None:
    assert sample("echo", "--json", "--title", "-x", "--", "--json") == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert (data["branch"], data["title"]) == ("--json", "-x")


def test_without_the_two_dashes_the_hint_names_them(capsys: Captured) -> None:
    assert sample("echo", "-x") == 2
    assert refused(capsys)[-1] == "hint: git orch echo -h (a name that begins with a dash goes behind `--`)"


@pytest.mark.parametrize("argv", [("echo", "--", "--json"), ("echo", "--title", "--json", "fix")])
def test_json_that_is_a_name_or_a_value_asks_for_no_document(argv: tuple[str, ...], capsys: Captured) -> None:
    assert sample(*argv) == 0
    assert capsys.readouterr().out.startswith("branch ")


@pytest.mark.parametrize(
    ("argv", "said", "hint"),
    [
        (("echo",), "missing argument", "git orch echo -h"),
        (("echo", "a", "b"), "unexpected extra argument", "git orch echo -h"),
        (("echo", "a", "--title"), "requires an argument", "git orch echo -h"),
        (("lamp",), "missing command", "git orch lamp -h"),
        (("lamp", "off"), "no such command 'off'", "git orch lamp -h"),
        (("lamp", "on", "x"), "unexpected extra argument", "git orch lamp on -h"),
        (("ehco", "a"), "the nearest is `echo`", "git orch help echo"),
    ],
)
def test_a_usage_error_is_a_sentence_and_a_hint(argv: tuple[str, ...], said: str, hint: str, capsys: Captured) -> None:
    assert sample(*argv) == 2
    lines = refused(capsys)
    assert len(lines) == 2
    assert said in lines[0]
    assert lines[1].startswith(f"hint: {hint}")


def test_a_usage_error_with_json_is_one_document(capsys: Captured) -> None:
    assert sample("echo", "--json") == 2
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    assert (document["schema"], document["ok"]) == (1, False)
    assert document["error"]["code"] == "usage"
    assert document["error"]["hint"] == "git orch echo -h"


def test_a_subcommand_runs_and_another_is_not_run(capsys: Captured) -> None:
    assert sample("lamp", "on", "--target", "main", "--json") == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"lamp": "main"}
    assert sample("lamp", "break") == 0
    assert capsys.readouterr().out == "dark\n"


def test_only_the_command_that_is_asked_for_is_loaded() -> None:
    code = (
        "import sys; from gitorch.cli.app import run; from tests.cli.samples import TABLE; run(['lamp', 'on'], TABLE)\n"
        "print(*[name for name in sys.modules if name.startswith('tests.cli.samples.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["light", "tests.cli.samples.lamp"]


@pytest.mark.parametrize("name", [command.name for command in WRITTEN])
def test_each_command_keeps_the_convention(name: str) -> None:
    command = find(name)
    assert command is not None
    module: Any = __import__(command.module, fromlist=["run"])
    functions = module.SUBCOMMANDS if command.subcommands else {name: module.run}
    assert list(functions) == ([word for word, _ in command.subcommands] or [name])
    for function in functions.values():
        assert (function.__doc__ or "").strip()
        assert "as_json" in inspect.signature(function).parameters
    assert set(getattr(module, "EXITS", ())) <= set(CODES) - {"done"}
    assert all(example.startswith("git orch ") for example in getattr(module, "EXAMPLES", ()))


@pytest.mark.parametrize("name", [command.name for command in WRITTEN])
def test_each_command_explains_itself(name: str) -> None:
    text = app.help_of([name]).text
    assert text.startswith(f"Usage: git orch {name} ")
    assert "--help" in text


def test_names_in_the_table_are_unique() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
