"""A failure here means that a gate tests something else than its candidate's tree, or that a change it made goes
unseen."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.core.gates import GateEnd
from gitorch.core.model import Oid
from gitorch.shell.checkout import GateWorktree
from gitorch.shell.runner import ShellGateRunner
from gitorch.shell.system import RealClock
from tests.git.gate_files import FILES, LITTER, assert_exactly, everything, oid, run
from tests.git.lander import request
from tests.git.rebases import (
    worktrees,
)
from tests.support import Clone, eventually, git, make_alone


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, FILES)


@pytest.fixture
def gate(repo: Clone) -> Iterator[GateWorktree]:
    gate = GateWorktree.take(worktrees(repo.path))
    yield gate
    gate.release()


# What a gate gets


def test_a_gate_gets_exactly_the_files_of_the_commit(repo: Clone, gate: GateWorktree) -> None:
    (repo.path / "link").symlink_to("folder/inner")
    for commit in (oid(repo), Oid(repo.commit({"new/deep/file": "x\n", "file": None}, "second")), oid(repo, "main~1")):
        gate.checkout(commit)
        assert_exactly(gate, repo, commit)
    assert os.access(gate.path / "tool", os.X_OK)


def test_files_that_do_not_change_are_not_written_again(repo: Clone, gate: GateWorktree) -> None:
    gate.checkout(oid(repo))
    before = (gate.path / "folder/inner").stat()
    gate.checkout(Oid(repo.commit({"file": "other\n"}, "second")))
    after = (gate.path / "folder/inner").stat()
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)
    assert (gate.path / "file").read_text() == "other\n"


def test_files_are_converted_and_filtered_as_in_any_checkout(repo: Clone, gate: GateWorktree) -> None:
    repo.git("config", "filter.shout.smudge", "tr a-z A-Z")
    repo.git("config", "filter.shout.clean", "tr A-Z a-z")
    repo.commit({".gitattributes": "file filter=shout\nfolder/* text eol=crlf\n"}, "attributes")
    gate.checkout(oid(repo))
    assert (gate.path / "file").read_text() == "CONTENT\n"
    assert (gate.path / "folder/inner").read_bytes() == b"inner\r\n"
    assert_exactly(gate, repo, oid(repo))


def test_nothing_of_an_earlier_gate_is_left(repo: Clone, gate: GateWorktree) -> None:
    gate.checkout(oid(repo))
    run(gate, LITTER)
    gate.checkout(oid(repo))
    assert_exactly(gate, repo, oid(repo))


def test_ignored_files_stay_where_that_is_wanted(repo: Clone) -> None:
    gate = GateWorktree.take(worktrees(repo.path), keep_ignored=True)
    gate.checkout(oid(repo))
    run(gate, LITTER)
    gate.checkout(oid(repo))
    kept = {"x.o", "build/", "build/deep/", "build/deep/y", "readonly/", "readonly/g.o"}
    assert everything(gate.path) == {*FILES, "folder/", *kept}
    assert gate.inspect(oid(repo)) == ""
    gate.release()


@pytest.mark.parametrize(
    "left",
    [
        "git merge topic",
        "git rebase topic",
        "git cherry-pick topic",
        "git bisect start; git bisect bad; git bisect good HEAD",
        "git switch -c gates-own; touch .git/x",
        "git sparse-checkout set folder",
        "git update-index --skip-worktree file; rm file",
        "git rm -q -r --cached .",
        "git -c core.splitIndex=true update-index --split-index",
        "touch $(git rev-parse --git-dir)/index.lock $(git rev-parse --git-dir)/HEAD.lock",
        "rm $(git rev-parse --git-dir)/index",
        "printf garbage > $(git rev-parse --git-dir)/index",
        "printf garbage > $(git rev-parse --git-dir)/HEAD",
        "rm $(git rev-parse --git-dir)/orch-index",
        "chmod 0 folder; chmod a-w .",
        "rm -rf file; mkdir file; git init -q file",
        "rm .git",
        "rm .git; git init -q",
        "git worktree remove --force --force .",
        "cd ..; rm -rf gate-1",
        "cd ..; rm -rf gate-1; touch gate-1",
        "cd ..; rm -rf gate-1; ln -s ../../../folder gate-1",
        "cd ..; rm -rf gate-1/* gate-1/.git; mkdir gate-1/half",
        "rm -rf $(git rev-parse --git-dir)",
        "rm $(git rev-parse --git-dir)/commondir",
        "rm $(git rev-parse --git-dir)/gitdir",
        "echo /elsewhere/.git > $(git rev-parse --git-dir)/gitdir",
        "echo gitdir: /elsewhere > .git",
    ],
)
def test_whatever_a_gate_leaves_the_next_one_gets_exactly_its_commit(repo: Clone, left: str) -> None:
    head = repo.branch("topic", {"file": "topic\n"}, "topic")
    repo.commit({"file": "main\n"}, "main")
    gate = GateWorktree.take(worktrees(repo.path))
    gate.checkout(oid(repo))
    subprocess.run(["sh", "-c", left], cwd=gate.path, check=False, capture_output=True)
    gate.release()
    again = GateWorktree.take(worktrees(repo.path))
    assert again.path == gate.path
    for commit in (oid(repo), Oid(head)):
        again.checkout(commit)
        assert_exactly(again, repo, commit)
    assert repo.files("main") == {**FILES, "file": "main\n"}
    listed = repo.git("worktree", "list", "--porcelain").splitlines()
    assert [line for line in listed if line.startswith("worktree ")][1:] == [f"worktree {gate.path}"]
    assert sorted(path.name for path in repo.path.iterdir()) == sorted([".git", ".gitignore", "file", "folder", "tool"])
    again.release()


def test_submodules_stay_empty_and_those_that_a_gate_filled_are_emptied(
    repo: Clone, gate: GateWorktree, tmp_path: Path
) -> None:
    other = make_alone(tmp_path, {"inside": "x\n"}, name="other")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.path), "sub")
    repo.git("config", "submodule.recurse", "true")
    first = Oid(repo.commit({}, "submodule"))
    moved = other.commit({"inside": "y\n"}, "moved")
    repo.git("update-index", "--cacheinfo", f"160000,{moved},sub")
    repo.git("commit", "-q", "-m", "moved")
    fill = "git -c protocol.file.allow=always submodule --quiet update --init; test -e sub/inside"
    for commit in (first, oid(repo), first):
        gate.checkout(commit)
        assert_exactly(gate, repo, commit)
        run(gate, f"{fill}; touch sub/build; git submodule --quiet status")
        assert gate.inspect(commit) == ""
    run(gate, "echo changed > sub/inside")
    assert gate.inspect(first) == "the gate changed tracked files: sub"
    gate.checkout(oid(repo, "main~2"))
    assert_exactly(gate, repo, oid(repo, "main~2"))


# What a gate did

CLEAN = {
    "nothing": "true",
    "build products": LITTER.partition("rm -r folder")[0],
    "touched": "touch file folder/inner",
    "same content again": "cp file x; cat x > file; mv x file",
    "a look": "git status; git diff; git log",
    "refreshed index": "touch file; git update-index --refresh",
    "bits alone": "git update-index --assume-unchanged file; git update-index --skip-worktree tool",
    "stashed and back": "echo x > file; git stash -q; git stash pop -q; git checkout -q file",
    "own commit and back": "git commit -q --allow-empty -m x; git reset -q --hard HEAD~1",
}


@pytest.mark.parametrize("script", CLEAN.values(), ids=CLEAN.keys())
def test_a_gate_that_leaves_tracked_files_as_they_were_is_clean(repo: Clone, gate: GateWorktree, script: str) -> None:
    gate.checkout(oid(repo))
    run(gate, script)
    assert gate.inspect(oid(repo)) == ""


RED = {
    "modified": ("echo x >> file", "the gate changed tracked files: file"),
    "deleted": ("rm file", "the gate changed tracked files: file"),
    "mode": ("chmod -x tool; chmod +x file", "the gate changed tracked files: file, tool"),
    "type": ("rm file; ln -s tool file", "the gate changed tracked files: file"),
    "folder in the way": ("rm file; mkdir file; touch file/x", "the gate changed tracked files: file"),
    "renamed": ("git mv file other", "the gate changed tracked files: file"),
    "assumed unchanged": (
        "git update-index --assume-unchanged file; echo x >> file",
        "the gate changed tracked files: file",
    ),
    "skipped": ("git update-index --skip-worktree file; rm file", "the gate changed tracked files: file"),
    "same size and time": (
        "cp -p file x; printf 'CONTENT\\n' > file; touch -r x file; rm x",
        "the gate changed tracked files: file",
    ),
    "hidden by an index of its own": ("echo x >> file; git add file", "the gate changed tracked files: file"),
    "staged": ("touch new; git add new", "the gate changed the index: new"),
    "unstaged": ("git rm -q --cached file", "the gate changed the index: file"),
    "index gone": (
        'rm "$(git rev-parse --git-dir)/index"',
        "the gate changed the index: .gitignore, file, folder/inner, tool",
    ),
    "index broken": (
        'echo garbage > "$(git rev-parse --git-dir)/index"',
        "the gate left an index that git cannot read",
    ),
    "on a branch": ("git switch -q -c other", "the gate put HEAD on the branch other"),
    "no .git": ("rm .git", "the gate removed or replaced .git in its worktree"),
    "another .git": ("rm .git; git init -q", "the gate removed or replaced .git in its worktree"),
    "many": (
        "for n in 1 2 3 4 5 6 7 8; do echo x > many/$n; done",
        "the gate changed tracked files: many/1, many/2, many/3, many/4, many/5 and 3 more",
    ),
    "odd names": (
        "echo x > \"$(printf 'many/\\033[2J\\n\\377')\"",
        "the gate changed tracked files: many/\\x1b[2J\\x0a\\xff",
    ),
    "sparse": (
        "git sparse-checkout set --no-cone /file /.gitignore /tool /many",
        "the gate changed tracked files: folder/inner",
    ),
}


@pytest.mark.parametrize(("script", "reason"), RED.values(), ids=RED.keys())
def test_a_gate_that_changed_what_it_tested_is_told_so(
    repo: Clone, gate: GateWorktree, script: str, reason: str
) -> None:
    if "many" in script:
        repo.commit({**{f"many/{n}": "y\n" for n in range(1, 9)}, "many/\033[2J\n\udcff": "y\n"}, "many")
    gate.checkout(oid(repo))
    run(gate, script)
    assert gate.inspect(oid(repo)) == reason
    gate.checkout(oid(repo))
    assert_exactly(gate, repo, oid(repo))


def test_a_gate_that_commits_is_told_where_head_is(repo: Clone, gate: GateWorktree) -> None:
    gate.checkout(oid(repo))
    run(gate, "echo x > file; git commit -q -a -m x")
    assert gate.inspect(oid(repo)) == f"the gate moved HEAD to {git(gate.path, 'rev-parse', 'HEAD')[:12]}"


def test_changes_in_the_second_of_the_checkout_are_seen_every_time(repo: Clone, gate: GateWorktree) -> None:
    for number in range(20):
        gate.checkout(oid(repo))
        assert gate.inspect(oid(repo)) == ""
        (gate.path / "file").write_text(f"{number:07}\n")
        assert gate.inspect(oid(repo)) == "the gate changed tracked files: file"


def test_a_change_in_the_second_of_the_checkout_is_gone_in_the_next_one(repo: Clone, gate: GateWorktree) -> None:
    """Such a file looks unchanged by its size and its time in seconds."""
    gate.checkout(oid(repo))
    (gate.path / "file").write_text("CONTENT\n")
    written = int(time.time())
    eventually(lambda: time.time() >= written + 1, "the next second")
    gate.checkout(oid(repo))
    assert_exactly(gate, repo, oid(repo))


def test_the_runner_of_gates_works_in_these_worktrees(repo: Clone) -> None:
    runner = ShellGateRunner(
        lambda gate: GateWorktree.take(worktrees(repo.path)), repo.path / ".git", RealClock(), grace_s=0.5
    )
    green = runner.run(request(oid(repo), ["test -x tool", "touch new"]), lambda seconds: True)
    red = runner.run(request(oid(repo), ["test ! -e new", "echo x > file"]), lambda seconds: True)
    assert (green.end, green.reason) == (GateEnd.GREEN, "")
    assert (red.end, red.reason) == (GateEnd.RED, "the gate changed tracked files: file")
