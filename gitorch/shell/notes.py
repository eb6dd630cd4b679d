"""Notes as trees: reads and appends lines without a working ref, whatever fan-out the notes tree has.

Git's own `git notes` insists on a ref below refs/notes/ and costs several processes a note; libgit2 never makes
folders, which grows one tree without bound. This writes one level of folders, which git reads like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import FILE_MODE, TREE_MODE, TreeEntry, decode_tree, encode_commit, encode_tree
from gitorch.core.model import Oid
from gitorch.shell.objects import Objects, read_commit, read_tree


def read_notes(objects: Objects, tip: Oid, targets: Iterable[Oid]) -> dict[Oid, str]:
    """The notes on these objects under the notes commit `tip`; what is not UTF-8 is replaced."""
    root = read_tree(objects, read_commit(objects, tip).tree)
    found = ((target, _read_note(objects, root, target.encode())) for target in targets)
    return {target: note.decode("utf-8", "replace") for target, note in found if note is not None}


def _read_note(objects: Objects, entries: list[TreeEntry], rest: bytes) -> bytes | None:
    """A note can be a file named by the rest of the id, or lie in a folder named by its next two digits; git may
    have left both after a merge of notes, then both are read."""
    parts = []
    for entry in entries:
        if entry.name == rest and not entry.is_tree:
            blob = objects.read(entry.oid)
            parts.append(blob[1] if blob and blob[0] == "blob" else b"")
        elif entry.is_tree and len(entry.name) == 2 and len(rest) > 2 and rest.startswith(entry.name):
            inner = _read_note(objects, read_tree(objects, entry.oid), rest[2:])
            parts.append(inner or b"")
    return b"\n".join(part for part in parts if part) or None


def append_notes(
    objects: Objects, base: Oid | None, lines: Iterable[tuple[Oid, str]], *, ident: str, time_ms: int, subject: str
) -> Oid:
    """A notes commit on top of `base` in which each object's note has gained its line. Returns its id. Raises
    OrchError when a part of the notes that must be rewritten is missing here: what cannot be read would be lost."""
    tree = None if base is None else read_commit(objects, base).tree
    merged: dict[Oid, str] = {}
    for target, line in lines:
        merged[target] = merged[target] + "\n" + line if target in merged else line
    entries = [] if tree is None else _tree(objects, tree)
    for target, text in merged.items():
        entries = _append(objects, entries, target.encode(), text.encode("utf-8", "surrogateescape"), level=0)
    root = objects.write("tree", encode_tree(entries))
    commit = encode_commit(root, () if base is None else (base,), ident, time_ms, subject + "\n")
    return objects.write("commit", commit)


def _append(objects: Objects, entries: list[TreeEntry], rest: bytes, line: bytes, *, level: int) -> list[TreeEntry]:
    """The entries with the note extended where it stands, or created one folder deep."""
    by_name: Mapping[bytes, TreeEntry] = {entry.name: entry for entry in entries}
    here, folder = by_name.get(rest), by_name.get(rest[:2])
    # Somebody's file (no note) may stand where our folder would be; then there is no folder.
    if here is None and (level == 0 if folder is None else folder.is_tree):
        inner = [] if folder is None else _tree(objects, folder.oid)
        inner = _append(objects, inner, rest[2:], line, level=level + 1)
        new = TreeEntry(TREE_MODE, rest[:2], objects.write("tree", encode_tree(inner)))
    else:
        old = b"" if here is None else _bytes(objects, here.oid, "blob").rstrip(b"\n")
        before = old + b"\n" if old.strip() else b""
        new = TreeEntry(FILE_MODE, rest, objects.write("blob", before + line + b"\n"))
    return [entry for entry in entries if entry.name != new.name] + [new]


def _tree(objects: Objects, oid: Oid) -> list[TreeEntry]:
    return decode_tree(_bytes(objects, oid, "tree"), objects.oid_bytes)


def _bytes(objects: Objects, oid: Oid, kind: str) -> bytes:
    found = objects.read(oid)
    if found is None or found[0] != kind:
        raise OrchError(f"a part of the notes is missing here ({kind} {oid[:12]})", hint="git orch doctor")
    return found[1]
