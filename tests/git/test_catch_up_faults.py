"""A failure here means that a fault was taken for a conflict, or that a crash, damage or an odd repository needs a
person."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.core.model import Oid
from tests.git.disks import run_on_small_disk
from tests.git.killing import group_of, kill_everywhere
from tests.git.rebases import (
    MOMENT,
    TEN,
    bystanders,
    candidate,
    catch_up,
    catcher,
    diverged,
    plain_rebase,
    private,
    raw_commit,
)
from tests.support import Clone, eventually, git, make_alone, make_remote, try_git


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GIT_COMMITTER_DATE", MOMENT)
    yield


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, {"README": TEN, "a/file": TEN, "b/file": TEN})


# Faults that are no conflicts


def test_a_commit_that_cannot_be_signed_is_a_fault_that_says_so(repo: Clone) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"b/file": "theirs\n"})
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "gpg.program", "false")
    with pytest.raises(OrchError, match="could not be signed") as caught:
        catch_up(repo, "topic")
    assert "git config" in caught.value.hint
    repo.git("config", "commit.gpgSign", "false")
    candidate(repo, "topic")


def test_rebased_commits_are_signed_where_the_user_signs(repo: Clone, tmp_path: Path) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"b/file": "theirs\n"})
    signer = tmp_path / "signer"
    signer.write_text("#!/bin/sh\ncat >/dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo signature\n")
    signer.chmod(0o755)
    repo.git("config", "gpg.program", str(signer))
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "log.showSignature", "true")
    assert b"gpgsig" in raw_commit(repo, candidate(repo, "topic").commit)[0]


def test_a_shallow_clone_without_the_shared_history_is_told_to_fetch_it(tmp_path: Path) -> None:
    remote = make_remote(tmp_path)
    writer = remote.clone("writer")
    for number in range(4):
        writer.commit({"file": f"{number}\n"}, "main")
    writer.branch("topic", {"topic": "x"}, "topic", "main~3")
    writer.push("main", "topic")
    shallow = remote.clone("shallow", "--depth=2", "--no-single-branch", "--no-local")
    with pytest.raises(OrchError, match="shallow") as caught:
        catch_up(shallow, "origin/topic", "origin/main")
    assert caught.value.hint == "git fetch --unshallow"
    shallow.git("fetch", "-q", "--unshallow")
    candidate(shallow, "origin/topic", "origin/main")


def test_a_shallow_clone_with_the_shared_history_catches_up(tmp_path: Path) -> None:
    remote = make_remote(tmp_path)
    writer = remote.clone("writer")
    for number in range(4):
        writer.commit({"file": f"{number}\n"}, "main")
    writer.push("main")
    shallow = remote.clone("shallow", "--depth=2", "--no-local")
    diverged(shallow, {"ours": "x"}, {"theirs": "x"}, "main~1")
    result = candidate(shallow, "topic")
    assert result.commit == plain_rebase(shallow.path, str(shallow.tip("topic")), result.base).commit


def test_histories_without_a_common_commit_are_rebased_as_git_does(repo: Clone) -> None:
    tree = repo.git("rev-parse", "main:a")
    head = repo.git("commit-tree", "-m", "unrelated", tree)
    result = candidate(repo, head)
    assert result.commit == plain_rebase(repo.path, head, result.base).commit


def missing(repo: Clone, name: str) -> Path:
    oid = repo.git("rev-parse", name)
    path = repo.path / ".git/objects" / oid[:2] / oid[2:]
    assert path.exists()
    return path


@pytest.mark.parametrize("name", ["topic", "topic^{tree}", "topic:a", "topic:a/file"])
def test_missing_objects_are_a_fault_that_says_so(repo: Clone, name: str) -> None:
    diverged(repo, {"a/file": "ours\n" + TEN}, {"a/file": TEN + "theirs\n"})
    head, tip = repo.git("rev-parse", "topic", "main").split()
    path = missing(repo, name)
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(OrchError, match="missing here"):
        catcher(repo.path).catch_up(Oid(head), Oid(tip), keep_merges=False)
    path.write_bytes(data)
    candidate(repo, "topic")


def test_a_partial_clone_fetches_what_it_needs_and_says_so_when_it_cannot(tmp_path: Path) -> None:
    remote = make_remote(tmp_path, {"a/file": TEN, "b/file": TEN})
    remote.git("config", "uploadpack.allowFilter", "true")
    remote.git("config", "uploadpack.allowAnySHA1InWant", "true")
    writer = remote.clone("writer")
    diverged(writer, {"a/file": "ours\n" + TEN}, {"a/file": TEN + "theirs\n"})
    writer.push("main", "topic")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--bare", "--filter=tree:0", f"file://{remote.path}", str(partial))
    here = Clone(partial)
    moved = remote.path.rename(tmp_path / "away")
    with pytest.raises(OrchError, match="missing here"):
        catch_up(here, "topic")
    moved.rename(remote.path)
    assert candidate(here, "topic").commit == candidate(writer, "topic").commit


FULL = """
import shutil, subprocess, sys
from pathlib import Path
from gitorch.core.model import Oid
from gitorch.shell.worktrees import DiskFullError
from tests.git.disks import FILL
from tests.git.rebases import catcher
source, small, head, tip = sys.argv[1:]
repo = shutil.copytree(source, small + "/repo", symlinks=True)
subprocess.run([*FILL, small + "/ballast"], check=True)
try:
    print(catcher(Path(repo)).catch_up(Oid(head), Oid(tip), keep_merges=False))
