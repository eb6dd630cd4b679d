"""Private worktrees below the git directory: numbered places, each of them one process's at a time.

Promises: nobody waits for a place, a busy one is passed over; a place whose owner was killed is free as soon as nothing
that it started can write there any more (its own git, or a gate). Nothing outside of `<common git dir>/orch/worktrees`
is deleted. Does not know what is inside a place: `fileless.py` keeps a repository for rebases there, `checkout.py` a
worktree with files for gates, `jobtree.py` one for jobs. All of it may be deleted while no git orch runs, but for
unsaved work in a `work-N`.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.core.errors import OrchError
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import Git, GitError

if TYPE_CHECKING:
    from filelock import BaseFileLock

MAX_PLACES = 256
"""Places of one kind; a machine with more landers at once than this has other troubles."""

SETTING_UP_S = 60.0
"""How long to wait for others that are making a worktree."""

KEPT_FOR = "git orch keeps this for"
"""So begins the reason why a worktree of ours is locked."""

_PROC = Path("/proc")
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "Out of diskspace")
_CANNOT_WRITE = "unable to write"  # git does not always say why
_ROOM_BYTES = 1024 * 1024


class Kind(Enum):
    """What a private worktree is for."""

    CATCH_UP = "catchup"
    GATE = "gate"
    WORK = "work"


class DiskFullError(OrchError):
    """There is no room left. Whatever was being written is repaired at its next use."""

    retryable = True

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"the disk is full: cannot write in {where}",
            hint=f"make room (`df -h {shlex.quote(str(where))}`), then try again",
        )


class Place:
    """One numbered directory, held by this process until `release`."""

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Let others have it. From any thread, once no process is left that works there."""
        _owner(self.path).unlink(missing_ok=True)
        self._lock.release()


class Worktrees:
    """The private worktrees of one clone, shared by all its worktrees and processes."""

    def __init__(self, git: Git, common_dir: Path) -> None:
        """`git` runs in the user's repository, whose shared git directory is `common_dir`."""
        self.git = git
        self.common_dir = common_dir.resolve()
        self.root = self.common_dir / "orch" / "worktrees"

    def take(self, kind: Kind, usable: Callable[[Path], bool] | None = None) -> Place:
        """The first place of this kind that is free, and `usable` where that is asked (it is held meanwhile). Raises
        OrchError when there is none or none can be made."""
        with disk_faults(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            for number in range(1, MAX_PLACES + 1):
                place = self._try(self.root / f"{kind.value}-{number}")
                if place is not None and self._usable(place, usable):
                    return place
        raise OrchError(f"all private worktrees below {self.root} are in use", hint="git orch status")

    @staticmethod
    def _usable(place: Place, usable: Callable[[Path], bool] | None) -> bool:
        """Whether a place that we hold may be used; it is given back otherwise, whatever happens."""
        found = False
        try:
            found = usable is None or usable(place.path)
        finally:
            if not found:
                place.release()
        return found

    def _try(self, path: Path) -> Place | None:
        # Late: the library costs more to import than most commands take.
        from filelock import FileLock, Timeout

        # Gates are checked out in a thread, so the thread that releases may not be the one that acquired.
        lock = FileLock(f"{path}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except (Timeout, PermissionError):  # held, or another user's
            return None
        if is_written_to(path):
            lock.release()
            return None
        crash_point("before a place is taken")
        _owner(path).write_text(f"{os.getpgrp()}\n", "ascii")
        crash_point("after a place is taken")
        return Place(path, lock)

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """One process of this clone at a time: parallel `git worktree add` fail on each other's lock files."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / "add.lock", thread_local=False)
        try:
            lock.acquire(timeout=SETTING_UP_S)
        except Timeout:
            raise OrchError(
                f"another process has been making a private worktree for {SETTING_UP_S:.0f} s", hint="git orch status"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def forget_half_made(self) -> None:
        """Delete what git knows of worktrees of ours whose making was killed in the middle: until it is made, the HEAD
        of a worktree is no object, and every fetch of the clone stumbles over that. Waits for whoever makes one now."""
        with disk_faults(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with self.setting_up():
                registered = self.common_dir / "worktrees"
                for admin in registered.iterdir() if registered.is_dir() else ():
                    if _starts(admin / "locked", KEPT_FOR) and _starts(admin / "HEAD", "0" * 40):
                        delete_tree(admin)


def _starts(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8", "replace").startswith(text)
    except OSError:
        return False


def is_written_to(path: Path) -> bool:
    """Whether processes may still write in a place that nobody holds: the gate that ran there last, whose process group
    is in `<place>.pgid`, or a git whose git orch was killed and the rest of its group was not. After a reboot the
    number may be a stranger's: then a place stays unused, nothing worse."""
    return any(_lives(record) for record in (Path(f"{path}.pgid"), _owner(path)))


def _owner(path: Path) -> Path:
    return Path(f"{path}.owner")


def _lives(record: Path) -> bool:
    """Whether something of the recorded process group, or of a session with that number, is alive."""
    try:
        group = int(record.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False
    if group <= 1:
        return False
    if (_PROC / "self/stat").exists():
        return any(group in numbers for numbers in _groups())
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _groups() -> Iterator[tuple[int, int]]:
    """Group and session of every process, without zombies: where no init reaps them, they stay for ever."""
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            with suppress(OSError):
                # The name of the program stands in parentheses and may contain anything; the rest is numbers.
                state, _, group, session = Path(entry.path, "stat").read_bytes().rpartition(b") ")[2].split()[:4]
                if state not in (b"Z", b"X", b"x"):
                    yield int(group), int(session)


@contextmanager
def disk_faults(where: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence. Raises DiskFullError, or OrchError for other system errors."""
    try:
        yield
    except GitError as error:
        require_space(error.result.err, where)
        raise
    except OSError as error:
        require_space((error.strerror or "").encode(), where)
        raise OrchError(
            f"cannot work in {where}: {error.strerror or error}", hint=f"ls -ld {shlex.quote(str(where))}"
        ) from error


def require_space(complaint: bytes, where: Path) -> None:
    """Raises DiskFullError if that is what a program complains about."""
    text = complaint.decode("utf-8", "replace")
    if any(words in text for words in _NO_SPACE) or (_CANNOT_WRITE in text and _is_full(where)):
        raise DiskFullError(where)


def _is_full(where: Path) -> bool:
    with suppress(OSError):
        space = os.statvfs(where if where.exists() else where.parent)
        return space.f_bavail * space.f_frsize < _ROOM_BYTES
    return False


def delete_tree(path: Path) -> None:
    """Delete one of our own directories, also one in which a gate took away the permission to write (as module caches
    of some languages do). No symbolic link is followed. Nothing there is fine."""
    crash_point(f"before {path.name} is deleted")
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    except PermissionError:
        _allow_writing(path)
        shutil.rmtree(path)
    crash_point(f"after {path.name} is deleted")


def _allow_writing(path: Path) -> None:
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
