"""`git orch doctor`: what it probes on real remotes, what it warns about, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.landing import project, project_alone
from tests.support import Clone, Remote, try_git


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Remote, Clone]:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "user.email", "ada@example.org")
    return remote, clone


def findings(clone: Clone, *options: str, status: int | None = None) -> list[dict[str, str]]:
    run = clone.orch("doctor", "--json", *options, check=status)
    found: list[dict[str, str]] = run.json()["data"]["findings"]
    return found


def about(clone: Clone, words: str, *options: str) -> dict[str, str]:
    """The finding that says these words."""
    found = findings(clone, *options)
    return next((one for one in found if words in one["what"]), {"level": "none", "what": str(found), "hint": ""})


def test_a_sound_remote_keeps_every_promise_and_is_left_as_it_was(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    before = remote.refs()
    found = findings(clone, "--remote-race", status=0)
    assert {one["level"] for one in found} == {"ok"}
    said = " / ".join(one["what"] for one in found)
    for words in (
        "creates refs in the namespace",
        "refuses to create what exists",
        "compares before it swaps",
        "pushes all or nothing",
        "deletes with a guard",
        "takes refs below refs/notes",
        "of 8 pushes at once one won, in each of 6 races",
    ):
        assert words in said
    assert remote.refs() == before


def test_in_a_guarded_remote_too(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.orch("hooks", "install", "--server", str(remote.path))
    clone.orch("hooks", "install")
    before = remote.refs()
    found = findings(clone, "--remote-race", status=0)
    said = " / ".join(one["what"] for one in found)
    assert "the hook pre-receive on the remote is current" in said
    assert "the hook pre-push in this clone is current" in said
    assert remote.refs() == before


def test_an_edited_hook_is_worth_a_warning(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.orch("hooks", "install", "--server", str(remote.path))
    with (remote.path / "hooks/pre-receive").open("a") as hook:
        hook.write("# mine\n")
    found = about(clone, "the hook pre-receive on the remote is edited")
    assert found["level"] == "warning" and found["hint"] == f"git orch hooks install --server {remote.path}"


@pytest.mark.unguarded
def test_where_the_namespace_is_refused_another_is_proposed(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    script = "while read old new ref; do case $ref in refs/heads/*) ;; *) echo no >&2; exit 1 ;; esac; done\n"
    remote.hook("pre-receive", script)
    before = remote.refs()
    found = findings(clone, status=1)
    proposed = next(one for one in found if "refs/heads/orch" in one["what"])
    assert proposed["hint"] == "git config orch.namespace refs/heads/orch"
    assert remote.refs() == before
    clone.git(*proposed["hint"].split()[1:])
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}
    clone.orch("add", "Work")
    assert remote.refs("refs/heads/orch/jobs")


@pytest.mark.unguarded
def test_notes_that_are_refused_are_found(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.hook("pre-receive", "while read old new ref; do case $ref in refs/notes/*) exit 1 ;; esac; done\n")
    assert about(clone, "fails where it takes refs below refs/notes")["level"] == "problem"
    assert not remote.refs("refs/orch")


@pytest.mark.unguarded
def test_a_remote_that_swaps_without_comparing_is_found(pair: tuple[Remote, Clone]) -> None:
    """Real git in front, and behind it a hook that compares and swaps in two steps."""
    remote, clone = pair
    remote.git("config", "receive.procReceiveRefs", "refs/orch/scratch")
    remote.hook("proc-receive", PROC_RECEIVE)
    assert {one["level"] for one in findings(clone)} == {"ok"}, "one after another, it compares"
    found = about(clone, "does not compare and swap", "--remote-race")
    assert found["level"] == "problem", found


PROC_RECEIVE = r"""
exec python3 -c '
import subprocess, sys, time
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
def read():
    found = []
    while (size := int(stdin.read(4) or b"0000", 16)):
        found.append(stdin.read(size - 4))
    return found
def say(*lines):
    for line in lines:
        stdout.write(b"%04x" % (len(line) + 4) + line)
    stdout.write(b"0000")
    stdout.flush()
def value(ref):
    return subprocess.run(["git", "rev-parse", "-q", "--verify", ref], capture_output=True).stdout.strip() or b"0" * 40
read()
say(b"version=1\0atomic\n")
lines = [line.split(b"\0")[0].strip().split(b" ") for line in read()]
lost = any(value(ref) != old for old, new, ref in lines)
time.sleep(0.3)
for old, new, ref in lines:
    if not lost:
        subprocess.run(["git", "update-ref", *(["-d", ref] if set(new) == {48} else [ref, new])], check=False)
