"""Scratch refs on a remote: made to see how it answers, and taken away again.

Promises: nothing but the refs of one nonce, and those that are named, is written; `remove` looks at what the remote
has, not at what was answered, so that nothing stays of a push that was interrupted or of which the answer was a lie.
Does not promise that about a remote that lets nobody delete, or after a `kill -9`: what stays is harmless.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitorch.core.errors import OrchError
from gitorch.core.model import OID, Oid
from gitorch.core.names import Namespace
from gitorch.core.writes import EventCommit, OutcomeKind, RefUpdate
from gitorch.ports import Clock, Random
from gitorch.shell.gitcmd import NETWORK_TIMEOUT_S, Git
from gitorch.shell.push import judge_push, unreachable
from gitorch.shell.send import Change, push_command, run_push
from gitorch.shell.store import GitStore

LATE_S = 2.0
"""How long to look for what an interrupted push may still do: a server goes on when its client is gone."""

# Git runs it when it has seen what the remote has, and before it sends: what it pushes is what a faster one did.
_FASTER = """#!/bin/sh
cat >/dev/null
exec </dev/null >/dev/null 2>&1
faster() {
    git -c core.hooksPath=/dev/null -c "remote.$remote.mirror=false" push --force --no-verify --no-follow-tags \
        --recurse-submodules=no "$@" -- "$remote" "$ORCH_FASTER"
}
remote=$1
shift $#
if faster || faster --no-signed; then : >"$ORCH_FASTER_DONE"; fi
exit 0
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a push, and what was said. `faster`: another push came between its look and its leap."""

    kind: OutcomeKind
    detail: str
    faster: bool = False

    @property
    def published(self) -> bool:
        return self.kind is OutcomeKind.PUBLISHED


@dataclass(slots=True)
class Scratch:
    """One remote: `url` is its name, or the path of the repository itself (`own`). `folder` is where a script may
    be put for a moment."""

    git: Git
    store: GitStore
    url: str
    own: bool
    folder: Path
    clock: Clock
    nonce: str
    _open: set[str] = field(default_factory=set)  # one push of each may still arrive
    _racing: set[str] = field(default_factory=set)  # many may
    _number: int = 0

    @classmethod
    def on(cls, git: Git, store: GitStore, url: str, folder: Path, clock: Clock, random: Random) -> Scratch:
        """A row of scratch refs that nobody else has."""
        return cls(git, store, url, store.mirror.is_self, folder, clock, random.token()[:12])

    def ref(self, names: Namespace, what: str) -> str:
        return names.scratch(f"{self.nonce}-{what}")

    def commit(self, ref: str, previous: Oid | None, word: str) -> Oid:
        """An event that nobody else has: two identical ones could both win."""
        self._number += 1
        message = f"probe {self.nonce} {self._number}: {word}\n"
        event = EventCommit(message=message, time_ms=self.clock.now_ms(), previous=previous)
        written = self.store.write(RefUpdate(ref, previous, event))
        assert written is not None, "an event was written"
        return written

    def push(self, *changes: Change) -> Answer:
        """One push. Raises RefusedError."""
        return self._push(changes, None, {})

    def push_late(self, faster: tuple[str, Oid], *changes: Change) -> Answer:
        """One push that is overtaken: another one writes `faster` when this one has seen what the remote has, and has
        not sent anything. The remote alone can refuse it. Raises RefusedError."""
        self._open.add(faster[0])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="probe-", dir=self.folder) as place:
                hook, done = Path(place) / "pre-push", Path(place) / "done"
                hook.write_text(_FASTER, encoding="ascii")
                hook.chmod(0o755)
                env = {"ORCH_FASTER": f"{faster[1]}:{faster[0]}", "ORCH_FASTER_DONE": str(done)}
                answer = self._push(changes, Path(place), env)
                return Answer(answer.kind, answer.detail, done.exists())
        except OSError as problem:
            raise OrchError(
                f"no script can be written to {self.folder}: {problem.strerror}", hint="df -h . && ls -ld .git"
            ) from None

    def _push(self, changes: Sequence[Change], hooks: Path | None, env: Mapping[str, str]) -> Answer:
        refs = [name for name, _, _ in changes]
        self._open.update(refs)
        command = push_command(self.url, changes, own=self.own)
        if hooks is not None:
            command = [f"core.hooksPath={hooks}" if word.startswith("core.hooksPath=") else word for word in command]
            command.remove("--no-verify")
        result = run_push(self.git, command, env=env)
        kind, detail = judge_push(result, refs, frozenset(refs))
        if kind is not OutcomeKind.UNKNOWN:
            self._open.difference_update(refs)
        return Answer(kind, detail)

    def expect(self, ref: str) -> None:
        """Pushes of this ref are on their way that nobody here will judge, until it is settled. There may be many:
        when one was seen to write and is undone, the next may write still."""
        self._racing.add(ref)

    def settle(self, ref: str) -> None:
        self._open.discard(ref)
        self._racing.discard(ref)

    def present(self, refs: Iterable[str]) -> dict[str, Oid]:
        """What the remote has of these. Raises UnreachableError."""
        wanted = tuple(refs)
        found = self.listed(*wanted)
        return {name: oid for name, oid in found.items() if name in wanted}

    def listed(self, *patterns: str) -> dict[str, Oid]:
        """The refs that fit a pattern of `git ls-remote`. Raises UnreachableError."""
        result = self.git.run("ls-remote", "--", self.url, *patterns, ok=(), timeout_s=NETWORK_TIMEOUT_S)
        if result.status != 0:
            said = [line for line in result.error_text().splitlines() if line.strip()]
            raise unreachable(said[0] if said else f"git ls-remote ended with status {result.status}")
        rows = (line.partition("\t") for line in result.text().splitlines())
        return {name: Oid(oid) for oid, tab, name in rows if tab and OID.fullmatch(oid)}

    def remove(self, refs: Sequence[str]) -> list[str]:
        """Take refs away, whatever became of the pushes that made them. Returns those that stay."""
        left = self._remove(refs)
        seen_s = begun_s = self.clock.boot_s()
        while (self._open | self._racing).intersection(refs) and self.clock.boot_s() < seen_s + LATE_S:
            self.clock.sleep(0.1)
            if self.present(refs):
                left = self._remove(refs)
                # Where one came late, so may the next; not for ever, should somebody else write there.
                seen_s = min(self.clock.boot_s(), begun_s + 5 * LATE_S)
        return left

    def _remove(self, refs: Sequence[str]) -> list[str]:
        for name, oid in self.present(refs).items():
            try:
                if self.push((name, oid, None)).published:
                    self._open.discard(name)
            except OrchError:
                self.settle(name)  # it may not be deleted: there is nothing to wait for
        return list(self.present(refs))
