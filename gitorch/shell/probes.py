"""Probes of a remote: does it do what every promise rests on? Each works on scratch refs of its own and takes them
away again.

A probe answers None when all is well, otherwise what was seen. It never touches a branch or a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitorch.core.errors import OrchError, RefusedError
from gitorch.core.model import Oid
from gitorch.core.names import Namespace
from gitorch.core.writes import EventCommit, OutcomeKind, Plan, RefUpdate
from gitorch.ports import Clock, Random
from gitorch.shell.store import GitStore


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that the remote must do. `problem` is None when it does; `hint` is what may help, where that is
    known. `refused`: the remote said no, and answers otherwise."""

    name: str
    problem: str | None
    hint: str = ""
    refused: bool = False


class RemoteProbes:
    """Runs the probes in order; later ones build on the refs that earlier ones made."""

    def __init__(self, store: GitStore, namespace: Namespace, clock: Clock, random: Random) -> None:
        self._store = store
        self._clock = clock
        self._nonce = random.token()
        self._refs = [namespace.scratch(f"{self._nonce[:12]}-{i}") for i in range(2)]
        self._at: dict[str, Oid] = {}

    def run(self) -> list[Probe]:
        """All probes. The first that fails for good ends the row, because the rest would only repeat it."""
        steps: list[tuple[str, Callable[[], str | None]]] = [
            ("creates refs in the namespace", self._create),
            ("refuses to create what exists", self._create_again),
            ("compares before it swaps", self._stale),
            ("pushes all or nothing", self._atomic),
            ("deletes with a guard", self._delete),
        ]
        found: list[Probe] = []
        try:
            for name, step in steps:
                found.append(_probe(name, step))
                if found[-1].problem is not None:
                    break
        finally:
            self._clean()
        return found

    def _push(self, *updates: tuple[str, Oid | None, str | None]) -> OutcomeKind:
        """Publish events (a word) or deletions (None) on scratch refs, and follow what was written."""
        plan = Plan(tuple(RefUpdate(ref, old, self._event(old, word)) for ref, old, word in updates), "probe")
        outcome = self._store.publish(plan)
        if outcome.kind is OutcomeKind.PUBLISHED:
            for ref, oid in outcome.oids.items():
                self._at = {**self._at, ref: oid} if oid else {r: o for r, o in self._at.items() if r != ref}
        return outcome.kind

    def _event(self, previous: Oid | None, word: str | None) -> EventCommit | None:
        if word is None:
            return None
        return EventCommit(message=f"probe {self._nonce}: {word}\n", time_ms=self._clock.now_ms(), previous=previous)

    def _create(self) -> str | None:
        done = self._push((self._refs[0], None, "create"), (self._refs[1], None, "create"))
        return None if done is OutcomeKind.PUBLISHED else "creating a ref was not accepted"

    def _create_again(self) -> str | None:
        done = self._push((self._refs[0], None, "create again"))
        return None if done is OutcomeKind.CONFLICT else "a ref that existed was created a second time"

    def _stale(self) -> str | None:
        old = self._at[self._refs[0]]
        if self._push((self._refs[0], old, "update")) is not OutcomeKind.PUBLISHED:
            return "a guarded update was not accepted"
        done = self._push((self._refs[0], old, "stale"))
        return None if done is OutcomeKind.CONFLICT else "an update with an outdated old value was accepted"

    def _atomic(self) -> str | None:
        stale, before = self._at[self._refs[1]], dict(self._at)
        self._push((self._refs[1], stale, "move on"))
        done = self._push((self._refs[0], before[self._refs[0]], "rides along"), (self._refs[1], stale, "is stale"))
        return None if done is OutcomeKind.CONFLICT else "half of an atomic push was accepted"

    def _delete(self) -> str | None:
        done = self._push(*((ref, oid, None) for ref, oid in self._at.items()))
        return None if done is OutcomeKind.PUBLISHED else "a guarded deletion was not accepted"

    def _clean(self) -> None:
        if self._at:
            _probe("", lambda: str(self._push(*((ref, oid, None) for ref, oid in self._at.items()))))


def _probe(name: str, step: Callable[[], str | None]) -> Probe:
    try:
        return Probe(name, step())
    except OrchError as problem:
        # `git orch doctor` shows this: sending its reader there again would help nobody.
        hint = "" if "git orch doctor" in problem.hint else problem.hint
        return Probe(name, problem.message, hint, isinstance(problem, RefusedError))
