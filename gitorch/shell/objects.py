"""Reads and creates git objects: in process with pygit2 where it can open the repository, with the git program
otherwise.

Both ways give the same answers, by test. Neither touches a ref or the network. pygit2 costs as much to import as
several git processes, so a command that writes a handful of objects is better off without it: `bulk` says which
kind of command this is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import (
    FILE_MODE,
    CommitParts,
    TreeEntry,
    decode_commit,
    decode_tree,
    encode_tree,
)
from gitorch.core.model import Oid
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import Git

KINDS = ("commit", "tree", "blob", "tag")


class Objects(Protocol):
    """The object store of one repository."""

    oid_bytes: int

    def read(self, oid: Oid) -> tuple[str, bytes] | None:
        """Kind and bytes of an object; None when it is not there, or broken."""

    def write(self, kind: str, data: bytes) -> Oid:
        """Store an object, return its id."""

    def close(self) -> None: ...


class GitObjects:
    """Objects by the git program: one `cat-file --batch` child for all reads, one `hash-object` a write."""

    def __init__(self, git: Git, oid_bytes: int = 20) -> None:
        self.oid_bytes = oid_bytes
        self._git = git
        self._batch: subprocess.Popen[bytes] | None = None

    def read(self, oid: Oid) -> tuple[str, bytes] | None:
        child = self._batch or self._start()
        assert child.stdin and child.stdout
        child.stdin.write(oid.encode() + b"\n")
        child.stdin.flush()
        head = child.stdout.readline().split()
        if len(head) == 2:
            return None
        data = child.stdout.read(int(head[2]) + 1) if head else b""
        if not head or len(data) <= int(head[2]):
            # Git gave up in the middle: the object is broken, and the child is gone.
            self.close()
            return None
        return head[1].decode(), data[:-1]

    def _start(self) -> subprocess.Popen[bytes]:
        self._batch = self._git.start("cat-file", "--batch")
        return self._batch

    def write(self, kind: str, data: bytes) -> Oid:
        return Oid(self._git.run("hash-object", "-t", kind, "-w", "--stdin", stdin=data).text())

    def close(self) -> None:
        if self._batch is not None:
            self._batch.communicate()
            self._batch = None


class LibraryObjects:
    """Objects by pygit2. Raises ValueError for a partial clone, pygit2's errors for what libgit2 cannot open."""

    oid_bytes = 20

    def __init__(self, git_dir: Path) -> None:
        import pygit2

        self._broken = (KeyError, pygit2.GitError)
        self._repository: Any = pygit2.Repository(str(git_dir))
        if any(entry.name.endswith(".promisor") for entry in self._repository.config):
            # A missing object would look like one that does not exist: the note, the tree, the gate's definition.
            raise ValueError("a partial clone has objects that only git can fetch")

    def read(self, oid: Oid) -> tuple[str, bytes] | None:
        try:
            kind, data = self._repository.read(oid)
        except self._broken:
            return None
        names = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
        return names[int(kind)], data

    def write(self, kind: str, data: bytes) -> Oid:
        crash_point("before an object is written")
        numbers = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
        try:
            return Oid(str(self._repository.write(numbers[kind], data)))
        except OSError as error:
            raise OrchError(
                f"an object could not be written here: {error}",
                hint="df -h . (is the disk full?), then try again",
            ) from error

    def close(self) -> None:
        self._repository.free()


def open_objects(git: Git, git_dir: Path, object_format: str, *, bulk: bool) -> Objects:
    """The cheapest way into this repository's objects. libgit2 cannot open reftable or sha256 repositories, and
    does not know the objects that a partial clone has only promised."""
    oid_bytes = 32 if object_format == "sha256" else 20
    if not bulk or oid_bytes != 20:
        return GitObjects(git, oid_bytes)
    try:
        return LibraryObjects(git_dir)
    except Exception:  # whatever libgit2 does not understand, git does
        return GitObjects(git, oid_bytes)


def read_commit(objects: Objects, oid: Oid) -> CommitParts:
    """A commit's parts. Raises OrchError when it is missing or is no commit."""
    found = objects.read(oid)
    try:
        if found is not None and found[0] == "commit":
            return decode_commit(found[1])
    except ValueError:
        pass
    raise OrchError(f"commit {oid[:12]} is missing or broken here", hint="git fetch, then git orch doctor")


def read_tree(objects: Objects, oid: Oid) -> list[TreeEntry]:
    """A tree's entries; an empty list when it is missing or is no tree."""
    found = objects.read(oid)
    try:
        return decode_tree(found[1], objects.oid_bytes) if found is not None and found[0] == "tree" else []
    except ValueError:
        return []


def write_files(objects: Objects, files: Mapping[str, bytes]) -> Oid:
    """A tree of flat files, the payloads of an event; no files give the empty tree."""
    entries = [TreeEntry(FILE_MODE, name.encode(), objects.write("blob", data)) for name, data in files.items()]
    return objects.write("tree", encode_tree(entries))


def read_files(objects: Objects, commit: Oid, limit: int = 10_000_000) -> dict[str, bytes]:
    """The flat files of an event's tree, by name; files beyond `limit` bytes are left out."""
    files = {}
    for entry in read_tree(objects, read_commit(objects, commit).tree):
        found = objects.read(entry.oid)
        if found is not None and found[0] == "blob" and len(found[1]) <= limit:
            files[entry.name.decode("utf-8", "replace")] = found[1]
    return files
