"""The worktree a gate runs in: a linked worktree of the user's repository with exactly the files of one commit.

Promises: after `checkout` nothing of an earlier gate is left (no untracked or ignored file, no empty folder, no half
done merge); `inspect` sees every tracked file that a gate changed, whatever it did to the index to hide it. A worktree
that is half made, deleted, copied along with its repository or broken is made anew. The user's hooks do not run.
Submodules are not filled; those that a gate filled are emptied. Does not promise anything against a gate that wants to
deceive, and does not see a change of mode where `core.fileMode` is off.

The worktree is a real one, so that gates can ask git about history, and locked, so that `git worktree prune` in a
container where the repository has another path does not take it away.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from gitorch.core.model import Oid
from gitorch.core.text import escape
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import Git, GitError, GitResult
from gitorch.shell.system import RealClock, RealRandom
from gitorch.shell.worktrees import KEPT_FOR, Kind, Place, Worktrees, delete_tree, disk_faults, require_space

ADD_ATTEMPTS = 20
ADD_PAUSE_S = (0.02, 0.2)
"""Somebody else's git may hold a lock file that `git worktree add` needs; it is gone in a moment."""

NAMED = 5
"""How many of the changed files a reason names."""

_CONFIG = (
    "core.hooksPath=/dev/null",
    # Stat information that can be trusted, an index that is whole in one file.
    "core.ignoreStat=false",
    "core.trustCtime=true",
    "core.checkStat=default",
    "core.splitIndex=false",
    "core.untrackedCache=false",
    # A verdict belongs to a tree and is shared: what one person likes at the ends of lines must not decide it.
    "core.autocrlf=false",
    "core.eol=native",
    "submodule.recurse=false",
    "status.renames=false",
    "worktree.useRelativePaths=false",
)

# What an interrupted or a half done git command leaves in a worktree's own git directory.
_LEFTOVERS = (
    "MERGE_HEAD",
    "MERGE_MODE",
    "MERGE_MSG",
    "MERGE_RR",
    "AUTO_MERGE",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "SQUASH_MSG",
    "BISECT_LOG",
    "BISECT_START",
    "BISECT_NAMES",
    "BISECT_TERMS",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    # Copied along by `git worktree add` from a sparse checkout of the user's.
    "config.worktree",
    "info",
)


