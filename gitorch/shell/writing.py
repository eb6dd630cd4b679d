"""Turns what a plan wants to write into git objects: events, lines of notes, the archive's growth; signed where that is
wanted. Nothing here moves a ref."""

from __future__ import annotations

from collections.abc import Callable

from gitorch.core.errors import DamagedError
from gitorch.core.gitobjects import encode_commit, event_parents, root_commit
from gitorch.core.model import Oid
from gitorch.core.names import Mirror
from gitorch.core.writes import ArchiveFold, EventCommit, NotesAppend, RefUpdate
from gitorch.shell.archive import fold
from gitorch.shell.gitcmd import Git
from gitorch.shell.notes import append_notes
from gitorch.shell.objects import GitObjects, Objects, open_objects, write_files


class EventWriter:
    """Writes for one remote. `signs` is asked once, before the first commit."""

    def __init__(self, git: Git, mirror: Mirror, objects: Objects, ident: str, signs: Callable[[], bool]) -> None:
        self._git = git
        self._mirror = mirror
        self._plain = objects
        self._ident = ident
        self._signs = signs
        self._signed: bool | None = None
        self._empty_tree: Oid | None = None

    def write(self, update: RefUpdate) -> Oid | None:
        """The new value of a ref, written; ids pass through. Raises UsageError when it must be signed and cannot be."""
        new = update.new
        if isinstance(new, EventCommit):
            parents = event_parents(new, self._root)
            tree = write_files(self._plain, new.files) if new.files else self._no_files()
            commit = encode_commit(tree, parents, self._ident, new.time_ms, new.message)
            return self._sealed(self._plain).write("commit", commit)
        if isinstance(new, NotesAppend):
            objects = self._sealed(self._plain)
            return append_notes(
                objects, new.base, new.lines, ident=self._ident, time_ms=new.time_ms, subject=new.subject
            )
        if isinstance(new, ArchiveFold):
            return self._fold(new)
        return new

    def _sealed(self, objects: Objects) -> Objects:
        """The same objects, with signed commits where they are wanted."""
        if self._signed is None:
            self._signed = self._signs()
        if not self._signed:
            return objects
        from gitorch.shell.signatures import SignedObjects

        return SignedObjects(self._git, objects)

    def _fold(self, wanted: ArchiveFold) -> Oid:
        """About four objects a job: too many for a process each, also in a command that writes a handful otherwise (a
        landing that archives in passing). Raises DamagedError for an archive that is no commit: it reads as none."""
        name = self._mirror.namespace.archive
        kind = self._git.run("cat-file", "-t", self._mirror.local_name(name), ok=()).text()
        if kind not in ("", "commit"):
            raise DamagedError(
                f"the archive cannot be read, so it is left alone ({name}: it is a {kind}, not an event)",
                hint="git orch doctor",
            )
        git_dir, root = self._git.git_dir, self._root()
        if git_dir is None or not isinstance(self._plain, GitObjects):
            return fold(self._sealed(self._plain), wanted, ident=self._ident, root=root)
        object_format = "sha256" if self._plain.oid_bytes == 32 else "sha1"
        objects = open_objects(self._git, git_dir, object_format, bulk=True)
        try:
            return fold(self._sealed(objects), wanted, ident=self._ident, root=root)
        finally:
            objects.close()

    def _no_files(self) -> Oid:
        """The empty tree, written once a process: most events have no payload."""
        if self._empty_tree is None:
            self._empty_tree = write_files(self._plain, {})
        return self._empty_tree

    def _root(self) -> Oid:
        return self._plain.write("commit", root_commit(self._no_files()))
