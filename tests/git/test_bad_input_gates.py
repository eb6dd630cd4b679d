"""Gates that are missing, broken, greedy or that meddle. A failure here means: something landed that was not tested as
it stands, or a gate left something behind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.git.disks import FILL, run_on_small_disk
from tests.git.prepared import submitted
from tests.git.refusals import assert_no_lease_is_held, job_of, message_and_hint, refuses, states
from tests.support import Clone, Files, Remote, Run


def gated(
    tmp_path: Path, config: str, *, branches: int = 1, more: int = 0, files: Files | None = None
) -> tuple[Remote, Clone]:
    """A remote whose `.gitorch` has this in its section, and a clone with submitted branches and `more`."""
    remote, clone = submitted(tmp_path, branches, more=more, behind=False)
    clone.commit({".gitorch": f"[orch]\n{config}", **(files or {})}, "another gate")
    clone.push("main")
    return remote, clone


def gate(command: str) -> str:
    """The configuration of one gate command."""
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    return f'\tgate = "{quoted}"\n'


def test_without_a_gate_nothing_lands_until_somebody_says_none(tmp_path: Path) -> None:
    remote, clone = gated(tmp_path, "")
    says, hint = "no gate is configured", "git orch init --gate 'make test' (or `none`"
    refuses(clone, "land", "b1", status=2, says=says, hint=hint, untouched=remote)
    for command in (("land", "--all"), ("land", "-n"), ("gate", "b1"), ("verdict", "HEAD")):
        refuses(clone, *command, status=2, says=says, hint="git orch init --gate", untouched=remote, both=False)
    for empty in ("", "  "):
        clone.git("config", "orch.gate", empty)
        refuses(clone, "land", status=2, says=says, hint=hint, untouched=remote, both=False)
    clone.orch("init", "--gate", "none")
    run = clone.orch("land", "b1")
    assert "(without a gate)" in run.out
    assert "src/b1.txt" in remote.files()


@pytest.mark.parametrize(
    ("command", "why"), [("./notes", "it is not executable"), ("no-such-program --x", "it was not found")]
)
def test_a_gate_that_cannot_be_started_stops_landing_and_blames_nobody(tmp_path: Path, command: str, why: str) -> None:
    remote, clone = gated(tmp_path, gate(command), files={"notes": "no program\n"})
    main = remote.tip()
    error = refuses(clone, "land", "b1", status=15, says="main itself is red", hint="git orch land", both=False)
    assert f"`{command}` could not be started, {why}" in error["message"]
    assert job_of(remote, "b1")["State"] == "submitted" and remote.tip() == main
    assert_no_lease_is_held(remote)


def test_a_branch_that_breaks_the_gate_itself_is_what_is_red(tmp_path: Path) -> None:
    remote, clone = gated(tmp_path, gate("./gate.sh"), branches=0)
    clone.branch("gone", {"gate.sh": None}, "no gate any more")
    clone.orch("submit", "gone")
    error = refuses(clone, "land", "gone", status=15, says="it was not found", hint="repair gone", both=False)
    assert "red on main plus this branch" in error["message"]
    assert job_of(remote, "gone")["State"] == "rework"
    assert_no_lease_is_held(remote)


@pytest.mark.parametrize(
    ("meddling", "why"),
    [
        ("echo x >> shared.txt", "changed tracked files: shared.txt"),
        ("rm shared.txt", "changed tracked files: shared.txt"),
        ("git update-index --assume-unchanged shared.txt; echo x >> shared.txt", "changed tracked files: shared.txt"),
        ("git rm -q --cached shared.txt", "changed the index"),
        ("git checkout -q --detach HEAD^", "moved HEAD"),
        ("git commit -q --allow-empty -m more", "moved HEAD"),
        ("git checkout -q -b elsewhere", "put HEAD on the branch elsewhere"),
        ("rm .git", "removed or replaced .git"),
    ],
)
def test_a_gate_that_changes_what_it_tests_is_red(tmp_path: Path, meddling: str, why: str) -> None:
    remote, clone = gated(tmp_path, gate(f"[ ! -e src/b1.txt ] || {{ {meddling}; }}"))
    before, files = remote.refs("refs/heads"), clone.git("status", "--porcelain")
    refuses(clone, "land", "b1", status=15, says=why, hint="repair b1", both=False)
    assert remote.refs("refs/heads") == before and clone.git("status", "--porcelain") == files
    assert job_of(remote, "b1")["State"] == "rework"
    assert_no_lease_is_held(remote)


def test_what_a_gate_leaves_behind_is_gone_before_the_next(tmp_path: Path) -> None:
    clean = "[ ! -e junk ] && [ ! -e made.o ] && [ ! -e deep ] && [ ! -e nested ]"
    litter = "mkdir -p deep/er && touch junk made.o deep/er/x && git init -q nested && touch nested/y && chmod 500 deep"
    remote, clone = gated(tmp_path, gate(f"{clean} && {litter}"), branches=3, files={".gitignore": "*.o\n"})
    clone.orch("land", "--all")
    assert states(remote) == {"done"}
    assert "junk" not in remote.files()


def test_a_gate_without_an_end_is_stopped_and_red(tmp_path: Path) -> None:
    remote, clone = gated(tmp_path, gate("[ ! -e src/b1.txt ] || sleep 600") + "\tgateTimeout = 1\n")
    refuses(clone, "land", "b1", status=15, says="timed out after 1 s", hint="repair b1", both=False)
    assert "timed out" in job_of(remote, "b1")["Reason"]
    assert_no_lease_is_held(remote)


def test_a_gate_is_tried_again_as_often_as_it_may_be(tmp_path: Path) -> None:
    command = 'echo run >> "$RUNS"; [ $(wc -l < "$RUNS") -ge 3 ]'
    remote, clone = gated(tmp_path, gate(command) + "\tgateRetries = 2\n")
    run = clone.orch("land", "b1", env={"RUNS": str(tmp_path / "runs")})
    assert "green on run 3" in run.out and "src/b1.txt" in remote.files()


def test_a_gate_that_prints_without_measure_costs_no_more_than_its_tail(tmp_path: Path) -> None:
    remote, clone = gated(tmp_path, gate("yes 0123456789 | head -c 52428800; [ ! -e src/b1.txt ]"))
    run = clone.orch("land", "b1", "-q", "--json", check=15)
    assert len(run.out) < 5_000 and len(run.err) < 1_000
    shown = clone.orch("show", "b1", "--json").json()["data"]
    assert 10_000 < len(shown["files"]["log"]) < 100_000
    size = int(remote.git("count-objects", "-v").partition("size: ")[2].split("\n")[0])
    assert size < 1_000, "kibibytes on the remote"
    assert_no_lease_is_held(remote)


def test_a_gate_gets_no_standard_input_and_no_secret(tmp_path: Path) -> None:
    _, clone = gated(tmp_path, gate('[ -z "$(cat)" ] && [ -z "${ORCH_TOKEN:-}" ] && [ "$ORCH_TARGET" = main ]'))
    run = clone.start_orch("land", "b1", stdin="a secret\n", env={"ORCH_TOKEN": "a" * 32}).wait()
    assert run.status == 0, run.said()


def test_line_endings_of_one_clone_do_not_decide_a_verdict(tmp_path: Path) -> None:
    remote, clone = gated(tmp_path, gate("./gate.sh && git diff --quiet"))
    clone.git("config", "core.autocrlf", "true")
    clone.git("config", "core.eol", "crlf")
    clone.orch("land", "b1")
    assert "src/b1.txt" in remote.files()


_ON_SMALL_DISK = """
import os, subprocess, sys
where, fill, clone, *args = sys.argv[1:]
if fill:
    subprocess.run([*eval(fill), where + "/fill"], check=True)
