"""Two ways into one object store. A failure here makes a command's result depend on whether a library can be loaded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import encode_commit
from gitorch.core.model import Oid
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import (
    GitObjects,
    LibraryObjects,
    Objects,
    open_objects,
    read_commit,
    read_files,
    read_tree,
    write_files,
)
from tests.support import Clone, git, make_alone, make_remote

IDENT = "Ada <ada@example.org>"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, {"README": "first\n", "folder/inner": b"\x00\xff", "run": "#!/bin/sh\n"})


@pytest.fixture
def both(clone: Clone) -> Iterator[tuple[Objects, Objects]]:
    by_git, by_library = GitObjects(Git(clone.path)), LibraryObjects(clone.path / ".git")
    yield by_git, by_library
    by_git.close()
    by_library.close()


@pytest.fixture(params=["git", "library"])
def objects(request: pytest.FixtureRequest, both: tuple[Objects, Objects]) -> Objects:
    return both[request.param == "library"]


def everything(clone: Clone) -> list[Oid]:
    return [Oid(line) for line in clone.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()]


def test_both_ways_read_the_same_kinds_and_bytes(clone: Clone, both: tuple[Objects, Objects]) -> None:
    clone.commit({"README": "second\n", "big": b"x" * 3_000_000, "empty": ""}, "second\n\nünïcödé")
    clone.git("tag", "-a", "-m", "a tag", "v1")
    loose = everything(clone)
    clone.git("gc", "--quiet")
    clone.commit({"README": "third\n"}, "third")
    assert set(loose) < set(everything(clone))
    kinds = set()
    for oid in everything(clone):
        found = [way.read(oid) for way in both]
        assert found[0] == found[1] and found[0] is not None
        kinds.add(found[0][0])
    assert kinds == {"commit", "tree", "blob", "tag"}


def test_both_ways_write_the_same_objects(both: tuple[Objects, Objects]) -> None:
    by_git, by_library = both
    for data in (b"", b"text\n", b"\x00\xff" * 1000):
        assert by_git.write("blob", data) == by_library.write("blob", data)
    files = {"log": b"oops\n", "paths": b"", "ünï": b"1"}
    tree = write_files(by_git, files)
    assert tree == write_files(by_library, files)
    commit = encode_commit(tree, [], IDENT, 0, "m\n")
    assert by_git.write("commit", commit) == by_library.write("commit", commit)


def test_what_one_way_wrote_the_other_reads_at_once(both: tuple[Objects, Objects]) -> None:
    by_git, by_library = both
    for writer, reader in ((by_git, by_library), (by_library, by_git)):
        data = type(writer).__name__.encode()
        oid = writer.write("blob", data)
        assert reader.read(oid) == ("blob", data)


def test_an_object_that_is_not_there_is_none_and_the_next_read_works(objects: Objects, clone: Clone) -> None:
    tip = Oid(clone.git("rev-parse", "HEAD"))
    for _ in range(2):
        assert objects.read(Oid("1" * 40)) is None
        assert objects.read(tip) is not None


@pytest.mark.parametrize(("way", "left"), [(0, 0), (0, 7), (0, 40), (0, 20_000), (1, 0)])
def test_an_object_that_a_crash_left_broken_is_none_and_the_next_read_works(
    both: tuple[Objects, Objects], clone: Clone, way: int, left: int
) -> None:
    """A machine that lost power leaves files that are empty or cut off. (From one that is cut off, and not empty,
    libgit2 1.9 never returns.)"""
    objects = both[way]
    tip = Oid(clone.git("rev-parse", "HEAD"))
    noise = random.Random(left).randbytes(50_000)
    oid = objects.write("blob", noise)
    file = clone.path / ".git" / "objects" / oid[:2] / oid[2:]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:left])
    for _ in range(2):
        assert objects.read(oid) is None
        assert objects.read(tip) is not None


def test_objects_that_arrive_in_a_pack_while_the_store_is_open_are_found(tmp_path: Path, objects: Objects) -> None:
    """What a fetch brings between two reads."""
    here = tmp_path / "alone"
    (tmp_path / "other").mkdir()
    remote = make_remote(tmp_path / "other", {"theirs": "x\n"})
    theirs = remote.tip()
    assert theirs is not None
    assert objects.read(Oid(theirs)) is None
    git(here, "-c", "fetch.unpackLimit=1", "fetch", "-q", str(remote.path), "main")
    assert list((here / ".git" / "objects" / "pack").glob("*.pack"))
    assert read_commit(objects, Oid(theirs)).message == b"first"
    assert read_files(objects, Oid(theirs)) == {"theirs": b"x\n"}


def test_objects_that_are_repacked_while_the_store_is_open_are_still_found(clone: Clone, objects: Objects) -> None:
    tip = Oid(clone.git("rev-parse", "HEAD"))
    assert objects.read(tip) is not None
    clone.commit({"more": "1\n"}, "more")
    clone.git("repack", "-a", "-d", "-q")
    clone.git("prune-packed")
    assert objects.read(tip) is not None
    assert objects.read(Oid(clone.git("rev-parse", "HEAD"))) is not None


def test_a_commit_that_is_missing_or_is_none_is_an_error_with_a_hint(objects: Objects, clone: Clone) -> None:
    for oid in ("1" * 40, clone.git("rev-parse", "HEAD^{tree}"), clone.git("rev-parse", "HEAD:README")):
        with pytest.raises(OrchError, match="missing or broken"):
            read_commit(objects, Oid(oid))


def test_a_tree_that_is_missing_or_is_none_has_no_entries(objects: Objects, clone: Clone) -> None:
    assert read_tree(objects, Oid("1" * 40)) == []
    assert read_tree(objects, Oid(clone.git("rev-parse", "HEAD"))) == []
    names = [entry.name for entry in read_tree(objects, Oid(clone.git("rev-parse", "HEAD^{tree}")))]
    assert names == [b"README", b"folder", b"run"]


def test_payloads_are_flat_files_and_what_is_too_large_is_left_out(objects: Objects) -> None:
    tree = write_files(objects, {"small": b"1", "large": b"x" * 1000})
    commit = objects.write("commit", encode_commit(tree, [], IDENT, 0, "m\n"))
    assert read_files(objects, commit) == {"small": b"1", "large": b"x" * 1000}
    assert read_files(objects, commit, limit=999) == {"small": b"1"}


def test_folders_among_payloads_are_left_out(objects: Objects, clone: Clone) -> None:
    assert set(read_files(objects, Oid(clone.git("rev-parse", "HEAD")))) == {"README", "run"}


def test_objects_of_a_linked_worktree_are_those_of_the_repository(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = Path(git(tmp_path / "linked", "rev-parse", "--absolute-git-dir"))
    tip = Oid(clone.git("rev-parse", "HEAD"))
    for way in (GitObjects(Git(tmp_path / "linked", git_dir=linked)), LibraryObjects(linked)):
        assert read_commit(way, tip).message == b"first"
        assert way.read(way.write("blob", b"from a worktree")) == ("blob", b"from a worktree")
        way.close()


def children() -> set[str]:
    """The processes that this one started and that still exist."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not show its processes")
