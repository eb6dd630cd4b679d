"""What users have checked out, for a repository that is its own remote: there a landing moves a checkout along with
its branch, and git would do so under somebody's rebase, and over files that it ignores.

With a real remote nothing here applies: a push moves no checkout.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gitorch.core.errors import RefusedError
from gitorch.core.model import Oid
from gitorch.core.names import BRANCHES
from gitorch.core.text import escape
from gitorch.shell.gitcmd import Git

NAMED = 5
"""How many of the files that are in the way a message names."""

_REBASED = ("rebase-merge/head-name", "rebase-apply/head-name")
_BISECTED = "BISECT_START"


class NoCheckouts:
    """Implements ports.Checkouts for a real remote."""

    def obstacle(self, target: str) -> RefusedError | None:
        """See ports.Checkouts."""
        del target
        return None

    def in_the_way(self, target: str, base: Oid, candidate: Oid) -> RefusedError | None:
        """See ports.Checkouts."""
        del target, base, candidate
        return None

    def may_move(self, branch: str) -> bool:
        """See ports.Checkouts."""
        del branch
        return True


class OwnCheckouts:
    """Implements ports.Checkouts for a repository without a remote."""

    def __init__(self, git: Git, common_dir: Path) -> None:
        self._git = git
        self._common_dir = common_dir

    def obstacle(self, target: str) -> RefusedError | None:
        """See ports.Checkouts."""
        if self._being_edited(target):
            return RefusedError(
                f"{target} is being rebased or bisected in a worktree, which a landing would disturb",
                hint="finish that first (`git status` there says how), then try again",
            )
        for path in self._paths(target):
            if not path.is_dir():
                return RefusedError(
                    f"{target} is checked out at {escape(str(path))}, which is gone",
                    hint="git worktree prune (or git worktree repair PATH, if it was moved)",
                )
            if Git(path).run("status", "--porcelain", "-z", "--untracked-files=no", ok=()).out:
                return RefusedError(
                    f"{target} is checked out at {escape(str(path))} with uncommitted changes, "
                    "which a landing would overwrite",
                    hint="commit or stash them (`git stash`), then try again",
                )
        return None

    def in_the_way(self, target: str, base: Oid, candidate: Oid) -> RefusedError | None:
        """See ports.Checkouts. Git itself refuses to overwrite an untracked file, but not an ignored one."""
        roots = self._paths(target)
        if not roots:
            return None
        added, removed = self._changes(base, candidate)
        for root in roots:
            names = [name for name in added if _occupied(root, name, removed)]
            if names:
                shown = ", ".join(map(escape, names[:NAMED]))
                more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
                return RefusedError(
                    f"untracked files are in the way of this landing in {escape(str(root))}: {shown}{more}",
                    hint="move them elsewhere (`git status --ignored` shows them), then try again",
                )
        return None

    def may_move(self, branch: str) -> bool:
        """See ports.Checkouts."""
        return not self._paths(branch) and not self._being_edited(branch)

    def _paths(self, branch: str) -> list[Path]:
        """The worktrees that have a branch checked out, also one whose directory is gone."""
        out = self._git.run("worktree", "list", "--porcelain", "-z").out.decode("utf-8", "surrogateescape")
        found = []
        for entry in out.split("\x00\x00"):
            lines = entry.split("\x00")
            if f"branch {BRANCHES}{branch}" in lines and lines[0].startswith("worktree "):
                found.append(Path(lines[0].removeprefix("worktree ")))
        return found

    def _being_edited(self, branch: str) -> bool:
        """Whether a rebase or bisection of the branch is under way somewhere: its worktree has a detached HEAD then,
        and git takes it for a checkout of the branch all the same."""
        for admin in (self._common_dir, *_folders(self._common_dir / "worktrees")):
            if any(_line(admin / name) == BRANCHES + branch for name in _REBASED):
                return True
            if _line(admin / _BISECTED) == branch:
                return True
        return False

    def _changes(self, base: Oid, candidate: Oid) -> tuple[list[str], set[str]]:
        """The paths that a landing adds, and those that it removes."""
        options = ("-r", "-z", "--no-renames", "--name-status")
        fields = self._git.run("diff-tree", *options, base, candidate).out.split(b"\x00")[:-1]
        pairs = [(kind, os.fsdecode(name)) for kind, name in zip(fields[::2], fields[1::2], strict=True)]
        return [name for kind, name in pairs if kind == b"A"], {name for kind, name in pairs if kind == b"D"}


def _occupied(root: Path, name: str, removed: set[str]) -> bool:
    """Whether something that git does not track stands where a new file would be written."""
    for parent in reversed(PurePosixPath(name).parents[:-1]):
        place = root / parent
        if place.is_symlink() or place.is_file():
            return str(parent) not in removed
    place = root / name
    if place.is_dir() and not place.is_symlink():
        return bool(Git(root).run("ls-files", "--others", "-z", "--", f":(literal){name}", ok=()).out)
    return os.path.lexists(place)


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from parent.iterdir()


def _line(path: Path) -> str | None:
    try:
        return os.fsdecode(path.read_bytes()).strip()
    except OSError:
        return None
