"""Three sites on which the same contract must hold: a store in memory, one on a bare remote by path, and one in a
repository that is its own remote.

A Site is the truth and what a test may do to it behind everybody's back; `site.client()` is one more participant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from gitorch.core.model import Oid
from gitorch.core.names import SELF, Mirror, Namespace
from gitorch.engine.world import World
from gitorch.memory import MemoryRemote, MemoryStore
from gitorch.ports import Store
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import GitObjects
from gitorch.shell.store import GitStore
from gitorch.shell.system import RealClock, RealRandom
from tests.support import Clone, Remote, Repo, git, make_alone, make_remote

IDENT = "Ada Author <ada@example.org>"
ORIGIN = Mirror("origin", Namespace())
STAMP = f"{IDENT} 1600000000 +0000"


class Site(ABC):
    """The remote of a test."""

    namespace = Namespace()

    @abstractmethod
    def client(self) -> Store:
        """One more participant, with a view of its own."""

    @abstractmethod
    def commit(self, client: Store, name: str, *parents: Oid) -> Oid:
        """A plain commit that this client has and may push: the same name and parents give the same commit."""

    @abstractmethod
    def refs(self) -> dict[str, str]:
        """All refs of the remote, as it has them now."""

    @abstractmethod
    def put(self, ref: str, data: bytes, kind: str = "commit") -> None:
        """Let a stranger with push rights set a ref: to a commit with this message, or to another kind of object."""

    def put_many(self, messages: dict[str, bytes]) -> None:
        """Like `put` of commits."""
        for ref, message in messages.items():
            self.put(ref, message)

    @abstractmethod
    def delete(self, ref: str) -> None:
        """Let a stranger delete a ref."""

    @abstractmethod
    def lose_next_answer(self, *, applied: bool) -> None:
        """Let the connection of the next push break, after the remote applied it or before."""

    @abstractmethod
    def refuse(self, words: str) -> None:
        """Let the remote refuse every push from now on."""

    @abstractmethod
    def vanish(self) -> None:
        """Let nobody reach the remote from now on."""

    def world(self, client: Store) -> World:
        """What gitorch.engine.exchange needs; the other ports are not there."""
        return World(
            store=client,
            clock=RealClock(),
            random=RealRandom(),
            reporter=Heard(),
            namespace=self.namespace,
            holder="test",
            **{port: cast(Any, None) for port in ("history", "catch_up", "gates", "policy", "memory", "checkouts")},
        )


@dataclass
class Heard:
    """A reporter that remembers."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


class MemorySite(Site):
    def __init__(self) -> None:
        self.remote = MemoryRemote()
        self.remote.refs["refs/heads/main"] = self.remote.commit("first")

    def client(self) -> Store:
        return MemoryStore(self.remote)

    def commit(self, client: Store, name: str, *parents: Oid) -> Oid:
        return self.remote.commit(name, *parents)

    def refs(self) -> dict[str, str]:
        return dict(self.remote.refs)

    def put(self, ref: str, data: bytes, kind: str = "commit") -> None:
        self.remote.put(ref, data, kind)

    def delete(self, ref: str) -> None:
        del self.remote.refs[ref]

    def lose_next_answer(self, *, applied: bool) -> None:
        self.remote.lose_next_answer(applied=applied)

    def refuse(self, words: str) -> None:
        self.remote.refusal = words

    def vanish(self) -> None:
        self.remote.reachable = False


def open_store(path: Path, mirror: Mirror = ORIGIN, url: str = "origin") -> GitStore:
    """A store on the remote of any repository. The caller closes it."""
    git_dir = Path(git(path, "rev-parse", "--absolute-git-dir"))
    program = Git(path, git_dir=git_dir)
    oid_bytes = 32 if git(path, "rev-parse", "--show-object-format") == "sha256" else 20
    objects = GitObjects(program, oid_bytes)
    return GitStore(program, mirror, objects, ident=IDENT, url=url, clock=RealClock(), random=RealRandom())


