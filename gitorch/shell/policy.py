"""The configuration in force for a target: `git config`, then the `.gitorch` of the target's tip.

The file is never read from a branch under test: a branch cannot choose the gate that judges it.
"""

from __future__ import annotations

from gitorch.core.model import Oid
from gitorch.core.settings import SHARED_FILE, Entries, Settings
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import Objects, read_commit, read_tree
from gitorch.shell.repository import read_shared, unreadable

_PLAIN_MODES = ("100644", "100755", "100664")


class GitPolicy:
    """Implements ports.Policy. Parsed once for each version of the file: a landing rarely changes it."""

    def __init__(self, git: Git, objects: Objects, local: Entries) -> None:
        self._git = git
        self._objects = objects
        self._local = local
        self._parsed: dict[Oid | None, Entries] = {None: {}}

    def settings(self, target: str, tip: Oid | None) -> Settings:
        """See ports.Policy."""
        if tip is None:
            return Settings(self._local)
        blob = self._blob(tip, target)
        if blob not in self._parsed:
            self._parsed[blob] = read_shared(self._git, tip, target)
        return Settings(self._local, self._parsed[blob])

    def _blob(self, tip: Oid, target: str) -> Oid | None:
        """The shared file, if there is one. Raises UsageError for what git would half read: a symbolic link (as its
        own text) and a text with a NUL (up to it, so that half a gate would be the gate)."""
        entries = read_tree(self._objects, read_commit(self._objects, tip).tree)
        entry = next((entry for entry in entries if entry.name == SHARED_FILE.encode()), None)
        if entry is None or entry.oid in self._parsed:
            return None if entry is None else entry.oid
        found = self._objects.read(entry.oid) if entry.mode in _PLAIN_MODES else None
        if found is None or found[0] != "blob" or b"\x00" in found[1]:
            raise unreadable(target)
        return entry.oid
