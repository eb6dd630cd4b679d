"""Completion scripts: what a shell offers at each place, without starting a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.__main__ import dispatch
from gitorch.cli import completions
from gitorch.cli.describe import pages
from gitorch.cli.table import COMMANDS
from tests.cli.samples import TABLE

SCRIPTS = {"bash": completions.bash, "zsh": completions.zsh, "fish": completions.fish}
BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")

# As git's completion calls it: with these variables set, in a shell that finds no program.
AS_GIT = 'PATH=/nonexistent; words=("$@"); cword=$(( $# - 1 )); cur=${words[cword]}; COMPREPLY=(); _git_orch'
ALONE = 'PATH=/nonexistent; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); __git_orch_alone'


def offered(tmp_path: Path, *typed: str) -> list[str]:
    """The words that bash offers for what was typed, the last word being unfinished."""
    script = tmp_path / "script.bash"
    script.write_text(completions.bash(pages(TABLE)), encoding="utf-8")
    call = AS_GIT if typed[0] == "git" else ALONE
    code = f'script=$1; shift; . "$script"; {call}; printf "%s|\\n" "${{COMPREPLY[@]}}"'
    assert BASH is not None
    done = subprocess.run([BASH, "-uc", code, "-", str(script), *typed], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(line.removesuffix("|") for line in done.stdout.splitlines() if line != "|")


@needs_bash
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("git-orch", ""), ["echo", "fail", "lamp"]),
        (("git-orch", "l"), ["lamp"]),
        (("git-orch", "x"), []),
        (("git-orch", "lamp", ""), ["break", "on"]),
        (("git-orch", "lamp", "o"), ["on"]),
        (("git-orch", "lamp", "on", "--"), ["--help", "--json", "--target"]),
        (("git-orch", "lamp", "break", "--"), ["--help", "--json"]),
        (("git-orch", "echo", "--t"), ["--target", "--title"]),
        (
            ("git-orch", "echo", "-"),
            ["--color", "--help", "--json", "--no-color", "--quiet", "--target", "--title", "-h", "-q"],
        ),
        (("git-orch", "echo", "--target", ""), []),
        (("git-orch", "echo", "--target", "lamp", "--ti"), ["--title"]),
        (("git-orch", "--quiet", "lamp", "--json", "o"), ["on"]),
        (("git-orch", "echo", "--", "--t"), []),
        (("git", "orch", "l"), ["lamp "]),
        (("git", "orch", "lamp", "o"), ["on "]),
        (("git", "-C", "dir", "orch", "lamp", "on", "--j"), ["--json "]),
    ],
)
def test_bash_offers_the_words_that_may_follow(tmp_path: Path, typed: tuple[str, ...], words: list[str]) -> None:
    assert offered(tmp_path, *typed) == words


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_each_script_knows_each_command_and_option(shell: str) -> None:
    described = pages(TABLE)
    script = SCRIPTS[shell](described)
    assert "@" not in script.replace('"$@"', "").replace("[@]", "")
    for page in described:
        assert page.words[-1] in script
        for spelling in page.spellings:
            assert (spelling if shell != "fish" else spelling.lstrip("-")) in script


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_the_same_commands_give_the_same_script_in_each_process(shell: str) -> None:
    made = {
        subprocess.run(
            [sys.executable, "-m", "gitorch", "completion", shell],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_the_command_prints_the_script_of_the_real_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == SCRIPTS[shell](pages(COMMANDS))
    assert dispatch(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"shell": shell, "script": out}


def test_a_shell_that_we_do_not_serve_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["completion", "tcsh"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "bash" in err.splitlines()[0]
    assert err.splitlines()[1] == "hint: git orch completion -h"


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_the_shell_itself_accepts_its_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell](pages(COMMANDS)), encoding="utf-8")
    done = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
