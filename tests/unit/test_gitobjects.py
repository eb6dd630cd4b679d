"""Git's own formats, held against git itself. A failure here writes objects that git reads otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.gitobjects import (
    FILE_MODE,
    TREE_MODE,
    TreeEntry,
    decode_commit,
    decode_tree,
    encode_commit,
    encode_tree,
    event_parents,
    root_commit,
)
from gitorch.core.model import Oid
from gitorch.core.writes import EventCommit
from tests.records import OIDS, TIME_MS, UNICODE, oid
from tests.support import Repo, git, make_alone

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & {0, ord("/")} and name not in (b".", b"..")
)


@pytest.fixture
def repository(tmp_path: Path) -> Repo:
    return make_alone(tmp_path)


def raw(repository: Repo, kind: str, name: str) -> bytes:
    """The bytes of an object as git has them."""
    command = ["git", "cat-file", kind, name]
    return subprocess.run(command, cwd=repository.path, capture_output=True, check=True).stdout


def stored(repository: Repo, kind: str, data: bytes) -> Oid:
    """Write an object by git, which checks its format."""
    return Oid(git(repository.path, "hash-object", "-t", kind, "-w", "--stdin", stdin=data))


# -- trees


@given(
    st.dictionaries(NAMES, st.tuples(st.sampled_from([TREE_MODE, FILE_MODE, "120000"]), st.integers(0, 99)), max_size=8)
)
def test_a_tree_is_read_as_it_was_written(files: dict[bytes, tuple[str, int]]) -> None:
    entries = {TreeEntry(mode, name, oid(number)) for name, (mode, number) in files.items()}
    assert set(decode_tree(encode_tree(entries), 20)) == entries


def test_git_makes_the_same_tree_of_the_same_entries(repository: Repo) -> None:
    blob = stored(repository, "blob", b"x\n")
    tree = stored(repository, "tree", b"")
    # Names whose order depends on whether they are folders: git sorts `a/` after `a.b` and before `a0`.
    names = [b"a", b"a.b", b"a0", b"a-b", b"A", b"\xff\xfe", "ü".encode(), b"b b", b"z" * 200, b"-x", b"a\tb", b'"']
    for folders in ({b"a"}, {b"a", b"A", b"a.b"}, set(names), set()):
        entries = [
            TreeEntry(TREE_MODE if name in folders else FILE_MODE, name, tree if name in folders else blob)
            for name in names
        ]
        lines = [
            f"{entry.mode:0>6} {'tree' if entry.is_tree else 'blob'} {entry.oid}\t".encode() + entry.name + b"\0"
            for entry in entries
        ]
        by_git = git(repository.path, "mktree", "-z", stdin=b"".join(lines))
        assert stored(repository, "tree", encode_tree(entries)) == by_git
        assert decode_tree(raw(repository, "tree", by_git), 20) == sorted(
            entries, key=lambda entry: raw(repository, "tree", by_git).index(b" " + entry.name + b"\0")
        )


def test_every_mode_that_git_writes_is_read(tmp_path: Path) -> None:
    clone = make_alone(tmp_path, {"file": "1\n", "script": "#!/bin/sh\n", "folder/inner": "2\n"})
    (clone.path / "link").symlink_to("file")
    commit = clone.commit({}, "a link")
    git(clone.path, "update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    tree = git(clone.path, "write-tree")
    entries = {entry.name: entry for entry in decode_tree(raw(clone, "tree", tree), 20)}
    assert {name: entry.mode for name, entry in entries.items()} == {
        b"file": "100644",
        b"script": "100755",
        b"folder": "40000",
        b"link": "120000",
        b"module": "160000",
    }
    assert [name for name, entry in entries.items() if entry.is_tree] == [b"folder"]
    assert entries[b"module"].oid == commit


def test_the_empty_tree_is_gits(repository: Repo) -> None:
    assert stored(repository, "tree", encode_tree([])) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_trees_of_a_sha256_repository_are_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    blob = git(tmp_path, "hash-object", "-w", "--stdin", stdin="x\n")
    tree = git(tmp_path, "mktree", stdin=f"100644 blob {blob}\tname\n")
    data = raw(Repo(tmp_path), "tree", tree)
    assert decode_tree(data, 32) == [TreeEntry(FILE_MODE, b"name", Oid(blob))]
    assert encode_tree(decode_tree(data, 32)) == data


@given(st.binary(max_size=100), st.sampled_from([20, 32]))
def test_bytes_that_are_no_tree_raise_value_error_or_give_entries(data: bytes, oid_bytes: int) -> None:
    try:
        entries = decode_tree(data, oid_bytes)
    except ValueError:
        return
    assert sum(len(e.mode) + len(e.name) + 2 + oid_bytes for e in entries) == len(data)


def test_a_tree_that_is_cut_off_is_refused() -> None:
    data = encode_tree([TreeEntry(FILE_MODE, b"name", oid(7))])
    for length in range(1, len(data)):
        with pytest.raises(ValueError):
            decode_tree(data[:length], 20)


# -- commits


@given(OIDS, st.lists(OIDS, max_size=3), st.text(UNICODE.filter(lambda char: char != "\0")))
def test_a_commit_is_read_as_it_was_written(tree: Oid, parents: list[Oid], message: str) -> None:
    parts = decode_commit(encode_commit(tree, parents, "Ada <ada@example.org>", TIME_MS, message))
    assert (parts.tree, parts.parents, parts.message) == (tree, tuple(parents), message.encode())
    assert parts.author == "Ada <ada@example.org>"


def test_git_reads_our_commit_and_makes_the_same_itself(repository: Repo) -> None:
    tree, parent = stored(repository, "tree", b""), repository.tip()
    assert parent is not None
    message = "subject\n\nbody ünïcödé\n\nOrch-Format: 1\n"
    ours = stored(
        repository, "commit", encode_commit(tree, [Oid(parent)], "Ünï Cödé <u@example.org>", 1_700_000_000_999, message)
    )
    moment = "1700000000 +0000"
    ident = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _ident(moment)}
    assert git(repository.path, "commit-tree", tree, "-p", parent, stdin=message, **ident) == ours
    shown = git(repository.path, "log", "-1", "--format=%an|%ae|%at|%cn|%ct|%T|%P", ours)
    assert shown == f"Ünï Cödé|u@example.org|1700000000|Ünï Cödé|1700000000|{tree}|{parent}"
    assert git(repository.path, "fsck", "--strict", "--no-dangling", ours) == ""


def _ident(moment: str) -> list[tuple[str, str]]:
    return [("NAME", "Ünï Cödé"), ("EMAIL", "u@example.org"), ("DATE", moment)]


def test_a_commit_with_headers_of_every_kind_is_taken_apart(repository: Repo) -> None:
    tip = repository.tip()
    lines = [
        f"tree {oid(1)}",
        f"parent {oid(2)}",
        f"parent {oid(3)}",
        "author Ada <a@b> 1 +0000",
        "committer Bob <b@c> 1 +0000",
        "encoding ISO-8859-1",
        "mergetag object " + str(tip),
        " type commit",
        f" parent {oid(4)}",
        "gpgsig -----BEGIN SSH SIGNATURE-----",
        " ",
        " AAAA",
        " -----END SSH SIGNATURE-----",
    ]
    parts = decode_commit("\n".join(lines).encode() + b"\n\ncaf\xe9\n\nparent x\n")
    assert parts.parents == (oid(2), oid(3))
    assert (parts.author, parts.message) == ("Ada <a@b>", b"caf\xe9\n\nparent x\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"tree abc\n\n",
        b"x" * 50,
        f"tree {oid(1)}\nparent zzz\n\n".encode(),
        f"Tree {oid(1)}\n\n".encode(),
    ],
)
def test_what_git_would_not_write_is_no_commit(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_commit(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_commit(data)


# -- chains


def test_an_event_has_its_chain_as_first_parent_and_what_it_keeps_behind_it() -> None:
    def root() -> Oid:
        return oid(99)

    assert event_parents(EventCommit(message="", time_ms=0), root) == ()
    assert event_parents(EventCommit(message="", time_ms=0, keeps=(oid(1),)), root) == (oid(99), oid(1))
    assert event_parents(EventCommit(message="", time_ms=0, previous=oid(2)), root) == (oid(2),)
    assert event_parents(EventCommit(message="", time_ms=0, previous=oid(2), keeps=(oid(1),)), root) == (oid(2), oid(1))


def test_the_root_of_chains_is_the_same_commit_everywhere_and_passes_gits_own_check(repository: Repo) -> None:
    tree = stored(repository, "tree", b"")
    root = stored(repository, "commit", root_commit(tree))
    assert root == "e0e80bba383d7e4f47a73ddbac8e77b6f2efd7c3"
    assert git(repository.path, "fsck", "--strict", "--no-dangling", root) == ""
