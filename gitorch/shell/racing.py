"""Races pushes on a remote, to see whether it compares before it swaps when it matters: at the same moment.

A server may pass every probe one after another and still let two win: it compares, and swaps later. All racers are
processes of git of their own, released together; the refs are scratch refs, and are taken away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import encode_commit, encode_tree
from gitorch.core.model import Oid
from gitorch.core.names import Namespace
from gitorch.core.writes import OutcomeKind
from gitorch.ports import Clock, Random
from gitorch.shell.gitcmd import NETWORK_TIMEOUT_S, NO_HOOKS, Git
from gitorch.shell.objects import Objects
from gitorch.shell.probes import Probe
from gitorch.shell.push import judge_push, parse_porcelain

_OPTIONS = ("--porcelain", "--no-verify", "--no-follow-tags", "--no-progress", "--atomic")
PROBE = "git-orch-probe"
RACERS = 8
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Race:
    """One round: what was raced for, how many were told that they won, and whether the ref is that of a winner."""

    what: str
    winners: int
    consistent: bool

    @property
    def problem(self) -> str | None:
        """What is wrong with it, as a sentence without its end."""
        if self.winners > 1:
            return f"of {RACERS} that race to {self.what}, {self.winners} are told that they won"
        if self.winners == 1 and not self.consistent:
            return f"who won the race to {self.what} is not what the ref shows"
        if self.winners == 0:
            return f"nobody wins a race to {self.what}"
        return None


class Racing:
    """Races on one remote, by its name or path."""

    def __init__(self, git: Git, objects: Objects, url: str, names: Namespace, clock: Clock, random: Random) -> None:
        self._git = git
        self._objects = objects
        self._url = url
        self._clock = clock
        self._nonce = random.token()[:12]
        self._ref = names.scratch(f"{self._nonce}-race")
        self._number = 0

    def run(self) -> list[Race]:
        """Some rounds of creating a ref, and of moving it on. Leaves nothing behind. Raises OrchError when git cannot
        be started."""
        found: list[Race] = []
        try:
            for _ in range(ROUNDS):
                self._remove()
                found.append(self._race("create a ref", None))
                found.append(self._race("move a ref on", self._present(self._ref)))
        finally:
            self._remove()
        return found

    def takes(self, folder: str) -> Probe:
        """Whether refs below `folder` can be written, by a ref beside whatever is there. It is taken away again; where
        nobody may delete it stays, and serves the next probe."""
        ref, name = f"{folder}/{PROBE}", f"takes refs below {folder}"
        try:
            old = self._present(ref)
            new = self._commit(old)
            if not self._push(ref, old, new):
                return Probe(name, "a ref there was not accepted")
        except OrchError as problem:
            return Probe(name, problem.message, "" if "git orch doctor" in problem.hint else problem.hint)
        try:
            self._push(ref, new, None)
        except OrchError:
            return Probe(f"{name}, and lets nobody delete there ({ref} stays)", None)
        return Probe(name, None)

    def _push(self, ref: str, old: Oid | None, new: Oid | None) -> bool:
        lease = f"--force-with-lease={ref}:{old or ''}"
        command = (*NO_HOOKS, "push", *_OPTIONS, lease, "--", self._url, f"{new or ''}:{ref}")
        result = self._git.run(*command, ok=(), timeout_s=NETWORK_TIMEOUT_S)
        return judge_push(result, [ref], frozenset())[0] is OutcomeKind.PUBLISHED

    def _commit(self, old: Oid | None) -> Oid:
        """A commit that nobody else has."""
        self._number += 1
        tree = self._objects.write("tree", encode_tree(()))
        message = f"race {self._nonce} {self._number}\n"
        parents = () if old is None else (old,)
        data = encode_commit(tree, parents, "git orch <git-orch@localhost>", self._clock.now_ms(), message)
        return self._objects.write("commit", data)

    def _race(self, what: str, old: Oid | None) -> Race:
        commits = [self._commit(old) for _ in range(RACERS)]
        start = [self._starter(commit, old) for commit in commits]
        running = [begin() for begin in start]
        said = [process.communicate(timeout=NETWORK_TIMEOUT_S)[0] for process in running]
        won = [commit for commit, out in zip(commits, said, strict=True) if _accepted(out)]
        return Race(what, len(won), not won or self._present(self._ref) in won)

    def _starter(self, commit: Oid, old: Oid | None) -> Callable[[], subprocess.Popen[bytes]]:
        lease = f"--force-with-lease={self._ref}:{old or ''}"
        args = (*NO_HOOKS, "push", *_OPTIONS, lease, "--", self._url, f"{commit}:{self._ref}")
        return lambda: self._git.start(*args)

    def _present(self, ref: str) -> Oid | None:
        out = self._git.run("ls-remote", "--", self._url, ref, ok=(), timeout_s=NETWORK_TIMEOUT_S).text()
        return Oid(out.split()[0]) if out else None

    def _remove(self) -> None:
        old = self._present(self._ref)
        if old is not None:
            lease = f"--force-with-lease={self._ref}:{old}"
            command = (*NO_HOOKS, "push", "--no-verify", lease, "--", self._url, f":{self._ref}")
            self._git.run(*command, ok=(), timeout_s=NETWORK_TIMEOUT_S)


def _accepted(out: bytes) -> bool:
    return any(status.flag in " +*" for status in parse_porcelain(out))
