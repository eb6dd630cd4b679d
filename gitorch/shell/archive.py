"""The archive as git objects: reads entries out of its tree, and builds the next commit of it.

Reading touches only the folders on the way to what is asked for; writing only those that change. Nothing here moves a
ref or talks to a remote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitorch.core.archive import BY_BRANCH, branch_path, entry_path, entry_text, read_entry
from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import FILE_MODE, TREE_MODE, TreeEntry, encode_commit, encode_tree
from gitorch.core.model import JOB_ID, Job, JobId, Oid, Seen
from gitorch.core.writes import ArchiveFold
from gitorch.shell.objects import Objects, read_commit, read_tree

Folder = dict[bytes, TreeEntry]


class GitArchive:
    """Implements ports.Archive on one commit."""

    def __init__(self, objects: Objects, tip: Oid | None) -> None:
        self._objects = objects
        self._tip = tip
        self._folders: dict[tuple[str, ...], Folder] = {}

    @property
    def tip(self) -> Oid | None:
        return self._tip

    def find(self, ids: Iterable[JobId]) -> Mapping[JobId, Seen[Job]]:
        """See ports.Archive."""
        found = {}
        for job in ids:
            data = self._file(*entry_path(job)) if JOB_ID.fullmatch(job) else None
            seen = read_entry(data, job) if data is not None else None
            if seen is not None:
                found[job] = seen
        return found

    def of_branch(self, branch: str) -> list[Seen[Job]]:
        """See ports.Archive."""
        data = self._file(*branch_path(branch)) or b""
        ids = [JobId(word) for word in data.decode("ascii", "replace").split()]
        found = [seen for seen in self.find(ids).values() if seen.record.branch == branch]
        return sorted(found, key=lambda seen: (seen.record.created_ms, seen.record.id))

    def ids(self, prefix: str = "") -> list[JobId]:
        """See ports.Archive."""
        if self._tip is None:
            return []
        shards = [name.decode("ascii", "replace") for name, entry in self._folder().items() if entry.is_tree]
        names = (n.decode("ascii", "replace") for s in shards if s != BY_BRANCH for n in self._folder(s))
        return sorted(JobId(name) for name in names if name.startswith(prefix) and JOB_ID.fullmatch(name))

    def _folder(self, *path: str) -> Folder:
        if path not in self._folders:
            if not path:
                tree: Oid | None = None if self._tip is None else read_commit(self._objects, self._tip).tree
            else:
                entry = self._folder(*path[:-1]).get(path[-1].encode())
                tree = entry.oid if entry is not None and entry.is_tree else None
            entries = [] if tree is None else read_tree(self._objects, tree)
            self._folders[path] = {entry.name: entry for entry in entries}
        return self._folders[path]

    def _file(self, *path: str) -> bytes | None:
        entry = self._folder(*path[:-1]).get(path[-1].encode())
        found = self._objects.read(entry.oid) if entry is not None and not entry.is_tree else None
        return found[1] if found is not None and found[0] == "blob" else None


def fold(objects: Objects, wanted: ArchiveFold, *, ident: str, root: Oid) -> Oid:
    """Write the archive's next commit, return its id. Raises OrchError when a part of the archive that must be
    rewritten is missing here: what cannot be read would be lost."""
    tree = None if wanted.base is None else read_commit(objects, wanted.base).tree
    top = _read(objects, tree)
    changed: dict[tuple[str, ...], Folder] = {}

    def folder(*path: str) -> Folder:
        if path not in changed:
            parent = folder(*path[:-1]) if len(path) > 1 else top
            entry = parent.get(path[-1].encode())
            changed[path] = _read(objects, entry.oid if entry is not None and entry.is_tree else None)
        return changed[path]

    for entry in wanted.entries:
        shard, name = entry_path(entry.id)
        _put(objects, folder(shard), name, entry_text(entry).encode("utf-8", "surrogateescape"))
        if entry.branch is not None:
            *folders, name = branch_path(entry.branch)
            index = folder(*folders)
            before = objects.read(index[name.encode()].oid) if name.encode() in index else None
            _put(objects, index, name, (before[1] if before else b"") + entry.id.encode() + b"\n")
    for path in sorted(changed, key=len, reverse=True):
        parent = changed[path[:-1]] if len(path) > 1 else top
        oid = objects.write("tree", encode_tree(changed[path].values()))
        parent[path[-1].encode()] = TreeEntry(TREE_MODE, path[-1].encode(), oid)
    parents = (wanted.base or root, *(entry.tip for entry in wanted.entries))
    whole = objects.write("tree", encode_tree(top.values()))
    return objects.write("commit", encode_commit(whole, parents, ident, wanted.time_ms, wanted.message))


def _read(objects: Objects, tree: Oid | None) -> Folder:
    if tree is None:
        return {}
    found = objects.read(tree)
    if found is None or found[0] != "tree":
        raise OrchError(f"a part of the archive is missing here (tree {tree[:12]})", hint="git orch doctor")
    return {entry.name: entry for entry in read_tree(objects, tree)}


def _put(objects: Objects, folder: Folder, name: str, data: bytes) -> None:
    folder[name.encode()] = TreeEntry(FILE_MODE, name.encode(), objects.write("blob", data))