class GateWorktree:
    """One private worktree for one gate at a time, held until `release`."""

    purpose = "gates"

    def __init__(self, worktrees: Worktrees, place: Place, *, keep_ignored: bool = False) -> None:
        self._worktrees = worktrees
        self._place = place
        self._keep_ignored = keep_ignored
        self._index_as_written: tuple[int, ...] | None = None

    @classmethod
    def take(cls, worktrees: Worktrees, *, keep_ignored: bool = False) -> GateWorktree:
        """Hold the first free one. With `keep_ignored`, ignored files (caches, build products) of earlier gates
        stay."""
        return cls(worktrees, worktrees.take(Kind.GATE), keep_ignored=keep_ignored)

    @property
    def path(self) -> Path:
        """Where the files are. The process group of a gate that runs there belongs in `<path>.pgid`."""
        return self._place.path

    def checkout(self, commit: Oid) -> None:
        """Make the files exactly those of `commit`, whatever was there. Raises OrchError: disk full, objects
        missing, a filter that fails."""
        with disk_faults(self.path):
            admin = self._admin()
            if admin is not None:
                try:
                    return self._switch(admin, commit)
                except GitError as error:
                    require_space(error.result.err, self.path)
            return self._switch(self._make(commit), commit)

    def inspect(self, commit: Oid) -> str:
        """Why this is no longer `commit` as it was checked out, in one sentence; empty when it is."""
        admin = self._admin()
        if admin is None:
            return "the gate removed or replaced .git in its worktree"
        options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=no", "--ignore-submodules=untracked")
        # The index as we wrote it: the gate's may say "assume unchanged" or "skip".
        status = self._git(admin, "status", *options, env={"GIT_INDEX_FILE": str(_kept(admin))})
        moved, changed = _read_status(status, commit)
        if moved:
            return moved
        if changed:
            return f"the gate changed tracked files: {_some(changed)}"
        return self._index_changed(admin, commit)

    def release(self) -> None:
        """Give the worktree back."""
        self._place.release()

    def _switch(self, admin: Path, commit: Oid) -> None:
        _forget(admin)
        self._restore_index(admin)
        self._git(admin, "checkout", "--quiet", "--force", "--detach", commit)
        # Always: it takes a fifth of what looking for a reason not to would take, and only it sees empty folders.
        self._git(admin, "clean", "-ffdq" if self._keep_ignored else "-ffdxq")
        self._empty_submodules(admin)
        self._keep_index(admin)

    def _admin(self) -> Path | None:
        """Git's own directory for this worktree, if it is ours and both ends of the link agree."""
        try:
            admin = Path(_line(self.path / ".git").removeprefix("gitdir: "))
            back = _line(admin / "gitdir")
            whole = (admin / "HEAD").is_file() and (admin / "commondir").is_file()
        except OSError:
            return None
        ours = admin.parent == self._worktrees.common_dir / "worktrees"
        return admin if ours and whole and back == str(self.path / ".git") else None

    def _make(self, commit: Oid) -> Path:
        """Make the worktree, without files yet."""
        with self._worktrees.setting_up():
            delete_tree(self.path)
            self._forget_registrations()
            self._add(commit)
        admin = self._admin()
        assert admin is not None, f"git did not make the worktree {self.path}"
        return admin

    def _forget_registrations(self) -> None:
        """Delete what git knows of this worktree. While we hold the place, whatever is locked in its name is dead: half
        made, or brought here in a copy of the whole repository. `git worktree prune` leaves what is locked."""
        registered = self._worktrees.common_dir / "worktrees"
        for admin in registered.iterdir() if registered.is_dir() else ():
            if _line_or_none(admin / "locked") == self._reason() or (
                _line_or_none(admin / "gitdir") == str(self.path / ".git")
            ):
                delete_tree(admin)

    def _reason(self) -> str:
        return f"{KEPT_FOR} {self.purpose} ({self.path.name})"

    def _add(self, commit: Oid) -> None:
        git = self._worktrees.git
        lock = ("--lock", "--reason", self._reason())
        args = ("worktree", "add", "--quiet", "--detach", "--no-checkout", *lock, "--", str(self.path), commit)
        for _ in range(ADD_ATTEMPTS - 1):
            try:
                git.run(*_options(), *args)
            except GitError as error:
                if b".lock" not in error.result.err:
                    raise
                RealClock().sleep(RealRandom().uniform(*ADD_PAUSE_S))
            else:
                return
        git.run(*_options(), *args)

    def _restore_index(self, admin: Path) -> None:
        """Take back the index we wrote: a gate or a crash may have left anything in its place. Without one, git takes
        every file for unknown and writes it again. Times count: git tells by them which entries to trust."""
        crash_point("before an index is restored")
        with suppress(FileNotFoundError):
            (admin / "index").unlink()
        with suppress(FileNotFoundError):
            shutil.copy2(_kept(admin), admin / "index")
        crash_point("after an index is restored")

    def _keep_index(self, admin: Path) -> None:
        crash_point("before an index is kept")
        part = admin / "orch-index.part"
        shutil.copy2(admin / "index", part)
        part.replace(_kept(admin))
        self._index_as_written = _signature(admin / "index")
        crash_point("after an index is kept")

    def _index_changed(self, admin: Path, commit: Oid) -> str:
        """Whether the gate staged something; a mere refresh is none of our business."""
        if _signature(admin / "index") == self._index_as_written:
            return ""
        options = ("--cached", "--name-only", "-z", "--no-renames", "--ignore-submodules=none")
        result = self._git(admin, "diff-index", *options, commit, "--", ok=())
        if result.status != 0:
            return "the gate left an index that git cannot read"
        names = result.out.split(b"\0")[:-1]
        return f"the gate changed the index: {_some(names)}" if names else ""

    def _empty_submodules(self, admin: Path) -> None:
        """Empty the folders of submodules that an earlier gate filled; their history stays, so that filling them again
        is cheap. (`git submodule deinit` would also edit the user's configuration.)"""
        if not (admin / "modules").exists():
            return
        for entry in self._git(admin, "ls-files", "--stage", "-z").out.split(b"\0"):
            if entry.startswith(b"160000 "):
                folder = self.path / os.fsdecode(entry.partition(b"\t")[2])
                delete_tree(folder)
                folder.mkdir()

    def _git(self, admin: Path, *args: str, ok: tuple[int, ...] = (0,), env: dict[str, str] | None = None) -> GitResult:
        """Git in this worktree and no other: were its `.git` gone, discovery would find the user's repository."""
        return Git(self.path, git_dir=admin, work_tree=self.path).run(*_options(), *args, ok=ok, env=env)


def _options() -> list[str]:
    return [word for value in _CONFIG for word in ("-c", value)]


def _kept(admin: Path) -> Path:
    return admin / "orch-index"


def _forget(admin: Path) -> None:
    """Remove what killed git processes and gates left half done. Nobody else works here while we hold the place."""
    for name in (*_LEFTOVERS, *(lock.name for lock in admin.glob("*.lock"))):
        if (admin / name).exists():
            delete_tree(admin / name)


def _read_status(result: GitResult, commit: Oid) -> tuple[str, list[bytes]]:
    """Why HEAD is not where it was, and which tracked files are not as they were."""
    moved, changed = "", []
    for entry in result.out.split(b"\0")[:-1]:
        kind, _, rest = entry.partition(b" ")
        if rest.startswith(b"branch.oid ") and rest != b"branch.oid " + commit.encode():
            moved = f"the gate moved HEAD to {escape(rest[11:23].decode('ascii', 'replace'))}"
        elif rest.startswith(b"branch.head ") and rest != b"branch.head (detached)":
            moved = moved or f"the gate put HEAD on the branch {_name(rest[12:])}"
        elif kind == b"1":
            changed.append(rest.split(b" ", 7)[7])
        elif kind == b"u":
            changed.append(rest.split(b" ", 9)[9])
    return moved, changed


def _some(names: list[bytes]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(_name, names[:NAMED])) + more


def _name(name: bytes) -> str:
    return escape(name.decode("utf-8", "surrogateescape"))


def _line(path: Path) -> str:
    return os.fsdecode(path.read_bytes()).removesuffix("\n")


def _line_or_none(path: Path) -> str | None:
    try:
        return _line(path)
    except OSError:
        return None


def _signature(path: Path) -> tuple[int, ...] | None:
    """Differs whenever the file was written, in place or anew."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
