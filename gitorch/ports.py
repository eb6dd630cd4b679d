"""What the engine needs from the world, as protocols. The shell implements them on git and the machine,
`gitorch.memory` in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitorch.core.errors import RefusedError
from gitorch.core.model import (
    Candidate,
    GateRequest,
    GateResult,
    Oid,
    Outcome,
    Plan,
    Snapshot,
    TextualConflict,
    Verdict,
)
from gitorch.core.settings import Settings


class Clock(Protocol):
    """Two clocks: one for people, one for decisions. No decision ever compares clocks of two machines."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC, for records that people read."""

    def boot_s(self) -> float:
        """Seconds since this machine started, suspended time included; comparable between processes of one boot."""

    def boot_id(self) -> str:
        """Names this start of this machine; observations of another boot are void."""

    def sleep(self, seconds: float) -> None: ...


class Random(Protocol):
    """Where nonces, tokens, ids and waiting times come from."""

    def token(self) -> str:
        """128 random bits in hex."""

    def short_id(self) -> str:
        """A random job id of seven characters."""

    def uniform(self, low: float, high: float) -> float: ...


class Store(Protocol):
    """The shared state behind one compare-and-swap primitive; see docs/architecture.md."""

    def observe(self, branches: Iterable[str] = ()) -> Snapshot:
        """Read the remote once: all records, and the tips of `branches`. Raises UnreachableError."""

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        """Write all of the plan or nothing. Raises RefusedError when the remote says no for good, UnreachableError
        when it is certain that nothing was sent."""

    def holds(self, name: str, oid: Oid) -> bool:
        """Whether `oid` is the value of the ref, or an earlier event of its chain, as of the last observation."""

    def notes(self, snapshot: Snapshot, targets: Sequence[Oid]) -> Mapping[Oid, str]:
        """The notes on these objects as the snapshot has them; objects without a note are left out."""


class Checkouts(Protocol):
    """What the user has checked out, where the repository is its own remote and a push would move it."""

    def obstacle(self, target: str) -> RefusedError | None:
        """Why the target could not be moved now (its checkout has uncommitted changes); None when it can."""

    def in_the_way(self, target: str, base: Oid, candidate: Oid) -> RefusedError | None:
        """Which untracked or ignored files a landing of `candidate` on `base` would overwrite; None when there are
        none."""

    def may_move(self, branch: str) -> bool:
        """Whether a job's branch may follow its candidate: not when somebody has it checked out here."""


class History(Protocol):
    """Questions about commits. Nothing is written."""

    def tree_of(self, commit: Oid) -> Oid: ...

    def subject(self, commit: Oid) -> str:
        """The first line of a commit's message, as written."""

    def local_branch(self, branch: str) -> Oid | None:
        """The commit of a branch of this clone; None when it has no such branch."""

    def is_ancestor(self, older: Oid, newer: Oid) -> bool:
        """Whether `newer` contains `older` (a commit contains itself)."""

    def with_tree(self, tree: Oid, base: Oid, tip: Oid) -> Oid | None:
        """The first commit after `base` up to `tip` that has exactly this tree."""

    def dependencies(self, head: Oid, tip: Oid | None) -> tuple[str, ...]:
        """The `Depends-on:` trailers of the commits that `head` has and `tip` lacks, as written."""


class CatchUp(Protocol):
    """Brings a head onto a tip."""

    def catch_up(self, head: Oid, tip: Oid, *, keep_merges: bool) -> Candidate | TextualConflict:
        """Rebase `head` onto `tip`. A head that contains the tip keeps its commit if it is linear on top of it, or
        if `keep_merges`."""


class Policy(Protocol):
    """Configuration in force for a target."""

    def settings(self, target: str, tip: Oid | None) -> Settings:
        """`git config` on top of the `.gitorch` at the target's tip (None: the target does not exist yet). Raises
        UsageError when that cannot be read."""


class Memory(Protocol):
    """What this clone remembers between commands; all of it may be lost at any time without harm."""

    def unchanged_s(self, ref: str, oid: Oid) -> float:
        """Remember that `ref` is at `oid` now; how long this clone has seen it there, by its own clock, since this
        boot."""

    def verdict(self, tree: Oid, gate: Oid) -> Verdict | None:
        """A verdict reached here that may not have been published yet."""

    def keep_verdict(self, verdict: Verdict) -> None: ...

    def enter(self, target: str) -> bool:
        """Become the only process of this worktree that works under its lease of the target; False when another one
        lives. Lasts until the process ends."""

    def token(self, target: str) -> KeptToken | None:
        """The token of a lease that an earlier command of this worktree took."""

    def keep_token(self, target: str, token: KeptToken) -> bool:
        """Keep it for later commands of this worktree; False where that is not possible."""

    def forget_token(self, target: str) -> None: ...


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A lease's token as a worktree keeps it. `command` is what took it: `land` holds a lease only while it runs,
    `gate` and `acquire` leave it held on purpose."""

    token: str
    command: str


class Reporter(Protocol):
    """Progress for people; never results."""

    def say(self, text: str) -> None:
        """One line about what happens now."""


class GateRunner(Protocol):
    """Runs a gate on a tree."""

    def run(self, request: GateRequest, tick: Callable[[float], bool]) -> GateResult:
        """Run the gate until it ends. `tick(seconds_so_far)` is called often (several times a second); when it
        answers False the gate is stopped and the result is STOPPED."""
