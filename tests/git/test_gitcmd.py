"""The one door to git. A failure here runs git in somebody else's repository, or waits for ever."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.shell.gitcmd import KEPT_GIT_VARIABLES, Git, GitError, GitTimeoutError, scrubbed_environment
from tests.support import Clone, git, make_alone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make_alone(tmp_path)


def seen_by_git(runner: Git) -> dict[str, str]:
    """The environment that a process started by git sees."""
    out = runner.run("-c", "alias.seen=!env -0", "seen").out.decode()
    return dict(line.split("=", 1) for line in out.split("\0") if line)


# -- the environment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_DIR", "/nowhere/.git"),
        ("GIT_WORK_TREE", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere/index"),
        ("GIT_OBJECT_DIRECTORY", "/nowhere/objects"),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/nowhere/more"),
        ("GIT_COMMON_DIR", "/nowhere/common"),
        ("GIT_NAMESPACE", "elsewhere"),
        ("GIT_REPLACE_REF_BASE", "refs/elsewhere"),
        ("GIT_PREFIX", "folder/"),
        ("GIT_GRAFT_FILE", "/nowhere/grafts"),
        ("GIT_SHALLOW_FILE", "/nowhere/shallow"),
        ("GIT_QUARANTINE_PATH", "/nowhere/quarantine"),
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_EXTERNAL_DIFF", "false"),
        ("GIT_SEQUENCE_EDITOR", "false"),
        ("GIT_PUSH_OPTION_COUNT", "1"),
        ("GIT_REFLOG_ACTION", "evil"),
        ("GIT_DEFAULT_HASH", "sha256"),
    ],
)
def test_no_variable_of_the_caller_leads_git_elsewhere(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """As when a hook, or git itself, starts us."""
    tip = clone.tip()
    monkeypatch.setenv(name, value)
    here = Git(clone.path)
    assert here.line("rev-parse", "main") == tip
    assert here.line("rev-parse", "--show-toplevel") == str(clone.path)
    assert here.run("status", "--porcelain").out == b""
    assert seen_by_git(here).get(name) != value


def test_configuration_on_the_command_line_of_git_reaches_us(clone: Clone) -> None:
    """`git -c orch.target=release orch ...` sets GIT_CONFIG_PARAMETERS for what it starts."""
    script = (
        "from pathlib import Path; from gitorch.shell.gitcmd import Git; print(Git(Path()).line('config', 'orch.x'))"
    )
    alias = f'alias.ask=!"{sys.executable}" -c "{script}"'
    assert git(clone.path, "-c", "orch.x=a b'c", "-c", alias, "ask") == "a b'c"


def test_configuration_by_environment_reaches_us(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "orch.x")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "from outside")
    assert Git(clone.path).line("config", "orch.x") == "from outside"


def test_only_git_variables_are_scrubbed_and_of_those_only_the_ones_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "kept")
    monkeypatch.setenv("GITHUB_TOKEN", "kept")
    monkeypatch.setenv("GIT_SSH_COMMAND", "kept")
    monkeypatch.setenv("GIT_UNHEARD_OF", "dropped")
    env = scrubbed_environment()
    assert (env["SOME_TOKEN"], env["GITHUB_TOKEN"], env["GIT_SSH_COMMAND"]) == ("kept", "kept", "kept")
    assert "GIT_UNHEARD_OF" not in env
    assert not KEPT_GIT_VARIABLES & {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"}


def test_git_speaks_english_whatever_the_user_speaks(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LANG", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    assert seen_by_git(Git(clone.path))["LC_ALL"] == "C"
    assert "unknown revision" in Git(clone.path).run("log", "no-such-thing", ok=()).error_text()


def test_without_a_terminal_nothing_waits_for_a_password_or_an_editor(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_TERMINAL_PROMPT")
    seen = seen_by_git(Git(clone.path))
    assert seen["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in seen["GIT_SSH_COMMAND"]
    assert seen["GIT_EDITOR"] == seen["GIT_SEQUENCE_EDITOR"] == "true"
    monkeypatch.setenv("GIT_SSH_COMMAND", "my-ssh")
    assert seen_by_git(Git(clone.path))["GIT_SSH_COMMAND"] == "my-ssh"


def test_the_directories_that_were_given_win_over_discovery(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    there = Git(tmp_path / "elsewhere", git_dir=clone.path / ".git", work_tree=clone.path)
    assert there.line("rev-parse", "--show-toplevel") == str(clone.path)
    assert there.line("rev-parse", "main") == clone.tip()
    assert Git(clone.path, extra={"ORCH_TEST_X": "1"}).environment()["ORCH_TEST_X"] == "1"
    assert Git(clone.path, extra={"A": "1"}).environment({"A": "2"})["A"] == "2"


# -- answers


def test_both_streams_and_the_status_are_kept(clone: Clone) -> None:
    result = Git(clone.path).run("-c", r"alias.both=!printf 'out\n\377'; echo err >&2; exit 3;:", "both", ok=())
    assert (result.status, result.out, result.err) == (3, b"out\n\xff", b"err\n")
    assert result.text() == "out\n\udcff"
    assert result.error_text() == "err\n"


def test_an_exit_status_that_was_not_expected_is_an_error_with_gits_last_line(clone: Clone) -> None:
    with pytest.raises(GitError) as caught:
        Git(clone.path).run("-c", "x.y=z", "rev-parse", "--verify", "no-such-thing")
    assert caught.value.message == "git rev-parse failed: fatal: Needed a single revision"
    assert caught.value.hint
    assert caught.value.result.status == 128
    assert Git(clone.path).run("rev-parse", "--verify", "no-such-thing", ok=(0, 128)).status == 128


def test_input_is_given_and_without_any_nothing_waits_for_it(clone: Clone) -> None:
    assert Git(clone.path).run("hash-object", "--stdin", stdin=b"").text() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert Git(clone.path).run("hash-object", "--stdin").text() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    big = b"x" * 5_000_000
    assert (
        Git(clone.path)
        .run("cat-file", "blob", Git(clone.path).run("hash-object", "-w", "--stdin", stdin=big).text())
        .out
        == big
    )


def test_input_that_git_does_not_read_to_its_end_is_no_error(clone: Clone) -> None:
    assert Git(clone.path).run("version", stdin=b"x" * 1_000_000).status == 0


# -- time limits


def test_a_git_that_does_not_end_in_time_is_stopped_and_takes_its_locks_along(clone: Clone, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    hook = clone.hook(
        "reference-transaction",
        f"[ \"$1\" = prepared ] || exit 0\necho $$ > '{pid}'\nwhile :; do sleep 0.02; done\n",
    )
    started = time.monotonic()
    with pytest.raises(GitTimeoutError, match=r"git update-ref gave no answer for 1 s") as caught:
        Git(clone.path).run("update-ref", "refs/heads/x", "main", timeout_s=0.7)
    took_s = time.monotonic() - started
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert 0.7 <= took_s < 15
    assert caught.value.retryable and isinstance(caught.value, OrchError)
    # The ref was locked. Git was asked to end, not killed: the next command finds no lock.
    hook.unlink()
    assert Git(clone.path).run("update-ref", "refs/heads/x", "main").status == 0


def test_a_git_that_ignores_being_asked_is_killed(clone: Clone) -> None:
    started = time.monotonic()
    with pytest.raises(GitTimeoutError):
        Git(clone.path).run("-c", "alias.hang=!trap '' TERM; sleep 6", "hang", timeout_s=0.2)
    assert time.monotonic() - started < 5.5


def test_a_child_over_pipes_answers_until_its_input_is_closed(clone: Clone) -> None:
    child = Git(clone.path).start("cat-file", "--batch-check")
    assert child.stdin and child.stdout
    child.stdin.write(b"main\n")
    child.stdin.flush()
    assert child.stdout.readline().split()[:2] == [(clone.tip() or "").encode(), b"commit"]
    child.communicate()
    assert child.returncode == 0


# -- what users configured


@pytest.mark.parametrize(
    "setting", [("core.fsmonitor", "/nowhere/monitor"), ("gc.auto", "1"), ("maintenance.auto", "true")]
)
def test_settings_that_would_start_something_beside_us_are_off(clone: Clone, setting: tuple[str, str]) -> None:
    clone.git("config", *setting)
    shown = Git(clone.path).line("config", setting[0])
    assert shown != setting[1]
