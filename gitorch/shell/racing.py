"""Races pushes on a remote, to see whether it compares before it swaps when it matters: at the same moment.

A server may pass every probe one after another and still let two win: it compares, and swaps later. All racers are
processes of git of their own, started together; the ref is a scratch ref, and is taken away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from gitorch.core.errors import OrchError
from gitorch.core.model import Oid
from gitorch.core.names import Namespace
from gitorch.shell.gitcmd import NETWORK_TIMEOUT_S
from gitorch.shell.push import parse_porcelain
from gitorch.shell.scratch import Scratch
from gitorch.shell.send import push_command

RACERS = 8
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Race:
    """One race: what was raced for, how many were told that they won, how many were told anything, and whether the
    ref shows the winner's."""

    what: str
    winners: int
    answered: int
    consistent: bool

    @property
    def problem(self) -> str | None:
        """What is wrong with the remote, as a sentence without its end."""
        if self.winners > 1:
            return f"of {RACERS} that race to {self.what}, {self.winners} are told that they won"
        if not self.consistent:
            return f"who is told to have won the race to {self.what} is not whose the ref is then"
        return None


class Racing:
    """Races on one remote."""

    def __init__(self, scratch: Scratch, names: Namespace) -> None:
        self._scratch = scratch
        self._ref = scratch.ref(names, "race")
        self.left: list[str] = []
        """The scratch ref, where the remote did not let us take it away."""

    def run(self) -> list[Race]:
        """Some rounds of creating a ref, and of moving it on. Leaves nothing behind. Raises OrchError when git cannot
        be started, or the remote cannot be reached."""
        found: list[Race] = []
        try:
            for _ in range(ROUNDS):
                self._scratch.remove([self._ref])
                found.append(self._race("create a ref", None))
                found.append(self._race("move a ref on", self._present()))
        finally:
            with suppress(OrchError):
                self.left = self._scratch.remove([self._ref])
        return found

    def _race(self, what: str, old: Oid | None) -> Race:
        commits = [self._scratch.commit(self._ref, old, what) for _ in range(RACERS)]
        said = self._push_all(old, commits)
        won = [commit for commit, flags in zip(commits, said, strict=True) if flags & {" ", "+", "*"}]
        now = self._present()
        consistent = now in won if won else now == old
        # One whose answer was lost on the way may have won; whoever asks again finds that out.
        if not won and not all(said):
            consistent = now in (old, *commits)
        return Race(what, len(won), sum(map(bool, said)), consistent)

    def _push_all(self, old: Oid | None, commits: Iterable[Oid]) -> list[set[str]]:
        """What each was told, as the flags of git's answer: none where there was no answer."""
        scratch = self._scratch
        wish = scratch.git.run("config", "--get", "push.gpgSign", ok=()).text()
        signed = ("-c", "push.gpgSign=if-asked") if wish.lower() in ("true", "yes", "on", "1") else ()
        commands = [push_command(scratch.url, [(self._ref, old, new)], own=scratch.own) for new in commits]
        running: list[subprocess.Popen[bytes]] = []
        said: list[set[str]] = []
        scratch.expect(self._ref)
        try:
            running.extend(scratch.git.start(*signed, *command) for command in commands)
            said.extend(_flags(process) for process in running)
        finally:
            for process in running:
                _end(process)
        if all(said):
            scratch.settle(self._ref)
        return said

    def _present(self) -> Oid | None:
        return self._scratch.present([self._ref]).get(self._ref)


def _flags(process: subprocess.Popen[bytes]) -> set[str]:
    try:
        out, _ = process.communicate(timeout=NETWORK_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return set()
    return {status.flag for status in parse_porcelain(out)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """A racer that still runs (somebody interrupted the race) must not write when the ref was taken away."""
    if process.poll() is None:
        process.terminate()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
