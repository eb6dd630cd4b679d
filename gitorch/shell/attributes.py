"""Which folders of a history have a `.gitattributes`, found at the price of what changed.

Git takes merge attributes from files, never from the trees it merges, so a repository without files must have these
files after all. Promises: the folders known for a commit are all that it has, and maybe some more. Does not name the
root, whose files are always there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gitorch.core.model import Oid
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import GitError

PATHSPEC = ":(top,glob)**/.gitattributes"
_SUFFIX = b"/.gitattributes"
_KNOWN_LIMIT = 8

_EMPTY_TREE = {
    40: Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    64: Oid("6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"),
}


class AttributeFolders:
    """What is known so far, kept in a file between commands: `folders` covers each of the `known` commits. Only facts
    about commits, so it cannot become wrong, only useless."""

    def __init__(self, path: Path, changed: Callable[[Oid, Oid], bytes]) -> None:
        """`changed(old, new)` lists the NUL-separated attribute files in which two trees differ; it raises GitError
        when one is missing."""
        self._path = path
        self._changed = changed
        self._known, self.folders = _read(path)

    def learn(self, commit: Oid) -> None:
        """Cover one more commit. Raises GitError if it is not there."""
        if commit not in self._known:
            self.cover(commit, self._since_known(commit))

    def cover(self, commit: Oid, folders: Iterable[str]) -> None:
        """Take note that the known folders and these cover `commit`."""
        self.folders |= frozenset(folders)
        self._known = [*(known for known in self._known if known != commit), commit][-_KNOWN_LIMIT:]
        crash_point("before attribute folders are written")
        part = self._path.with_name(self._path.name + ".part")
        part.write_text(json.dumps({"known": self._known, "folders": sorted(self.folders)}), "ascii")
        part.replace(self._path)
        crash_point("after attribute folders are written")

    def _since_known(self, commit: Oid) -> frozenset[str]:
        if self._known:
            try:
                return listed_folders(self._changed(self._known[-1], commit))
            except GitError:  # git has collected that commit
                self._known, self.folders = [], frozenset()
        return listed_folders(self._changed(_EMPTY_TREE[len(commit)], commit))


def listed_folders(output: bytes) -> frozenset[str]:
    """The folders of the attribute files in NUL-separated output of git; whatever else it contains is passed over."""
    paths = (entry.removeprefix(b"\n") for entry in output.split(b"\0"))
    return frozenset(
        path.removesuffix(_SUFFIX).decode("utf-8", "surrogateescape") for path in paths if path.endswith(_SUFFIX)
    )


def cone(folders: Iterable[str]) -> bytes:
    """A sparse-checkout file in cone mode: the files at the root and, of these folders and of all above them, the files
    directly inside."""
    wanted = sorted({above for folder in folders for above in _with_parents(folder)})
    if any("\n" in folder for folder in wanted):
        return b"/*\n"  # such a name cannot be spelled in this file: all files, then
    lines = ["/*", "!/*/"]
    for folder in wanted:
        escaped = re.sub(r"([\\*?\[])", r"\\\1", folder)
        lines += [f"/{escaped}/", f"!/{escaped}/*/"]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def _with_parents(folder: str) -> list[str]:
    parts = folder.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _read(path: Path) -> tuple[list[Oid], frozenset[str]]:
    try:
        said = json.loads(path.read_text("ascii"))
        return [Oid(commit) for commit in said["known"]], frozenset(said["folders"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return [], frozenset()
