"""The machine around a command: hooks, environment, identity, streams. A failure here means: git orch depends on
something of its user's that it should not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IDENTITY
from tests.git.landing import add_branches, gate_runs, project, project_alone, steps
from tests.git.prepared import submitted
from tests.git.refusals import assert_no_lease_is_held, message_and_hint, refuses, shows_safely, states
from tests.support import Clone, Run

HOOKS = (
    "pre-push",
    "pre-rebase",
    "post-checkout",
    "reference-transaction",
    "pre-commit",
    "commit-msg",
    "prepare-commit-msg",
    "post-commit",
    "post-rewrite",
    "post-merge",
    "post-index-change",
    "pre-auto-gc",
)


def shell(clone: Clone, script: str, **env: str) -> Run:
    """A shell in the clone, `$ORCH` being git orch."""
    surroundings = {**os.environ, "ORCH": f"{sys.executable} -m gitorch", **env}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"], cwd=clone.path, env=surroundings, capture_output=True, check=False
    )
    return Run(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


@pytest.mark.parametrize("by_path", [False, True])
def test_hooks_of_the_clone_do_not_run_and_cannot_fail_us(tmp_path: Path, by_path: bool) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    for name in HOOKS:
        clone.hook(name, f'echo {name} >> "{tmp_path}/ran"\nexit 1\n')
    if by_path:
        (clone.path / ".git/hooks").rename(tmp_path / "hooks")
        clone.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    clone.orch("submit", "b1")
    clone.orch("submit", "b2")
    clone.orch("land", "--all")
    assert not (tmp_path / "ran").exists()
    assert len(steps(remote.path)) == 3


def test_a_repository_of_its_own_obeys_only_hooks_for_what_is_pushed_to_it(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    add_branches(clone, 2)
    for name in HOOKS:
        if name not in ("reference-transaction", "post-index-change"):
            clone.hook(name, f'echo {name} >> "{tmp_path}/ran"\nexit 1\n')
    clone.orch("submit", "b1")
    clone.orch("land", "b1")
    assert not (tmp_path / "ran").exists() and len(steps(clone.path)) == 2
    clone.hook("reference-transaction", "exit 1\n")
    says = "a reference-transaction hook of the remote refused the push"
    refuses(clone, "submit", "b2", status=16, says=says, hint="git orch doctor", untouched=clone)


@pytest.mark.parametrize("use_config_only", [False, True])
def test_no_identity_no_home_and_no_user_are_needed(tmp_path: Path, use_config_only: bool) -> None:
    remote, clone = submitted(tmp_path, 2)
    if use_config_only:
        clone.git("config", "user.useConfigOnly", "true")
    bare = {name: value for name, value in os.environ.items() if name not in (*IDENTITY, "HOME", "USER", "LOGNAME")}
    bare = {name: value for name, value in bare.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gitorch", "land", "--all"], cwd=clone.path, env=bare, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    authors = set(remote.git("log", "--format=%an <%ae>", "main").split("\n"))
    assert authors == {"Ada Author <ada@example.org>"}, "authors stay who they are"
    assert remote.git("log", "-1", "--format=%cn", "main") == "git-orch"


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "tr_TR.UTF-8", "LANG": "xx_YY.KOI8-R", "LANGUAGE": "de"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "1", "LINES": "1", "TERM": "", "TMPDIR": "/nowhere", "HOME": "/nowhere", "PAGER": "false"},
        {"COLUMNS": "banana", "TERM": "no-such-terminal", "ORCH_TOKEN": "no token\x1b", "ORCH_JOB": "no-such-job"},
    ],
    ids=["exotic", "ascii", "narrow", "banana"],
)
def test_any_locale_terminal_and_environment_will_do(tmp_path: Path, env: dict[str, str]) -> None:
    remote, clone = submitted(tmp_path, 0, more=1, behind=False)
    shows_safely(clone.orch("submit", "b1", "--title", "ünï 日本", env=env))
    shows_safely(clone.orch("land", env=env))
    shows_safely(clone.orch("list", "--all", env=env))
    assert remote.tip() == clone.tip("b1")


def test_closed_streams_do_not_stop_a_landing(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 3)
    for number, streams in enumerate((">&-", ">&- 2>&-", "<&- >&- 2>&-"), start=1):
        run = shell(clone, f"$ORCH land b{number} {streams}")
        assert run.status == 0, run.said()
    assert len(steps(remote.path)) == 5
    assert_no_lease_is_held(remote)
    assert shell(clone, "$ORCH land nope --json 2>&-").json()["error"]["code"] == "usage"
    assert shell(clone, "$ORCH list --json <&-").status == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_device_is_an_error_and_what_landed_has_landed(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 2)
    for words in ("list", "list --json", "land -h", "help", "--version"):
        run = shell(clone, f"$ORCH {words} > /dev/full")
        assert run.status == 1, run.said()
        assert "the output could not be written" in run.err.splitlines()[-2]
        assert run.err.splitlines()[-1].startswith("hint: make room")
    assert shell(clone, "$ORCH land b1 > /dev/full").status == 1
    assert shell(clone, "$ORCH land b2 2> /dev/full").status == 0
    assert states(remote) == {"done"}
    assert_no_lease_is_held(remote)


def test_a_reader_that_left_ends_the_output_quietly(tmp_path: Path) -> None:
    _, clone = submitted(tmp_path)
    for words in ("list", "status", "help", "land -h", "list --json", "show b1"):
        run = shell(clone, f"$ORCH {words} | head -c 5 | wc -c")
        assert "Traceback" not in run.err and "Broken" not in run.err, run.said()
        assert run.out.strip() == "5"


def test_wrong_arguments_give_one_document_wherever_json_stands(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    for words in (
        ("bogus", "--json"),
        ("--json", "list"),
        ("land", "--bogus", "--json"),
        ("land", "a", "b", "--json"),
        ("show", "--json"),
        ("submit", "--priority", "x", "--json"),
        ("lease", "--json"),
        ("lease", "bogus", "--json"),
        ("completion", "tcsh", "--json"),
        ("land", "--all", "b1", "--json"),
    ):
        run = clone.orch(*words, check=2)
        assert run.out.count("\n") == 1 and json.loads(run.out)["error"]["code"] == "usage", run.said()
        assert run.err == ""
    for line in ("bogus", "land --bogus", "lease", "show"):
        message_and_hint(clone.orch(*line.split(), check=2))


def test_landers_that_start_at_the_same_moment_in_one_worktree_land_everything_once(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 3)
    log = tmp_path / "runs"
    running = [clone.start_orch("land", "--all", "--wait", env={"GATE_LOG": str(log)}) for _ in range(3)]
    ends = [one.wait() for one in running]
    assert {end.status for end in ends} <= {0, 10}, [end.said() for end in ends]
    assert len(steps(remote.path)) == 5 and len(gate_runs(log)) == 3
    assert_no_lease_is_held(remote)