say(*((b"ng " + ref + b" stale info\n" if lost else b"ok " + ref + b"\n") for old, new, ref in lines))
'
"""


@pytest.mark.parametrize(
    ("key", "value", "words", "level"),
    [
        ("remote.origin.mirror", "true", "is configured as a mirror", "problem"),
        ("remote.origin.fetch", "+refs/*:refs/*", "the fetch refspec +refs/*:refs/*", "problem"),
        ("remote.origin.fetch", "+refs/orch/*:refs/orch/*", "the fetch refspec", "problem"),
        ("remote.origin.fetch", "+refs/x/*:refs/orch-remotes/x/*", "the fetch refspec", "problem"),
        ("remote.origin.push", "+refs/*:refs/*", "the push refspec", "problem"),
        ("remote.origin.push", "refs/orch/jobs/*", "the push refspec", "problem"),
        ("remote.origin.push", "+refs/notes/*:refs/notes/*", "the push refspec", "problem"),
        ("remote.origin.pushurl", "/elsewhere", "is pushed to another place", "warning"),
        ("push.pushOption", "orch.bypass=always", "go around the rules", "problem"),
        ("notes.rewriteRef", "refs/notes/*", "notes.rewriteRef", "warning"),
        ("push.followTags", "true", "carry no tags all the same", "ok"),
        ("fetch.prune", "true", "pruning is set", "ok"),
    ],
)
def test_configuration_of_a_clone_that_works_against_us(
    pair: tuple[Remote, Clone], key: str, value: str, words: str, level: str
) -> None:
    _, clone = pair
    clone.git("config", "--add", key, value)
    found = about(clone, words)
    assert found["level"] == level, found
    assert level == "ok" or "git " in found["hint"]


def test_refspecs_of_ordinary_clones_are_no_trouble(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("config", "--add", "remote.origin.fetch", "+refs/pull/*/head:refs/pull/*")
    clone.git("config", "--add", "remote.origin.push", "refs/heads/*:refs/heads/*")
    clone.git("config", "--add", "remote.origin.push", "HEAD")
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("transfer.hideRefs", "refs/orch", "hides refs/orch"),
        ("receive.advertiseAtomic", "false", "does not offer all-or-nothing pushes"),
        ("receive.denyNonFastForwards", "true", "refuses rewritten branches"),
    ],
)
def test_configuration_of_a_server_that_works_against_us(
    pair: tuple[Remote, Clone], key: str, value: str, words: str
) -> None:
    remote, clone = pair
    remote.git("config", key, value)
    found = about(clone, words)
    assert found["level"] in ("problem", "warning") and found["hint"].startswith("on the server: git config"), found


def test_a_server_that_keeps_its_branches_is_no_place_for_a_namespace_of_branches(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.git("config", "receive.denyDeletes", "true")
    assert about(clone, "lets nobody delete refs")["level"] == "none", "git means branches"
    clone.git("config", "orch.namespace", "refs/heads/orch")
    assert about(clone, "lets nobody delete refs")["level"] == "problem"


@pytest.mark.unguarded
def test_where_notes_cannot_be_deleted_the_probe_leaves_one_ref_and_no_more(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    script = "while read old new ref; do case $new:$ref in 0000*:refs/notes/*) exit 1 ;; esac; done\n"
    remote.hook("pre-receive", script)
    for _ in range(2):
        assert about(clone, "lets nobody delete there")["level"] == "ok"
        assert list(remote.refs("refs/notes")) == ["refs/notes/git-orch-probe"]


def test_a_clone_without_identity_is_told(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    assert about(clone, "no identity")["level"] == "none"
    clone.git("config", "--unset", "user.email")
    assert about(clone, "no identity")["level"] == "warning"


def test_a_password_in_the_url_is_nowhere_to_be_seen(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("remote", "set-url", "origin", "http://ada:s3cr3t@127.0.0.1:1/x.git")
    run = clone.orch("doctor", "--remote-race", check=1)
    assert "s3cr3t" not in run.out + run.err


def test_in_a_repository_of_ones_own_everything_is_checked_too(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.git("config", "user.email", "ada@example.org")
    before = clone.refs()
    assert {one["level"] for one in findings(clone, "--remote-race", status=0)} == {"ok"}
    assert clone.refs() == before
    assert try_git(clone.path, "fsck").status == 0