class GitSite(Site):
    """A bare remote by path; every client is a clone of its own."""

    def __init__(self, folder: Path) -> None:
        self.repo: Repo = make_remote(folder)
        self._paths: dict[int, Path] = {}
        self._opened: list[GitStore] = []
        self._numbers: Iterator[int] = count()

    def client(self) -> GitStore:
        assert isinstance(self.repo, Remote)
        clone = self.repo.clone(f"client-{next(self._numbers)}", "--no-checkout")
        return self.open(clone.path, Mirror("origin", self.namespace), "origin")

    def open(self, path: Path, mirror: Mirror, url: str) -> GitStore:
        store = open_store(path, mirror, url)
        self._opened.append(store)
        self._paths[id(store)] = path
        return store

    def close(self) -> None:
        """End the helper processes of all clients."""
        for store in self._opened:
            store.close()

    def path_of(self, client: Store) -> Path:
        """The repository of a client."""
        return self._paths[id(client)]

    def clone_of(self, client: Store) -> Clone:
        return Clone(self.path_of(client))

    def commit(self, client: Store, name: str, *parents: Oid) -> Oid:
        return write_commit(self.path_of(client), f"{name}\n".encode(), *parents)

    def refs(self) -> dict[str, str]:
        return self.repo.refs()

    def put(self, ref: str, data: bytes, kind: str = "commit") -> None:
        path = self.repo.path
        if kind == "commit":
            value: str = write_commit(path, data)
        elif kind == "tag":
            head = f"object {git(path, 'rev-parse', 'main')}\ntype commit\ntag t\ntagger {STAMP}\n\n".encode()
            value = git(path, "hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=head + data)
        elif kind == "tree":
            value = git(path, "mktree", stdin="")
        else:
            value = git(path, "hash-object", "-w", "--stdin", stdin=data)
        git(path, "update-ref", ref, value)

    def put_many(self, messages: dict[str, bytes]) -> None:
        """Like `put` of commits, in one process."""
        parts = [
            f"commit {ref}\ncommitter {STAMP}\ndata {len(message)}\n".encode() + message + b"\n"
            for ref, message in messages.items()
        ]
        git(self.repo.path, "fast-import", "--quiet", stdin=b"".join(parts))

    def delete(self, ref: str) -> None:
        git(self.repo.path, "update-ref", "-d", ref)

    def lose_next_answer(self, *, applied: bool) -> None:
        # `post-receive` would be too late: by then the answer is on its way. The hook runs once.
        if applied:
            self.repo.hook(
                "reference-transaction", 'if [ "$1" = committed ]; then rm -- "$0"; kill -9 $PPID; fi; exit 0\n'
            )
        else:
            self.repo.hook("pre-receive", 'rm -- "$0"; kill -9 $PPID\n')

    def refuse(self, words: str) -> None:
        self.repo.hook("pre-receive", f"cat <<'END' >&2\n{words}\nEND\nexit 1\n")

    def vanish(self) -> None:
        self.repo.path.rename(self.repo.path.with_name("gone"))


class BranchesOnlySite(GitSite):
    """A host that takes nothing but branches: `orch.namespace = refs/heads/orch`."""

    namespace = Namespace("refs/heads/orch")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.repo.hook("pre-receive", 'grep -qv " refs/heads/" || exit 0; echo "branches only" >&2; exit 1\n')


class OwnSite(GitSite):
    """A repository without a remote; every client works in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.repo = make_alone(folder)

    def client(self) -> GitStore:
        path = self.repo.path
        return self.open(path, Mirror(SELF, self.namespace), str(path / ".git"))


def write_commit(path: Path, message: bytes, *parents: Oid) -> Oid:
    """A commit of the empty tree with any message, whatever git thinks of it."""
    tree = git(path, "mktree", stdin="")
    head = "".join(f"parent {parent}\n" for parent in parents)
    data = f"tree {tree}\n{head}author {STAMP}\ncommitter {STAMP}\n\n".encode() + message
    return Oid(git(path, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=data))


GIT_SITES = {"bare": GitSite, "own": OwnSite}


@pytest.fixture(params=["memory", *GIT_SITES])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Each of the three sites in turn."""
    if request.param == "memory":
        yield MemorySite()
        return
    yield from _opened(GIT_SITES[request.param](tmp_path))


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[GitSite]:
    """A bare remote."""
    yield from _opened(GitSite(tmp_path))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnSite]:
    """A repository without a remote."""
    yield from _opened(OwnSite(tmp_path))


@pytest.fixture
def branches_only(tmp_path: Path) -> Iterator[BranchesOnlySite]:
    """A bare remote that takes nothing but branches."""
    yield from _opened(BranchesOnlySite(tmp_path))


def _opened(site: Any) -> Iterator[Any]:
    try:
        yield site
    finally:
        site.close()
