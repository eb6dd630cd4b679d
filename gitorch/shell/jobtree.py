"""The worktree that a job is worked on in: a private one like a gate's, but what somebody made there is never lost.

Promises: a place with unsaved work (changed or unknown files, commits that no ref keeps, a rebase under way) is never
used again and never deleted, whoever left it there and however (I8); one without is used again. Ignored files are not
work. Does not know jobs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gitorch.core.model import OID, Oid
from gitorch.core.text import printable_bytes
from gitorch.shell.checkout import NAMED, GateWorktree
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import NO_HOOKS, Git, GitError
from gitorch.shell.worktrees import Kind, Place, Worktrees, disk_faults

_UNDER_WAY = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer")


class JobTree(GateWorktree):
    """One private worktree for one job at a time, held until `release`."""

    purpose = "jobs"

    @classmethod
    def take_clean(cls, worktrees: Worktrees, kept: Callable[[Path], None]) -> JobTree:
        """Hold the first free one without unsaved work; `kept` is told of each place that was passed over because of
        such work."""

        def usable(path: Path) -> bool:
            unsaved = _Content(worktrees, path).unsaved()
            if unsaved:
                kept(path)
            return not unsaved

        return cls(worktrees, worktrees.take(Kind.WORK, usable))

    def __init__(self, worktrees: Worktrees, place: Place) -> None:
        super().__init__(worktrees, place)
        self._content = _Content(worktrees, place.path)

    def prepare(self, commit: Oid) -> None:
        """Make the files exactly those of `commit`. Raises OrchError as `checkout` does. Until it is through, what is
        there is ours alone."""
        with disk_faults(self.path):
            self._content.making.touch()
            self._content.saved.write_text(f"{commit}\n", "ascii")
        self.checkout(commit)
        self._content.making.unlink()
        crash_point("after a worktree is made for a job")

    def head(self) -> Oid | None:
        """The commit that is checked out now; None when the worktree is gone or broken."""
        return self._content.head()

    def changes(self) -> str:
        """Which files are not committed, in a few words; empty when all are."""
        return self._content.changes()

    def leave(self, saved: Oid | None) -> bool:
        """Give the worktree back; `saved` is a commit of it that is kept somewhere else. Whether nothing unsaved is
        left; a branch that was checked out is free for others then."""
        try:
            if saved is not None:
                self._content.saved.write_text(f"{saved}\n", "ascii")
            clean = not self._content.unsaved()
            if clean:
                self._content.detach()
            return clean
        finally:
            self.release()


class _Content:
    """What is in a place, whoever left it there. The place is held."""

    def __init__(self, worktrees: Worktrees, path: Path) -> None:
        self._common_dir = worktrees.common_dir
        self._path = path
        self.making = Path(f"{path}.making")
        self.saved = Path(f"{path}.saved")

    def unsaved(self) -> bool:
        """Whether there is anything that would be lost with this place."""
        if self.making.exists() or not self._path.exists():
            return False
        admin = self._admin()
        if admin is None:
            return any(entry.name != ".git" for entry in os.scandir(self._path))
        head = self.head()
        if head is None or any((admin / name).exists() for name in _UNDER_WAY) or self.changes():
            return True
        return not self._is_saved(head)

    def head(self) -> Oid | None:
        text = self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return Oid(text) if text and OID.fullmatch(text) else None

    def changes(self) -> str:
        """See JobTree. As the user's own git sees it: line ends, excluded files."""
        admin = self._admin()
        if admin is None:
            return "its worktree is gone"
        git = Git(self._path, git_dir=admin, work_tree=self._path)
        result = git.run("-c", "status.renames=false", "status", "--porcelain", "-z", "--untracked-files=normal", ok=())
        if result.status != 0:
            return "git cannot read its worktree"
        names = [printable_bytes(entry[3:]) for entry in result.out.split(b"\0") if entry]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more

    def detach(self) -> None:
        if self._admin() is not None:
            self._ask(*NO_HOOKS, "checkout", "--quiet", "--detach")

    def _is_saved(self, head: Oid) -> bool:
        """Whether something keeps a commit: it is what the worktree began with or what was submitted from it, or a ref
        of this clone, mirrored ones included, has it."""
        with suppress(OSError):
            if self.saved.read_text("ascii").strip() == head:
                return True
        return bool(self._ask("for-each-ref", "--count=1", "--contains", head, "--format=%(refname)"))

    def _ask(self, *args: str) -> str:
        admin = self._admin()
        if admin is None:
            return ""
        try:
            return Git(self._path, git_dir=admin, work_tree=self._path).run(*args).text()
        except GitError:
            return ""

    def _admin(self) -> Path | None:
        return admin_of(self._common_dir, self._path)


def admin_of(common_dir: Path, path: Path) -> Path | None:
    """Git's own directory for a private worktree; None when that is not whole."""
    try:
        admin = Path(os.fsdecode((path / ".git").read_bytes()).removesuffix("\n").removeprefix("gitdir: "))
        whole = (admin / "HEAD").is_file() and (admin / "commondir").is_file()
    except OSError:
        return None
    return admin if whole and admin.parent == common_dir / "worktrees" else None
