"""Answers questions about commits, through the object store where that is enough and through git where it is not."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.core.model import Oid
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import Objects, read_commit

_DEPENDS_LIMIT = 1_000
_SEARCH_LIMIT = 2_000


class GitHistory:
    """Implements ports.History."""

    def __init__(self, git: Git, objects: Objects) -> None:
        self._git = git
        self._objects = objects

    def tree_of(self, commit: Oid) -> Oid:
        """See ports.History. Raises OrchError when the commit is missing here."""
        return read_commit(self._objects, commit).tree

    def subject(self, commit: Oid) -> str:
        """See ports.History. What is not UTF-8 is replaced."""
        lines = read_commit(self._objects, commit).message.lstrip(b"\n").split(b"\n", 1)
        return lines[0].decode("utf-8", "replace")

    def local_branch(self, branch: str) -> Oid | None:
        """See ports.History."""
        result = self._git.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", ok=())
        return Oid(result.text()) if result.status == 0 else None

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        """See ports.History. A commit that is missing here is no ancestor."""
        return older == newer or self._git.run("merge-base", "--is-ancestor", older, newer, ok=()).status == 0

    def with_tree(self, tree: Oid, base: Oid, tip: Oid) -> Oid | None:
        """See ports.History."""
        options = ("--reverse", "--format=%H %T", f"--max-count={_SEARCH_LIMIT}")
        lines = self._git.run("log", *options, f"{base}..{tip}", ok=()).text().split("\n")
        found = [line.split(" ") for line in lines if line]
        return next((Oid(commit) for commit, its_tree in found if its_tree == tree), None)

    def contained(self, commits: Sequence[Oid], tip: Oid) -> frozenset[Oid]:
        """See ports.History. What is listed as not in the tip is not in it; git gives up over a missing commit."""
        if not commits:
            return frozenset()
        asked = "".join(f"{commit}\n" for commit in (*commits, f"^{tip}")).encode()
        result = self._git.run("rev-list", "--stdin", stdin=asked, ok=())
        if result.status == 0:
            return frozenset(commits).difference(result.text().split())
        return frozenset(commit for commit in commits if self.is_ancestor(commit, tip))

    def only_in(self, tip: Oid, head: Oid) -> list[Oid]:
        """See ports.History."""
        result = self._git.run("rev-list", f"--max-count={_SEARCH_LIMIT}", f"{head}..{tip}", ok=())
        return [Oid(line) for line in result.text().split()] if result.status == 0 else []

    def dependencies(self, head: Oid, tip: Oid | None) -> tuple[str, ...]:
        """See ports.History."""
        only = "--format=%(trailers:key=Depends-on,valueonly,separator=%x00)%x00"
        span = head if tip is None else f"{tip}..{head}"
        result = self._git.run("log", only, f"--max-count={_DEPENDS_LIMIT}", span, ok=())
        words = (word.strip() for word in result.text().replace("\n", "\x00").split("\x00"))
        return tuple(dict.fromkeys(word for word in words if word))
