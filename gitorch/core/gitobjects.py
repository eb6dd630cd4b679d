"""Git's own formats for trees and commits, as bytes. Pure: what is written where is the business of
`gitorch.shell.objects`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gitorch.core.model import OID, Oid
from gitorch.core.writes import EventCommit

TREE_MODE = "40000"
FILE_MODE = "100644"
ROOT_MESSAGE = "the root of git orch's chains\n"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree; `name` is bytes because git does not promise an encoding."""

    mode: str
    name: bytes
    oid: Oid

    @property
    def is_tree(self) -> bool:
        return self.mode == TREE_MODE


def object_id(kind: str, data: bytes, object_format: str = "sha1") -> Oid:
    """The id that git gives to an object."""
    return Oid(hashlib.new(object_format, f"{kind} {len(data)}".encode() + b"\x00" + data).hexdigest())


def encode_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The bytes of a tree object, sorted as git sorts: folders as if their name ended in a slash."""
    ordered = sorted(entries, key=lambda entry: entry.name + (b"/" if entry.is_tree else b""))
    return b"".join(entry.mode.encode() + b" " + entry.name + b"\x00" + bytes.fromhex(entry.oid) for entry in ordered)


def decode_tree(data: bytes, oid_bytes: int) -> list[TreeEntry]:
    """The entries of a tree object; `oid_bytes` is 20 or 32. Raises ValueError."""
    entries, at = [], 0
    while at < len(data):
        space, zero = data.index(b" ", at), data.index(b"\x00", at)
        end = zero + 1 + oid_bytes
        oid = data[zero + 1 : end].hex()
        if len(oid) != 2 * oid_bytes or space > zero:
            raise ValueError("a tree entry is cut off")
        entries.append(TreeEntry(data[at:space].decode("ascii"), data[space + 1 : zero], Oid(oid)))
        at = end
    return entries


def encode_commit(tree: Oid, parents: Iterable[Oid], ident: str, time_ms: int, message: str) -> bytes:
    """The bytes of a commit object; `ident` is `Name <mail>`, author and committer alike."""
    stamp = f"{ident} {time_ms // 1000} +0000"
    head = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {stamp}", f"committer {stamp}"]
    return ("\n".join(head) + "\n\n" + message).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class CommitParts:
    """What we read of a commit. `author` is the raw ident line without the date."""

    tree: Oid
    parents: tuple[Oid, ...]
    author: str
    message: bytes


def decode_commit(data: bytes) -> CommitParts:
    """Take a commit object apart. Raises ValueError for what git itself would not write."""
    head, _, message = data.partition(b"\n\n")
    lines = head.split(b"\n")
    tree = lines[0].removeprefix(b"tree ").decode("ascii", "replace")
    parents = [line[7:].decode("ascii", "replace") for line in lines if line.startswith(b"parent ")]
    author = next((line[7:] for line in lines if line.startswith(b"author ")), b"")
    if not lines[0].startswith(b"tree ") or not all(OID.fullmatch(oid) for oid in [tree, *parents]):
        raise ValueError("not a commit")
    name = author.decode("utf-8", "replace").rpartition(">")[0] + ">"
    return CommitParts(Oid(tree), tuple(Oid(parent) for parent in parents), name, message)


def root_commit(empty_tree: Oid) -> bytes:
    """The commit at the bottom of chains, byte for byte the same in every repository (of one object format): it gives
    an event that begins a chain a first parent, where its further parents are commits of users."""
    return encode_commit(empty_tree, (), "git orch <git-orch@localhost>", 0, ROOT_MESSAGE)


def event_parents(event: EventCommit, root: Callable[[], Oid]) -> tuple[Oid, ...]:
    """The parents of an event: the chain first. `root` stores the root commit and is called only where it is needed."""
    if event.previous is None:
        return (root(), *event.keeps) if event.keeps else ()
    return (event.previous, *event.keeps)
