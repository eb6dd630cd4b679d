"""Commits of users, and what the engine asks about them: ancestry, rebases, trees. Histories are lines, files are a
path and a text; that is enough for conflicts of text and of meaning.

A text says what it means: `bad` fails the gate by itself; of the words `group:member` all members of a group in one
tree must be the same, so two branches can be green each and red together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gitorch.core.errors import MissingError
from gitorch.core.model import Candidate, Oid, TextualConflict

GATE_FILE = ".gitorch"
Files = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Commit:
    """One commit; `depth` counts its ancestors."""

    oid: Oid
    parent: Commit | None
    files: Files
    subject: str
    depth: int

    @cached_property
    def tree(self) -> Oid:
        text = "\n".join(f"{path} {text}" for path, text in sorted(self.files.items()))
        return _oid("tree", text)

    @cached_property
    def sound(self) -> bool:
        """Whether the gate passes on these files, the truth that a flaky gate may not tell."""
        members: dict[str, str] = {}
        for text in self.files.values():
            for word in text.split():
                group, colon, member = word.partition(":")
                if word == "bad" or (colon and members.setdefault(group, member) != member):
                    return False
        return True


@dataclass(slots=True)
class Commits:
    """All commits of a simulation, wherever they are."""

    known: dict[Oid, Commit] = field(default_factory=dict)
    trees: dict[Oid, Commit] = field(default_factory=dict)

    def make(self, parent: Commit | None, changes: Mapping[str, str | None], subject: str) -> Commit:
        """A commit on `parent`; a change to None deletes. The same commit if it was made before."""
        files = dict(parent.files) if parent is not None else {}
        for path, text in changes.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = text
        text = f"{parent.oid if parent else ''} {subject} {sorted(files.items())}"
        oid = _oid("commit", text)
        depth = 0 if parent is None else parent.depth + 1
        made = self.known.setdefault(oid, Commit(oid, parent, files, subject, depth))
        self.trees.setdefault(made.tree, made)
        return made

    def of(self, oid: Oid) -> Commit:
        """Raises MissingError, as git does for a commit that is not there."""
        try:
            return self.known[oid]
        except KeyError:
            raise MissingError(f"commit {oid} is missing", hint="git orch fsck") from None

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        """See ports.History."""
        wanted, at = self.of(older), self.of(newer)
        while at.depth > wanted.depth:
            assert at.parent is not None
            at = at.parent
        return at is wanted

    def fork(self, one: Commit, other: Commit) -> Commit | None:
        """The last commit that both lines have."""
        left: Commit | None = one
        right: Commit | None = other
        while left is not right:
            if left is None or right is None:
                return None
            if left.depth > right.depth:
                left = left.parent
            elif right.depth > left.depth:
                right = right.parent
            else:
                left, right = left.parent, right.parent
        return left

    def rebased(self, head: Oid, tip: Oid) -> Candidate | TextualConflict:
        """`head` on `tip`: its changes since the fork as one commit, conflicts where both lines changed a path."""
        mine, onto = self.of(head), self.of(tip)
        fork = self.fork(mine, onto)
        if fork is onto:
            return Candidate(mine.oid, mine.tree, onto.oid)
        before: Files = fork.files if fork is not None else {}
        changes = {path: mine.files.get(path) for path in before.keys() | mine.files.keys()}
        changes = {path: text for path, text in sorted(changes.items()) if text != before.get(path)}
        missing = {path: text for path, text in changes.items() if onto.files.get(path) != text}
        clashes = tuple(path for path in missing if onto.files.get(path) != before.get(path))
        if clashes:
            return TextualConflict(head, tip, clashes)
        built = self.make(onto, missing, mine.subject) if missing else onto
        return Candidate(built.oid, built.tree, onto.oid)


def _oid(kind: str, text: str) -> Oid:
    return Oid(hashlib.sha1(f"{kind} {text}".encode(), usedforsecurity=False).hexdigest())


class SimHistory:
    """Implements ports.History and ports.CatchUp for one clone: `branches` are its local ones."""

    def __init__(self, commits: Commits, branches: Mapping[str, Oid], step: Callable[[float], None]) -> None:
        self._commits = commits
        self._branches = branches
        self._step = step

    def tree_of(self, commit: Oid) -> Oid:
        return self._commits.of(commit).tree

    def subject(self, commit: Oid) -> str:
        return self._commits.of(commit).subject

    def local_branch(self, branch: str) -> Oid | None:
        return self._branches.get(branch)

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        return self._commits.is_ancestor(older, newer)

    def with_tree(self, tree: Oid, base: Oid, tip: Oid) -> Oid | None:
        line = self.only_in(tip, base)
        return next((oid for oid in reversed(line) if self._commits.of(oid).tree == tree), None)

    def contained(self, commits: Sequence[Oid], tip: Oid) -> frozenset[Oid]:
        known = self._commits.known
        return frozenset(oid for oid in commits if oid in known and self._commits.is_ancestor(oid, tip))

    def only_in(self, tip: Oid, head: Oid) -> list[Oid]:
        known = self._commits.known
        if tip not in known or head not in known:
            return []
        fork = self._commits.fork(known[tip], known[head])
        found: list[Oid] = []
        at: Commit | None = known[tip]
        while at is not None and at is not fork:
            found.append(at.oid)
            at = at.parent
        return found

    def dependencies(self, head: Oid, tip: Oid | None) -> tuple[str, ...]:
        del head, tip
        return ()

    def catch_up(self, head: Oid, tip: Oid, *, keep_merges: bool) -> Candidate | TextualConflict:
        del keep_merges
        self._step(0.3)
        return self._commits.rebased(head, tip)
