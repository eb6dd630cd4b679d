"""Probes of a remote: does it do what every promise rests on? Each works on scratch refs of its own and takes them
away again.

A probe answers None when all is well, otherwise what was seen. It never touches a branch or a record. What git would
refuse by itself, because it has seen that the remote has something else, proves nothing about the remote: so each
guard is tried by a push that is overtaken after that look. And what the remote says is compared with what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitorch.core.errors import OrchError, RefusedError
from gitorch.core.model import Oid
from gitorch.core.names import Namespace
from gitorch.core.writes import OutcomeKind
from gitorch.shell.scratch import Answer, Scratch
from gitorch.shell.send import Change

NOTES_PROBE = "git-orch-probe"
_TRIES = 3


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

    def __init__(self, scratch: Scratch, namespace: Namespace) -> None:
        self._scratch = scratch
        self._first, self._second, self._third = (scratch.ref(namespace, f"{i}") for i in range(3))
        self._refs = [self._first, self._second, self._third]
        self._at: dict[str, Oid] = {}
        self.left: list[str] = []
        """The scratch refs that the remote did not let us take away."""

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
                found.append(probed(name, step))
                if found[-1].problem is not None:
                    break
        finally:
            self._clean()
        return found

    def _create(self) -> str | None:
        return self._accepted("creating refs", (self._first, None, "create"), (self._second, None, "create"))

    def _create_again(self) -> str | None:
        answer = self._overtaken(self._third, (self._third, None, "create late"))
        return self._judged(answer, "creating a ref that existed by then was accepted")

    def _stale(self) -> str | None:
        problem = self._accepted("a guarded update", (self._first, self._at[self._first], "update"))
        if problem is not None:
            return problem
        answer = self._overtaken(self._first, (self._first, self._at[self._first], "is stale"))
        return self._judged(answer, "an update with an outdated old value was accepted")

    def _atomic(self) -> str | None:
        answer = self._overtaken(
            self._second,
            (self._first, self._at[self._first], "rides along"),
            (self._second, self._at[self._second], "is stale"),
        )
        return self._judged(answer, "half of an all-or-nothing push was accepted")

    def _delete(self) -> str | None:
        answer = self._overtaken(self._first, (self._first, self._at[self._first], None))
        problem = self._judged(answer, "deleting a ref that had another value by then was accepted")
        return problem or self._accepted("a guarded deletion", *((ref, oid, None) for ref, oid in self._at.items()))

    def _accepted(self, what: str, *updates: tuple[str, Oid | None, str | None]) -> str | None:
        """A push that nobody disturbs: it must be accepted, and be seen."""
        changes = [self._change(*update) for update in updates]
        answer = self._scratch.push(*changes)
        if not answer.published:
            return f"{what} was not accepted ({answer.detail or 'nothing was said'})"
        for ref, _, new in changes:
            self._follow(ref, new)
        return self._shown()

    def _overtaken(self, ref: str, *updates: tuple[str, Oid | None, str | None]) -> Answer:
        """A push that another one overtakes at one of its refs."""
        faster = self._scratch.commit(ref, self._at.get(ref), "is faster")
        changes = [self._change(*update) for update in updates]
        answer = self._scratch.push_late((ref, faster), *changes)
        if answer.faster:
            self._follow(ref, faster)
        return answer

    def _judged(self, answer: Answer, accepted: str) -> str | None:
        """What is wrong with the answer to a push that had to be refused."""
        if not answer.faster:
            return f"two pushes, one within the other, were not possible ({answer.detail or 'the first was refused'})"
        if answer.published:
            return accepted
        if answer.kind is OutcomeKind.UNKNOWN:
            return f"no clear answer came ({answer.detail})"
        return self._shown(accepted)

    def _shown(self, accepted: str = "") -> str | None:
        """Whether the remote shows what it said."""
        seen = self._scratch.present(self._refs)
        if seen == self._at:
            return None
        if accepted:
            return f"{accepted}, although it was answered that it was not"
        return "what was accepted cannot be seen a moment later (is it another place, or does something undo it?)"

    def _change(self, ref: str, old: Oid | None, word: str | None) -> Change:
        return ref, old, None if word is None else self._scratch.commit(ref, old, word)

    def _follow(self, ref: str, oid: Oid | None) -> None:
        self._at = {name: value for name, value in self._at.items() if name != ref} | ({ref: oid} if oid else {})

    def _clean(self) -> None:
        try:
            self.left = self._scratch.remove(self._refs)
        except OrchError:
            self.left = list(self._at)


def takes_notes(scratch: Scratch, folder: str) -> Probe:
    """Whether refs below `folder` can be written, by a ref beside whatever is there. It is taken away again; where
    nobody may delete it stays, and serves the next probe."""
    ref, name = f"{folder}/{NOTES_PROBE}", f"takes refs below {folder}"
    try:
        written = probed(name, lambda: _written(scratch, ref))
    finally:
        left = _left(scratch, ref)
    if written.problem is None and left:
        return Probe(f"{name}, and lets nobody delete there ({ref} stays)", None)
    return written


def _written(scratch: Scratch, ref: str) -> str | None:
    for _ in range(_TRIES):
        old = scratch.present([ref]).get(ref)
        answer = scratch.push((ref, old, scratch.commit(ref, old, "notes")))
        if answer.published:
            return None
        # The name is the same for everybody, so another doctor may be faster.
    return f"a ref there was not accepted ({answer.detail})"


def _left(scratch: Scratch, ref: str) -> list[str]:
    try:
        return scratch.remove([ref])
    except OrchError:
        return []


def probed(name: str, step: Callable[[], str | None]) -> Probe:
    """The result of one step, whatever it raises."""
    try:
        return Probe(name, step())
    except OrchError as problem:
        # `git orch doctor` shows this: sending its reader there again would help nobody.
        hint = "" if "git orch doctor" in problem.hint else problem.hint
        return Probe(name, problem.message, hint, isinstance(problem, RefusedError))