except DiskFullError as error:
    print("full:", error.message, error.hint)
Path(small, "ballast").unlink()
print(catcher(Path(repo)).catch_up(Oid(head), Oid(tip), keep_merges=False))
"""


def test_a_full_disk_is_said_to_be_full_and_nothing_stays_broken(repo: Clone, tmp_path: Path) -> None:
    head, tip = diverged(repo, {"a/file": "ours\n" + TEN}, {"a/file": TEN + "theirs\n"})
    wanted = candidate(repo, "topic")
    # The place is there already: it is git, not we, who finds no room.
    run = run_on_small_disk(tmp_path / "small", 8_000, FULL, str(repo.path), str(tmp_path / "small"), head, tip)
    said = [*run.out.splitlines(), "", ""]
    assert said[0].startswith("full: the disk is full"), run.said()
    assert said[1] == str(wanted)


# Crashes

DRIVER = """
import sys
from pathlib import Path
from gitorch.core.model import Oid
from tests.git.rebases import catcher
path, tip, head = sys.argv[1:]
catcher(Path(path)).catch_up(Oid(head), Oid(tip), keep_merges=False)
"""


@pytest.mark.parametrize("kept", [False, True], ids=["in a new clone", "in one that has caught up before"])
def test_killed_at_any_step_the_next_catch_up_heals_everything(repo: Clone, kept: bool) -> None:
    repo.commit({"a/.gitattributes": "*.u merge=union\n"}, "attributes")
    bad = repo.branch("bad", {"a/file": "ours\n"}, "bad")
    good = repo.branch("good", {"a/b/.gitattributes": "*.u merge=union\n", "new": "x"}, "good")
    repo.commit({"a/file": "theirs\n"}, "theirs")
    wanted = candidate(repo, good)
    before = bystanders(repo.path)
    steps = 0
    for step in kill_everywhere(lambda: [catch_up(repo, good), catch_up(repo, bad)]):
        steps = step
        assert candidate(repo, good) == wanted
        if not kept:
            shutil.rmtree(repo.path / ".git/orch")
    assert steps >= 20
    assert bystanders(repo.path) == before


def test_killed_in_the_middle_of_a_rebase_the_next_catch_up_succeeds(repo: Clone) -> None:
    repo.git("switch", "-q", "-c", "topic")
    for number in range(60):
        repo.commit({f"a/{number}": "x", "README": TEN + f"{number}\n"}, f"commit {number}")
    repo.git("switch", "-q", "main")
    repo.commit({"README": "theirs\n" + TEN}, "theirs")
    head = str(repo.tip("topic"))
    git_dir = repo.path / ".git/orch/worktrees/catchup-1/git"
    for progress in ("rebase-merge/msgnum", "rebase-merge/done"):
        with group_of(sys.executable, "-c", DRIVER, str(repo.path), str(repo.tip()), head):
            eventually((git_dir / progress).exists, "the rebase began")
    result = candidate(repo, "topic")
    assert result.commit == plain_rebase(repo.path, head, result.base).commit


@pytest.mark.parametrize(
    "damage",
    [
        "rm -rf .",
        "rm -rf git",
        "rm -rf files",
        "rm git/index",
        "printf garbage > git/index",
        "printf garbage > git/HEAD",
        "printf garbage > git/config",
        "echo 1234567890123456789012345678901234567890 > git/HEAD",
        "touch git/index.lock",
        "touch git/HEAD.lock",
        "mkdir git/rebase-merge",
        "printf garbage > folders",
        'echo \'{"known": ["1234567890123456789012345678901234567890"], "folders": ["a"]}\' > folders',
        "rm folders",
        "rm ready",
        "echo x > files/README",
        "mkdir files/theirs; touch files/theirs/x",
        "cd ..; rm -r catchup-1; touch catchup-1",
        "chmod -R a-w files",
    ],
)
def test_a_damaged_private_repository_is_made_anew(repo: Clone, damage: str) -> None:
    repo.branch("again", {"again": "x"}, "again")
    diverged(repo, {"README": TEN + "ours\n"}, {"README": "theirs\n" + TEN, "theirs": "x"})
    wanted = candidate(repo, "topic")
    candidate(repo, "again")
    place = repo.path / ".git/orch/worktrees/catchup-1"
    subprocess.run(["sh", "-c", damage], cwd=place, check=False, capture_output=True)
    assert candidate(repo, "topic") == wanted


def test_what_garbage_collection_took_away_is_not_missed(repo: Clone) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"b/file": "theirs\n"})
    wanted = candidate(repo, "topic")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert try_git(repo.path, "cat-file", "-e", wanted.commit).status != 0
    repo.commit({"b/more": "x"}, "more")
    assert candidate(repo, "topic").commit == plain_rebase(repo.path, str(repo.tip("topic")), str(repo.tip())).commit


# Other repositories


@pytest.mark.parametrize(
    "name", ["with spaces", 'it\'s "quoted"', "back\\slash", "new\nline", "ümläut", "-dash", "#x;"]
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    repo = make_alone(tmp_path, {"a": "x\n"}, name=f"{name}/repo")
    repo.git("config", "merge.mine.driver", "echo driven > %A")
    repo.commit({".gitattributes": "a merge=mine\n"}, "attributes")
    diverged(repo, {"a": "ours\n"}, {"a": "theirs\n"})
    assert repo.files(candidate(repo, "topic").commit)["a"] == "driven\n"


def test_a_sha256_repository_catches_up(tmp_path: Path) -> None:
    path = tmp_path / "sha256"
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", str(path))
    repo = Clone(path)
    repo.commit({"a/.gitattributes": "*.u merge=union\n", "a/list.u": "first\n"}, "first")
    diverged(repo, {"a/list.u": "first\nours\n"}, {"a/list.u": "first\ntheirs\n"})
    assert repo.files(candidate(repo, "topic").commit)["a/list.u"] == "first\ntheirs\nours\n"


def test_bare_repositories_borrowed_objects_and_linked_worktrees_catch_up(repo: Clone, tmp_path: Path) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"b/file": "theirs\n"})
    wanted = candidate(repo, "topic")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    git(tmp_path, "clone", "-q", "--bare", "--shared", str(repo.path), "bare.git")
    for path in (tmp_path / "linked", tmp_path / "linked/a", tmp_path / "bare.git", repo.path / "b"):
        assert candidate(Clone(path), "topic") == wanted
    assert private(repo) == ["catchup-1"]


def test_replaced_objects_of_this_clone_do_not_count(repo: Clone) -> None:
    head, tip = diverged(repo, {"a/file": "ours\n"}, {"b/file": "theirs\n"})
    wanted = candidate(repo, "topic")
    repo.git("replace", tip, head)
    assert catcher(repo.path).catch_up(Oid(head), Oid(tip), keep_merges=False) == wanted
