"""Random small histories with everything that makes merging hard, as one `git fast-import` stream.

A history is a base commit, an upstream line and a branch off the base. Each commit is a list of changes, which are
plain numbers read against whatever files exist at that moment, so that hypothesis can shrink them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.support import FIRST_COMMIT_S

FOLDERS = ("", "a/", "a/b/", "c/", "c/d/e/")
NAMES = ("one", "two.txt", "three.u", "four.bin", "five.txt")
ATTRIBUTES = (
    "*.u merge=union\n",
    "*.txt -merge\n",
    "*.txt merge=binary\n",
    "one merge=ours-always\n",
    "* text=auto\n*.txt text eol=crlf\n",
    "*.u -merge\n*.bin merge=union\n",
    "[attr]mixed merge=union text\n*.txt mixed\n",
)
MESSAGES = (
    "plain",
    "# looks like a comment\n\n# and so does this",
    "trailing space  \n\n\n\ntoo many lines  ",
    "fixup! plain",
    "umlaut äöü ☃\n\nbody",
    " leading space",
    "squash! plain\n\nCo-authored-by: X <x@example.org>\n",
    "scissors\n# ------------------------ >8 ------------------------\nbelow",
)
FILE, EXECUTABLE, SYMLINK, GITLINK = "100644", "100755", "120000", "160000"

Tree = dict[str, tuple[str, bytes]]
Change = tuple[int, int, int, int]


@dataclass(frozen=True)
class Step:
    """One commit: what it does, which commits of the upstream it merges or repeats."""

    changes: tuple[Change, ...] = ()
    message: int = 0
    merges: int | None = None
    repeats: int | None = None


@dataclass(frozen=True)
class History:
    """The changes that make up the base, and the commits of both lines."""

    base: tuple[Change, ...]
    upstream: tuple[Step, ...]
    branch: tuple[Step, ...]


def put(tree: Tree, path: str, mode: str, data: bytes) -> None:
    """Add a file; what is in its way (a file as its folder, a folder in its place) goes."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        tree.pop("/".join(parts[:depth]), None)
    for other in [other for other in tree if other.startswith(path + "/")]:
        del tree[other]
    tree[path] = (mode, data)


def _lines(tree: Tree, path: str) -> list[bytes]:
    return tree[path][1].split(b"\n")


def _pick(tree: Tree, number: int) -> str | None:
    paths = sorted(tree)
    return paths[number % len(paths)] if paths else None


def _place(a: int, b: int) -> str:
    return FOLDERS[a % len(FOLDERS)] + NAMES[b % len(NAMES)]


def _edit(tree: Tree, a: int, b: int, c: int) -> None:
    path = _pick(tree, a)
    if path and tree[path][0] in (FILE, EXECUTABLE):
        lines = _lines(tree, path)
        lines[b % len(lines)] = b"edit %d" % c
        tree[path] = (tree[path][0], b"\n".join(lines))


def _append(tree: Tree, a: int, b: int, c: int) -> None:
    path = _pick(tree, a)
    if path and tree[path][0] in (FILE, EXECUTABLE):
        tree[path] = (tree[path][0], tree[path][1] + b"more %d %d\n" % (b, c))


def _add(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, _place(a, b), FILE, b"".join(b"line %d of %d\n" % (n, c % 3) for n in range(8)))


def _delete(tree: Tree, a: int, b: int, c: int) -> None:
    path = _pick(tree, a)
    if path:
        del tree[path]


def _rename(tree: Tree, a: int, b: int, c: int) -> None:
    path = _pick(tree, a)
    if path:
        mode, data = tree.pop(path)
        put(tree, _place(b, c), mode, data)


def _rename_folder(tree: Tree, a: int, b: int, c: int) -> None:
    old, new = FOLDERS[1 + a % 4], ("a/", "c/", "f/", "c/d/", "f/g/")[b % 5]
    moved = {path: tree.pop(path) for path in sorted(tree) if path.startswith(old)}
    for path, (mode, data) in moved.items():
        put(tree, new + path.removeprefix(old), mode, data)


def _mode(tree: Tree, a: int, b: int, c: int) -> None:
    path = _pick(tree, a)
    if path and tree[path][0] in (FILE, EXECUTABLE):
        tree[path] = (EXECUTABLE if tree[path][0] == FILE else FILE, tree[path][1])


def _symlink(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, _place(a, b), SYMLINK, (b"one", b"a", b"../nowhere")[c % 3])


def _gitlink(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, ("sub", "a/sub", "c/one")[a % 3], GITLINK, b"%040x" % (1 + c % 3))


def _binary(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, _place(a, 3), FILE, b"\0\1" + zlib.compress(b"%d" % c) * 3)


def _attributes(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, FOLDERS[a % len(FOLDERS)] + ".gitattributes", FILE, ATTRIBUTES[b % len(ATTRIBUTES)].encode())


