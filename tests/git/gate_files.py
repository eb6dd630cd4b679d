"""What a gate finds in its worktree, and what it does there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gitorch.core.model import Oid
from gitorch.shell.checkout import GateWorktree
from tests.support import Clone, git

FILES = {"file": "content\n", "folder/inner": "inner\n", "tool": "#!/bin/sh\n", ".gitignore": "*.o\nbuild/\n"}


LITTER = """
mkdir -p build/deep empty/dir new
touch x.o build/deep/y untracked new/z
git init -q nested && git -C nested -c user.name=x -c user.email=x@x commit -q --allow-empty -m x
mkdir readonly && touch readonly/f readonly/g.o && chmod a-w readonly
rm -r folder && mkdir -p file2 && touch folder
"""
"""Everything that a gate may leave behind."""


def oid(repo: Clone, rev: str = "main") -> Oid:
    return Oid(repo.git("rev-parse", rev))


def run(gate: GateWorktree, script: str) -> None:
    """What a gate would do."""
    subprocess.run(["sh", "-ec", script], cwd=gate.path, check=True, capture_output=True)


def everything(path: Path) -> set[str]:
    """Everything below a worktree, folders and ignored files too."""
    found = {entry.relative_to(path).as_posix() + "/" * entry.is_dir() for entry in path.rglob("*")}
    return {name for name in found if name != ".git" and not name.startswith(".git/")}


def assert_exactly(gate: GateWorktree, repo: Clone, commit: str) -> None:
    """The files are those of the commit, no more and no less, and git agrees."""
    names = repo.git("ls-tree", "-r", "-t", "-z", commit).split("\0")[:-1]
    wanted = {entry.partition("\t")[2] + "/" * (entry.split()[1] != "blob") for entry in names}
    assert everything(gate.path) == wanted
    scratch = f"{gate.path}.scratch"
    git(gate.path, "read-tree", commit, GIT_INDEX_FILE=scratch)
    git(gate.path, "add", "--all", "--force", GIT_INDEX_FILE=scratch)
    tree = git(gate.path, "write-tree", GIT_INDEX_FILE=scratch)
    Path(scratch).unlink()
    assert tree == repo.git("rev-parse", f"{commit}^{{tree}}")
    status = git(gate.path, "status", "--porcelain=v2", "--branch", "--ignored").splitlines()
    assert status == [f"# branch.oid {commit}", "# branch.head (detached)"]
    # Merges and the like under way, sparse checkouts: git would tell.
    assert git(gate.path, "status").splitlines()[1:] == ["nothing to commit, working tree clean"]
    assert gate.inspect(Oid(commit)) == ""
