"""Catch-up beside what an ordinary checkout gives, and a repository's bytes before and after."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from gitorch.core.model import Candidate, Oid, TextualConflict
from gitorch.shell.catchup import GitCatchUp
from gitorch.shell.gitcmd import Git
from gitorch.shell.worktrees import Worktrees
from tests.support import Clone, Files, git, try_git

IDENTITY = {"GIT_COMMITTER_NAME": "Lander", "GIT_COMMITTER_EMAIL": "lander@example.org"}
MOMENT = "1700000000 +0000"
"""With one committer and one time, equal commits have equal ids."""

TEN = "".join(f"{n}\n" for n in range(10))
"""A file with enough lines for two changes."""

GITLINK = "160000"

DIRTY = ("You have unstaged changes", "would be overwritten by merge")


def common_dir(path: Path) -> Path:
    return Path(git(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def worktrees(path: Path) -> Worktrees:
    """The private worktrees of the repository at `path`."""
    return Worktrees(Git(path), common_dir(path))


def catcher(path: Path) -> GitCatchUp:
    """Catch-up in the repository at `path`."""
    return GitCatchUp(worktrees(path), Git(path), IDENTITY)


@dataclass(frozen=True)
class Plain:
    """What `git rebase` does in an ordinary checkout: a commit, or conflicting paths."""

    commit: str | None
    paths: frozenset[str]
    err: str


def plain_rebase(path: Path, head: str, tip: str) -> Plain:
    """An ordinary rebase, and everything as it was afterwards."""
    for attributes in ("", "* -text\n"):
        # Line endings that contradict the attributes make a checkout dirty for good: there, without conversion.
        (path / ".git/info/attributes").write_text(attributes)
        git(path, "checkout", "-q", "-f", "--detach", head)
        git(path, "clean", "-qffdx")
        run = try_git(path, "rebase", "-q", tip, head, **IDENTITY)
        if not any(complaint in run.err for complaint in DIRTY):
            break
        try_git(path, "rebase", "--abort")
    (path / ".git/info/attributes").unlink()
    if run.status == 0:
        return Plain(git(path, "rev-parse", "HEAD"), frozenset(), run.err)
    listed = try_git(path, "ls-files", "-u", "-z").out.split("\0")[:-1]
    try_git(path, "rebase", "--abort")
    return Plain(None, frozenset(entry.partition("\t")[2] for entry in listed), run.err)


def bystanders(path: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of everything below `path` that no catch-up and no gate may touch: all but objects and our own
    folder."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink():
            found[name] = (0, str(file.readlink()).encode())
        elif file.is_file() and not name.startswith((".git/objects/", ".git/orch/", ".git/worktrees/")):
            found[name] = (file.stat().st_mode, file.read_bytes())
    return found


def catch_up(repo: Clone, head: str, tip: str = "main", *, keep_merges: bool = False) -> Candidate | TextualConflict:
    oids = repo.git("rev-parse", f"{head}^{{commit}}", f"{tip}^{{commit}}").split()
    return catcher(repo.path).catch_up(Oid(oids[0]), Oid(oids[1]), keep_merges=keep_merges)


def candidate(repo: Clone, head: str, tip: str = "main", *, keep_merges: bool = False) -> Candidate:
    result = catch_up(repo, head, tip, keep_merges=keep_merges)
    assert isinstance(result, Candidate), result
    assert result.tree == repo.git("rev-parse", f"{result.commit}^{{tree}}")
    return result


def conflict(repo: Clone, head: str, tip: str = "main") -> TextualConflict:
    result = catch_up(repo, head, tip)
    assert isinstance(result, TextualConflict), result
    return result


def diverged(repo: Clone, ours: Files, theirs: Files, start: str = "main") -> tuple[str, str]:
    """A branch `topic` with `ours`, and `main` moved on with `theirs`."""
    head = repo.branch("topic", ours, "ours", start)
    return head, repo.commit(theirs, "theirs")


def private(repo: Clone) -> list[str]:
    """The private places in use so far."""
    root = common_dir(repo.path) / "orch" / "worktrees"
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.exists() else []


def commit_object(repo: Clone, parent: str, message: bytes, headers: bytes = b"", author: bytes | None = None) -> str:
    """A commit of any bytes, with the tree of its parent and one more file named by its message."""
    repo.git("read-tree", parent, GIT_INDEX_FILE="scratch")
    blob = repo.git("hash-object", "-w", "--stdin", stdin=message)
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},new", GIT_INDEX_FILE="scratch")
    tree = repo.git("write-tree", GIT_INDEX_FILE="scratch")
    (repo.path / "scratch").unlink()
    who = author or b"\xc3\x84nne <a@example.org> 1500000000 -0730"
    data = b"tree %s\nparent %s\nauthor %s\ncommitter C <c@example.org> 1500000001 +0100\n%s\n%s" % (
        tree.encode(),
        repo.git("rev-parse", parent).encode(),
        who,
        headers,
        message,
    )
    return repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=data)


def raw_commit(repo: Clone, commit: str) -> tuple[dict[bytes, bytes], bytes]:
    """Headers and message of a commit, as they are."""
    data = subprocess.run(["git", "cat-file", "commit", commit], cwd=repo.path, capture_output=True, check=True).stdout
    head, _, message = data.partition(b"\n\n")
    return {line.partition(b" ")[0]: line.partition(b" ")[2] for line in head.split(b"\n")}, message


def index_only(repo: Clone, branch: str, start: str, *entries: str) -> str:
    """A commit on a new branch made of index entries (`mode,oid,path`), for what no file system holds."""
    repo.git("read-tree", start, GIT_INDEX_FILE="scratch")
    for entry in entries:
        repo.git("update-index", "--add", "--replace", "--cacheinfo", entry, GIT_INDEX_FILE="scratch")
    tree = repo.git("write-tree", GIT_INDEX_FILE="scratch")
    (repo.path / "scratch").unlink()
    commit = repo.git("commit-tree", "-p", start, "-m", branch, tree)
    repo.git("update-ref", f"refs/heads/{branch}", commit)
    return commit
