"""Our notes and git's are the same notes. A failure here loses a verdict or a note that somebody else wrote."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import FILE_MODE, TREE_MODE, TreeEntry, encode_commit, encode_tree
from gitorch.core.model import Oid
from gitorch.shell.gitcmd import Git
from gitorch.shell.notes import append_notes, read_notes
from gitorch.shell.objects import GitObjects, LibraryObjects, Objects, read_commit, read_tree
from tests.support import Clone, make_alone

IDENT = "Ada <ada@example.org>"
REF = "refs/notes/orch"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make_alone(tmp_path)


@pytest.fixture(params=["git", "library"])
def objects(request: pytest.FixtureRequest, clone: Clone) -> Iterator[Objects]:
    way: Objects = GitObjects(Git(clone.path)) if request.param == "git" else LibraryObjects(clone.path / ".git")
    yield way
    way.close()


class Notes:
    """The notes of a clone, written by us and by git in turn."""

    def __init__(self, clone: Clone, objects: Objects) -> None:
        self.clone = clone
        self.objects = objects
        self.time_ms = 0

    @property
    def tip(self) -> Oid | None:
        found = self.clone.ref(REF)
        return None if found is None else Oid(found)

    def append(self, *lines: tuple[Oid, str]) -> None:
        """We append."""
        self.time_ms += 1000
        tip = append_notes(
            self.objects, self.tip, lines, ident=IDENT, time_ms=self.time_ms, subject=f"orch {self.time_ms}"
        )
        self.clone.git("update-ref", REF, tip)

    def by_git(self, target: Oid, text: str) -> None:
        """Somebody appends with git."""
        self.clone.git("notes", "--ref=orch", "append", "-m", text, target)

    def many_by_git(self, count: int, crowd: int = 0) -> list[Oid]:
        """The same note on so many objects that git itself makes folders; `crowd` of them begin with `ab`."""
        names = [hashlib.sha1(b"%d" % number).hexdigest() for number in range(count + crowd)]
        targets = [Oid(name if number < count else f"ab{name[2:]}") for number, name in enumerate(names)]
        self.clone.git("notes", "--ref=orch", "add", "-m", "many", "HEAD")
        pairs = "".join(f"HEAD {target}\n" for target in targets)
        self.clone.git("notes", "--ref=orch", "copy", "--stdin", stdin=pairs)
        self.clone.git("notes", "--ref=orch", "remove", "HEAD")
        return targets

    def shown(self, target: Oid) -> str:
        """What git shows."""
        return self.clone.git("notes", "--ref=orch", "show", target)

    def read(self, *targets: Oid) -> dict[Oid, str]:
        assert self.tip is not None
        return read_notes(self.objects, self.tip, targets)

    def depth(self) -> int:
        """How many levels of folders there are."""
        assert self.tip is not None
        return max(path.count("/") for path in self.clone.git("ls-tree", "-r", "--name-only", self.tip).splitlines())


@pytest.fixture
def notes(clone: Clone, objects: Objects) -> Notes:
    return Notes(clone, objects)


def blob(clone: Clone, text: str) -> Oid:
    return Oid(clone.git("hash-object", "-w", "--stdin", stdin=text))


def test_git_shows_our_notes_on_trees_and_on_commits(clone: Clone, notes: Notes) -> None:
    tree, commit = Oid(clone.git("rev-parse", "HEAD^{tree}")), Oid(clone.git("rev-parse", "HEAD"))
    notes.append((tree, "a verdict"), (commit, "a landing"), (tree, "another ünïcödé"))
    notes.append((tree, "a third"))
    assert notes.shown(tree) == "a verdict\nanother ünïcödé\na third"
    assert notes.shown(commit) == "a landing"
    assert "    a landing" in clone.git("log", "--notes=orch", "-1")
    assert notes.read(tree, commit) == {tree: "a verdict\nanother ünïcödé\na third\n", commit: "a landing\n"}
    assert set(clone.git("notes", "--ref=orch", "list").split()[1::2]) == {tree, commit}


def test_our_notes_commits_are_a_chain_that_git_accepts(clone: Clone, notes: Notes) -> None:
    tree = Oid(clone.git("rev-parse", "HEAD^{tree}"))
    notes.append((tree, "one"))
    notes.append((tree, "two"))
    assert clone.git("log", "--format=%s", REF).splitlines() == ["orch 2000", "orch 1000"]
    assert clone.git("fsck", "--strict", "--no-dangling") == ""


def test_we_read_and_extend_what_git_wrote(clone: Clone, notes: Notes) -> None:
    tree = Oid(clone.git("rev-parse", "HEAD^{tree}"))
    notes.by_git(tree, "by git")
    assert notes.read(tree) == {tree: "by git\n"}
    notes.append((tree, "by us"))
    notes.by_git(tree, "by git again")
    notes.append((tree, "by us again"))
    assert [line for line in notes.shown(tree).splitlines() if line] == [
        "by git",
        "by us",
        "by git again",
        "by us again",
    ]


@pytest.mark.parametrize(("count", "crowd", "depth"), [(3, 0, 0), (300, 0, 1), (300, 100, 2)])
def test_every_depth_of_folders_that_git_makes_is_read_and_extended(
    notes: Notes, count: int, crowd: int, depth: int
) -> None:
    targets = notes.many_by_git(count, crowd)
    assert notes.depth() == depth
    some = [targets[0], targets[1], targets[-1]]
    assert notes.read(*some) == dict.fromkeys(some, "many\n")
    fresh = [blob(notes.clone, "not noted yet"), Oid("ab" + "f" * 38)]
    notes.append(*((target, "more") for target in some), *((target, "new") for target in fresh))
    expected = {**dict.fromkeys(some, "many\nmore\n"), **dict.fromkeys(fresh, "new\n")}
    assert notes.read(*some, *fresh) == expected
    assert {target: notes.shown(target) + "\n" for target in expected} == expected
    assert len(notes.clone.git("notes", "--ref=orch", "list").splitlines()) == len(targets) + 2


def test_nothing_is_lost_when_git_and_we_write_in_turn(clone: Clone, notes: Notes) -> None:
    dice = random.Random(1)
    targets = notes.many_by_git(250)
    targets += [blob(clone, f"later {number}") for number in range(20)]
    written: dict[Oid, list[str]] = {target: ["many"] for target in targets[:250]}
    for turn in range(12):
        for target in dice.sample(targets[-40:], 3):
            line = f"turn {turn}"
            if turn % 3 == 1:
                notes.by_git(target, line)
            else:
                notes.append((target, line))
            written.setdefault(target, []).append(line)
    found = notes.read(*targets)
    assert {target: [line for line in text.splitlines() if line] for target, text in found.items()} == written
    assert len(clone.git("notes", "--ref=orch", "list").splitlines()) == len(written)
    assert clone.git("fsck", "--strict", "--no-dangling") == ""


def test_a_note_that_a_merge_left_twice_is_read_whole(objects: Objects, clone: Clone) -> None:
    target = Oid("ab" * 20)
    loose, inner = objects.write("blob", b"one\n"), objects.write("blob", b"two\n")
    folder = objects.write("tree", encode_tree([TreeEntry(FILE_MODE, target[2:].encode(), inner)]))
    entries = [TreeEntry(FILE_MODE, target.encode(), loose), TreeEntry(TREE_MODE, b"ab", folder)]
    tip = objects.write("commit", encode_commit(objects.write("tree", encode_tree(entries)), [], IDENT, 0, "m\n"))
    assert set(read_notes(objects, tip, [target])[target].split()) == {"one", "two"}
    more = append_notes(objects, tip, [(target, "three")], ident=IDENT, time_ms=0, subject="s")
    assert set(read_notes(objects, more, [target])[target].split()) == {"one", "two", "three"}


def test_what_is_no_note_stays_where_it_is(objects: Objects) -> None:
    """Anybody may keep other files in a notes tree; git carries them along, and so do we."""
    target = Oid("ab" * 20)
    file = objects.write("blob", b"mine\n")
    folder = objects.write("tree", encode_tree([TreeEntry(FILE_MODE, b"x", file)]))
    foreign = [
        TreeEntry(FILE_MODE, b"ab", file),
        TreeEntry(TREE_MODE, b"docs", folder),
        TreeEntry("120000", b"l", file),
    ]
    tip = objects.write("commit", encode_commit(objects.write("tree", encode_tree(foreign)), [], IDENT, 0, "m\n"))
    assert read_notes(objects, tip, [target]) == {}
    more = append_notes(objects, tip, [(target, "a line"), (Oid("cd" * 20), "x")], ident=IDENT, time_ms=0, subject="s")
    assert set(foreign) < set(read_tree(objects, read_commit(objects, more).tree))
    assert read_notes(objects, more, [target]) == {target: "a line\n"}


def test_notes_are_never_written_over_what_cannot_be_read(objects: Objects) -> None:
    target = Oid("ab" * 20)
    gone = Oid("1" * 40)
    for entry in (TreeEntry(TREE_MODE, b"ab", gone), TreeEntry(FILE_MODE, target.encode(), gone)):
        tree = encode_tree([entry])
        tip = objects.write("commit", encode_commit(objects.write("tree", tree), [], IDENT, 0, "m\n"))
        assert read_notes(objects, tip, [target]) == {}
        with pytest.raises(OrchError, match="a part of the notes is missing"):
            append_notes(objects, tip, [(target, "x")], ident=IDENT, time_ms=0, subject="s")
    rootless = objects.write("commit", encode_commit(gone, [], IDENT, 0, "m\n"))
    with pytest.raises(OrchError, match="a part of the notes is missing"):
        append_notes(objects, rootless, [(target, "x")], ident=IDENT, time_ms=0, subject="s")


def test_a_note_that_is_not_text_is_read_without_an_error_and_kept(objects: Objects) -> None:
    target = Oid("ab" * 20)
    note = objects.write("blob", b"\xff\xfe\x00 binary")
    tree = objects.write("tree", encode_tree([TreeEntry(FILE_MODE, target.encode(), note)]))
    tip = objects.write("commit", encode_commit(tree, [], IDENT, 0, "m\n"))
    assert "binary" in read_notes(objects, tip, [target])[target]
    more = append_notes(objects, tip, [(target, "ours")], ident=IDENT, time_ms=0, subject="s")
    (entry,) = read_tree(objects, read_commit(objects, more).tree)
    assert objects.read(entry.oid) == ("blob", b"\xff\xfe\x00 binary\nours\n")


def test_many_appends_leave_a_shallow_tree(notes: Notes) -> None:
    targets = [Oid(f"{number:02x}" + "0" * 38) for number in range(50)] + [Oid("01" + "1" * 38)]
    notes.append(*((target, "x") for target in targets))
    assert notes.depth() == 1
    assert notes.tip is not None
    assert len(read_tree(notes.objects, read_commit(notes.objects, notes.tip).tree)) == 50
    assert set(notes.read(*targets)) == set(targets)