def _file_for_folder(tree: Tree, a: int, b: int, c: int) -> None:
    put(tree, FOLDERS[1 + a % 4].rstrip("/"), FILE, b"file where a folder was %d\n" % c)


CHANGES: tuple[Callable[[Tree, int, int, int], None], ...] = (
    _edit,
    _append,
    _add,
    _delete,
    _rename,
    _rename_folder,
    _mode,
    _symlink,
    _gitlink,
    _binary,
    _attributes,
    _file_for_folder,
)

GENERAL = (0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
MOVES = (0, 0, 1, 2, 2, 3, 4, 4, 5, 5, 11)
ATTRIBUTED = (0, 1, 1, 1, 2, 5, 9, 10, 10)


def histories(kinds: tuple[int, ...]) -> st.SearchStrategy[History]:
    """Histories made of these indexes of CHANGES."""
    number = st.integers(0, 11)
    change = st.tuples(st.sampled_from(kinds), number, number, number)
    changes = st.lists(change, max_size=3).map(tuple)
    other = st.one_of(st.none(), st.none(), st.none(), number)
    upstream = st.builds(Step, changes=changes, message=number)
    branch = st.builds(Step, changes=changes, message=number, merges=other, repeats=other)
    base = st.lists(change, min_size=2, max_size=8).map(tuple)
    return st.builds(
        History,
        base=base,
        upstream=st.lists(upstream, min_size=1, max_size=4).map(tuple),
        branch=st.lists(branch, min_size=1, max_size=5).map(tuple),
    )


def _apply(tree: Tree, changes: tuple[Change, ...]) -> Tree:
    changed = dict(tree)
    for kind, *numbers in changes:
        CHANGES[kind](changed, *numbers)
    return changed


def _merged(base: Tree, ours: Tree, theirs: Tree) -> Tree:
    """What a careless person would commit: theirs, but whatever we changed stays ours."""
    result: Tree = {}
    for path in sorted({*ours, *theirs}):
        side = theirs if ours.get(path) == base.get(path) else ours
        if path in side:
            put(result, path, *side[path])
    return result


@dataclass
class Stream:
    """A fast-import stream under way."""

    parts: list[bytes] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)

    def commit(self, tree: Tree, message: str, parents: list[int]) -> int:
        """Write a commit. Returns its mark, from 1."""
        mark = len(self.trees) + 1
        stamp = f"{FIRST_COMMIT_S + 60 * mark} +0{mark % 10}30"
        text = message.encode()
        self.parts.append(
            f"commit refs/history/{mark}\nmark :{mark}\nauthor Änne {mark} <a{mark}@example.org> {stamp}\n"
            f"committer C <c@example.org> {stamp}\ndata {len(text)}\n".encode()
            + text
            + b"\n"
        )
        # A ref that an earlier history left would become the parent of a commit without `from`.
        self.parts += [b"from :%d\n" % parents[0]] if parents else [b"from " + b"0" * 40 + b"\n"]
        self.parts += [b"merge :%d\n" % parent for parent in parents[1:]]
        self.parts.append(b"deleteall\n")
        for path, (mode, data) in sorted(tree.items()):
            if mode == GITLINK:
                self.parts.append(b"M %s %s %s\n" % (mode.encode(), data, path.encode()))
            else:
                self.parts.append(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), path.encode(), len(data), data))
        self.trees.append(tree)
        return mark


def write(history: History) -> tuple[bytes, int, int]:
    """The stream for `git fast-import`, and the numbers N of the tip's and the head's `refs/history/<N>`."""
    stream = Stream()
    tree: Tree = {}
    for folder in FOLDERS:
        for name in NAMES[:3]:
            put(tree, folder + name, FILE, b"".join(b"%d\n" % n for n in range(10)))
    base_tree = _apply(tree, history.base)
    base = stream.commit(base_tree, "base", [])
    line = [base]
    for step in history.upstream:
        tree = _apply(stream.trees[line[-1] - 1], step.changes)
        line.append(stream.commit(tree, "upstream\n", [line[-1]]))
    head = base
    for step in history.branch:
        head = _branch_commit(stream, history, step, head, line)
    return b"".join(stream.parts), line[-1], head


def _branch_commit(stream: Stream, history: History, step: Step, head: int, line: list[int]) -> int:
    message = MESSAGES[step.message % len(MESSAGES)]
    tree = stream.trees[head - 1]
    if step.merges is not None:
        # Not the last one: a branch that contains the tip is another story.
        other = line[step.merges % max(1, len(line) - 1)]
        merged = _merged(stream.trees[line[0] - 1], tree, stream.trees[other - 1])
        return stream.commit(_apply(merged, step.changes), message, [head, other])
    if step.repeats is not None:
        repeated = history.upstream[step.repeats % len(history.upstream)].changes
        return stream.commit(_apply(tree, repeated), message, [head])
    return stream.commit(_apply(tree, step.changes), message, [head])