def test_closing_leaves_no_process_behind_and_the_next_read_starts_anew(clone: Clone) -> None:
    before = children()
    objects = GitObjects(Git(clone.path))
    for _ in range(2):
        assert objects.read(Oid(clone.git("rev-parse", "HEAD"))) is not None
        assert len(children() - before) == 1
        objects.close()
        assert children() - before == set()
        objects.close()


# -- which way is taken


def test_a_command_that_touches_a_handful_of_objects_does_not_load_the_library(clone: Clone) -> None:
    few = open_objects(Git(clone.path), clone.path / ".git", "sha1", bulk=False)
    many = open_objects(Git(clone.path), clone.path / ".git", "sha1", bulk=True)
    assert isinstance(few, GitObjects)
    assert isinstance(many, LibraryObjects)
    many.close()


def test_a_sha256_repository_is_served_by_git(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256")
    clone = Clone(tmp_path)
    tip = Oid(clone.commit({"a": "1\n"}, "first"))
    objects = open_objects(Git(tmp_path), tmp_path / ".git", "sha256", bulk=True)
    assert isinstance(objects, GitObjects)
    assert read_files(objects, tip) == {"a": b"1\n"}
    assert write_files(objects, {"a": b"1\n"}) == clone.git("rev-parse", "HEAD^{tree}")
    objects.close()


@pytest.mark.parametrize("depth", ["blob:none", "tree:0"])
def test_a_partial_clone_is_served_by_git_which_fetches_what_is_missing(tmp_path: Path, depth: str) -> None:
    remote = make_remote(tmp_path, {".gitorch": "[orch]\n\tgate = true\n"})
    remote.git("config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", f"--filter={depth}", "--no-checkout", f"file://{remote.path}", "partial")
    path = tmp_path / "partial"
    objects = open_objects(Git(path), path / ".git", "sha1", bulk=True)
    assert isinstance(objects, GitObjects)
    assert read_files(objects, Oid(remote.tip() or "")) == {".gitorch": b"[orch]\n\tgate = true\n"}
    objects.close()


def test_a_repository_that_the_library_cannot_open_is_served_by_git(clone: Clone) -> None:
    clone.git("config", "core.repositoryFormatVersion", "1")
    clone.git("config", "extensions.partialClone", "origin")
    objects = open_objects(Git(clone.path), clone.path / ".git", "sha1", bulk=True)
    assert isinstance(objects, GitObjects)
    assert objects.read(Oid(clone.git("rev-parse", "HEAD"))) is not None
    objects.close()