sys.exit(subprocess.run([sys.executable, "-m", "gitorch", *args], cwd=clone).returncode)
"""


def on_small_disk(clone: Clone, kilobytes: int, *args: str, fill: bool = False) -> Run:
    """`git orch ARGS` while the folder of git orch in the clone is a file system of this size, full with `fill`."""
    folder = clone.path / ".git/orch"
    shutil.rmtree(folder, ignore_errors=True)
    filler = repr(FILL) if fill else ""
    return run_on_small_disk(folder, kilobytes, _ON_SMALL_DISK, str(folder), filler, str(clone.path), *args)


@pytest.mark.parametrize(("kilobytes", "fill"), [(1024, False), (256, True)])
def test_a_full_disk_is_named_and_changes_nothing(tmp_path: Path, kilobytes: int, fill: bool) -> None:
    remote, clone = gated(tmp_path, gate("./gate.sh"), files={"large": "0123456789" * 300_000})
    heads = remote.refs("refs/heads")
    run = on_small_disk(clone, kilobytes, "land", "b1", fill=fill)
    assert run.status == 1, run.said()
    message, hint = message_and_hint(run)
    assert re.match(r"the disk is full: cannot write in .*/orch/worktrees", message), run.said()
    assert hint.startswith("make room (`df -h ")
    assert remote.refs("refs/heads") == heads and job_of(remote, "b1")["State"] == "submitted"
    assert_no_lease_is_held(remote)
    clone.orch("land", "b1")
    assert "src/b1.txt" in remote.files()
