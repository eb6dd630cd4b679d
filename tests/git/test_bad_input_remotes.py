"""Remotes that are gone, that refuse, or that cannot do what everything rests on. A failure here means: a command hung,
claimed what it does not know, or left a lease held."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.git.disks import run_on_small_disk
from tests.git.landing import gate_runs
from tests.git.prepared import submitted
from tests.git.refusals import JOBS, assert_no_lease_is_held, job_of, message_and_hint, one_document, refuses, states
from tests.support import eventually

REFUSE = 'echo "frozen until Monday"; printf "\\033[31mask ops\\n"; exit 1\n'


def test_a_remote_that_is_gone_is_unreachable_for_every_command(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1)
    remote.path.rename(tmp_path / "gone")
    says, hint = "the remote cannot be reached", "git orch doctor"
    error = refuses(clone, "land", "b1", status=17, says=says, hint=hint)
    assert error["retryable"] is True
    for command in (("status",), ("land", "--all", "--wait"), ("submit", "b2"), ("lease", "acquire"), ("cancel", "b1")):
        run = clone.orch(*command[:2], "--json", *command[2:], check=17)
        assert says in one_document(run, 17)["error"]["message"]
    refuses(clone, "doctor", status=1, says="1 problem found", hint="git remote -v", both=False)
    (tmp_path / "gone").rename(remote.path)
    clone.orch("land", "b1")
    assert_no_lease_is_held(remote)


def test_a_remote_that_goes_away_while_the_gate_runs_costs_no_second_run(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    hold, log, main = tmp_path / "hold", tmp_path / "runs", remote.tip()
    hold.touch()
    env = {"GATE_HOLD": str(hold), "GATE_LOG": str(log)}
    running = clone.start_orch("land", "b1", env=env)
    eventually(lambda: gate_runs(log), "the gate starts")
    remote.path.rename(tmp_path / "gone")
    hold.unlink()
    run = running.wait()
    message, hint = message_and_hint(run)
    assert run.status == 17 and "it is not known whether this took effect" in message, run.said()
    assert hint.startswith("run the same command again") or "git" in hint
    (tmp_path / "gone").rename(remote.path)
    assert remote.tip() == main
    clone.orch("land", "b1", env=env)
    assert len(gate_runs(log)) == 1, "the lease of the command that failed is ours, and so is its verdict"
    assert_no_lease_is_held(remote)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nosuch://example", "remote-nosuch"),
        ("ext::sh -c touch% pwned", "transport 'ext' not allowed"),
        ("--upload-pack=touch pwned", "blocked"),
        ("$(touch pwned)", "does not appear to be a git repository"),
        ("https://name:secret@localhost:1/x", "localhost"),
    ],
)
def test_an_impossible_address_is_refused_without_harm(tmp_path: Path, url: str, says: str) -> None:
    _, clone = submitted(tmp_path)
    clone.git("config", "remote.origin.url", url)
    error = refuses(clone, "status", status=17, says=says, hint="git orch doctor", both=url.startswith("https"))
    assert "secret" not in str(error)
    assert not list(tmp_path.rglob("pwned"))


def test_a_hook_that_refuses_everything_is_quoted(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1)
    remote.hook("pre-receive", REFUSE)
    says, hint = "frozen until Monday / \\x1b[31mask ops", "git orch doctor"
    refuses(clone, "land", "b1", status=16, says=says, hint=hint, untouched=remote)
    for command in (("submit", "b2"), ("cancel", "b1"), ("lease", "acquire"), ("verdict", "HEAD", "green")):
        refuses(clone, *command, status=16, says=says, hint=hint, untouched=remote, both=False)
    run = clone.orch("doctor", check=1)
    assert "frozen until Monday" in run.out and "another remote" not in run.err


@pytest.mark.parametrize(
    ("hook", "script"),
    [
        (
            "pre-receive",
            "while read -r old new ref; do [ $ref != refs/heads/main ] || { echo protected; exit 1; }; done\n",
        ),
        ("update", "[ $1 != refs/heads/main ] || { echo protected; exit 1; }\n"),
    ],
)
def test_a_protected_target_refuses_the_landing_and_frees_the_lease(tmp_path: Path, hook: str, script: str) -> None:
    remote, clone = submitted(tmp_path)
    remote.hook(hook, script)
    heads = remote.refs("refs/heads")
    refuses(clone, "land", "b1", status=16, says="protected", hint="git orch doctor", both=False)
    assert remote.refs("refs/heads") == heads and job_of(remote, "b1")["State"] == "submitted"
    assert_no_lease_is_held(remote)
    clone.orch("gate", "b1")
    assert remote.tip() == heads["refs/heads/main"]


def test_a_branch_that_alone_may_not_move_stays_and_the_landing_goes_on(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    head = remote.tip("b1")
    remote.hook("update", '[ "$1" != refs/heads/b1 ] || exit 1\n')
    assert "b1 stays where it is" in clone.orch("land", "b1").out
    assert remote.tip("b1") == head and "src/b1.txt" in remote.files()


def test_a_remote_without_atomic_pushes_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1)
    remote.git("config", "receive.advertiseAtomic", "false")
    says, hint = "cannot do atomic pushes", "git config receive.advertiseAtomic true"
    refuses(clone, "land", "b1", status=16, says=says, hint=hint, untouched=remote)
    refuses(clone, "submit", "b2", status=16, says=says, hint=hint, untouched=remote, both=False)
    assert "receive.advertiseAtomic" in clone.orch("doctor", check=1).err


def test_a_remote_that_hides_our_refs_is_refused(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1)
    remote.git("config", "receive.hideRefs", "refs/orch")
    says, hint = "deny updating a hidden ref", "hideRefs"
    refuses(clone, "land", "b1", status=16, says=says, hint=hint, untouched=remote)
    refuses(clone, "submit", "b2", status=16, says="it took refs/heads/b2 and refused", hint=hint, both=False)
    assert list(remote.refs(JOBS)) == [f"{JOBS}/one"]


def test_a_remote_that_does_half_of_a_push_is_told_apart_and_no_lease_stays(tmp_path: Path) -> None:
    """Git leaves a hidden ref out of an atomic push, and carries out the rest."""
    remote, clone = submitted(tmp_path, 2)
    remote.git("config", "receive.hideRefs", "refs/notes")
    says, hint = "a part of an all-or-nothing push", "hideRefs"
    error = refuses(clone, "land", "--all", status=16, says=says, hint=hint, both=False)
    assert "refs/heads/main" in error["message"] and "refs/notes/orch" in error["message"]
    assert_no_lease_is_held(remote)
    remote.git("config", "--unset", "receive.hideRefs")
    clone.orch("land", "--all")
    assert states(remote) == {"done"}


@pytest.mark.parametrize(
    "setting",
    ["receive.denyDeletes=true", "receive.denyCurrentBranch=refuse", "transfer.fsckObjects=true", "protocol.version=0"],
)
def test_stricter_servers_are_landed_on(tmp_path: Path, setting: str) -> None:
    remote, clone = submitted(tmp_path)
    remote.git("config", *setting.split("="))
    clone.orch("land", "b1")
    assert remote.tip() == remote.tip("b1") == job_of(remote, "b1")["Landed"]


def test_a_push_that_is_too_large_for_the_server_is_refused(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    remote.git("config", "receive.maxInputSize", "1")
    refuses(clone, "land", "b1", status=16, says="pack exceeds maximum", hint="git orch doctor", untouched=remote)


_READ_ONLY = """
import os, shutil, subprocess, sys
remote, copy, clone, *args = sys.argv[1:]
shutil.copytree(copy, remote, dirs_exist_ok=True)
subprocess.run(["mount", "-o", "remount,ro", remote], check=True)
sys.exit(subprocess.run([sys.executable, "-m", "gitorch", *args], cwd=clone).returncode)
"""


def test_a_remote_on_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    copy, refs = tmp_path / "copy.git", remote.refs()
    remote.path.rename(copy)
    run = run_on_small_disk(remote.path, 8192, _READ_ONLY, str(remote.path), str(copy), str(clone.path), "land", "b1")
    message, hint = message_and_hint(run)
    assert run.status == 16 and "unable to create temporary object directory" in message, run.said()
    assert hint.startswith("look at the disk and the permissions of the remote")
    remote.path.rmdir()
    copy.rename(remote.path)
    assert remote.refs() == refs
    clone.orch("land", "b1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_remote_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    folders = [remote.path, *(path for path in remote.path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        refuses(clone, "land", "b1", status=16, says="refused", hint="permissions", untouched=remote)
    finally:
        for folder in folders:
            folder.chmod(0o755)
