"""What the engine needs from the world, as protocols. The shell implements them on git and the machine,
`gitorch.memory` in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitorch.core.errors import RefusedError
from gitorch.core.gates import GateRequest, GateResult
from gitorch.core.model import Candidate, DiaryEntry, Job, JobId, Oid, Seen, Snapshot, TextualConflict, Verdict
from gitorch.core.settings import Settings
from gitorch.core.writes import Outcome, Plan


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


class Archive(Protocol):
    """The finished jobs that were folded away, as of one commit of the archive."""

    @property
    def tip(self) -> Oid | None:
        """The archive's commit; None when nothing was ever archived."""

    def find(self, ids: Iterable[JobId]) -> Mapping[JobId, Seen[Job]]:
        """The records of these ids, each at its last event; what is not there, or not readable, is left out."""

    def of_branch(self, branch: str) -> list[Seen[Job]]:
        """The archived jobs of a branch, oldest first."""

    def ids(self, prefix: str = "") -> list[JobId]:
        """All archived ids that begin so, sorted."""


class Store(Protocol):
    """The shared state behind one compare-and-swap primitive; see docs/architecture.md."""

    def observe(self, branches: Iterable[str] = ()) -> Snapshot:
        """Read the remote once: all records, and the tips of `branches`; what live jobs wait for and is not live is
        looked up in the archive (which costs a second read where there is such a thing, and nothing where there is
        not). Raises UnreachableError."""

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        """Write all of the plan or nothing. Raises RefusedError when the remote says no for good, UnreachableError
        when it is certain that nothing was sent."""

    def holds(self, name: str, oid: Oid) -> bool:
        """Whether `oid` is the value of the ref, or an earlier event of its chain, as of the last observation."""

    def archive(self, *, fresh: bool = True) -> Archive:
        """The archive: read from the remote, or with `fresh=False` as this client saw it last. Raises
        UnreachableError."""

    def diary(self, name: str, limit: int = 1_000) -> list[DiaryEntry]:
        """The events of a chain, newest first, as of the last observation; at most `limit`. `name` is a ref of the
        remote, or the oid of an event (of an archived job)."""

    def body(self, event: Oid) -> bytes:
        """The description of a job whose last event this is: the newest payload `body` of its chain, empty when there
        is none."""

    def notes(self, snapshot: Snapshot, targets: Sequence[Oid]) -> Mapping[Oid, str]:
        """The notes on these objects as the snapshot has them; objects without a note are left out."""


class Trust(Protocol):
    """Whether what others published may be acted upon, where signatures are required (orch.requireSigned)."""

    def distrust(self, snapshot: Snapshot, seen: Seen[Job]) -> str:
        """Why the events of a job are not those of people who may publish them; empty when they are, or when nobody
        need sign. Raises UsageError when the allowed signers cannot be read."""

    def trusted_note(self, snapshot: Snapshot, target: str, noted: Oid) -> bool:
        """Whether the note on an object, as the snapshot has it, was written by one who may record verdicts."""


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

    def contained(self, commits: Sequence[Oid], tip: Oid) -> frozenset[Oid]:
        """Which of these commits `tip` contains, in one look; one that is missing here is not contained."""

    def only_in(self, tip: Oid, head: Oid) -> list[Oid]:
        """The commits that `tip` has and `head` lacks, newest first, bounded; none when one of them is missing here."""

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

    def tokens(self, target: str) -> tuple[KeptToken, ...]:
        """The tokens with which earlier commands of this worktree tried to take the lease, the oldest first: the lease
        says which of them did. A push that fails must not make them forget what they held before."""

    def keep_token(self, target: str, token: KeptToken) -> bool:
        """Keep one more for later commands of this worktree; False where that is not possible."""

    def forget_tokens(self, target: str) -> None:
        """Forget all of a target: its lease was given up."""

    def claims(self) -> Mapping[JobId, tuple[str, ...]]:
        """The tokens that commands of this worktree kept, by job: several where some of them raced for it, of which the
        record says which one won."""

    def keep_claim(self, job: JobId, token: str) -> bool:
        """Keep the token of a claim for later commands of this worktree; False where that is not possible."""

    def forget_claim(self, job: JobId, token: str | None = None) -> None:
        """Forget one token of a job, or all of them."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """A claimed job that a command is to be run for: `start` is checked out, `base` is the target's tip, `branch` is
    what its work is called, `body` its description."""

    job: Job
    token: str
    command: str
    branch: str
    start: Oid
    base: Oid
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkEnd:
    """What a command left. `why` is empty when it succeeded, otherwise what happened in one sentence; `fault` says that
    this machine could not run it, which is not the job's failure. `head` is what is checked out now (None: the worktree
    is gone), `changes` names files that are not committed."""

    why: str = ""
    fault: bool = False
    head: Oid | None = None
    changes: str = ""
    tail: bytes = b""
    log: str | None = None
    seconds: float = 0.0


class Workplace(Protocol):
    """One job being worked on, from the moment it was ordered until `leave`."""

    @property
    def path(self) -> str:
        """Where its files are; empty while that is not decided yet."""

    def poll(self) -> WorkEnd | None:
        """What the command left; None while it runs. Does not wait."""

    def stop(self) -> None:
        """Ask the command to end, and kill it if it does not. Does not wait: `poll` tells when it has ended."""

    def leave(self, saved: Oid | None) -> bool:
        """Give the worktree back, once `poll` said that the command has ended. `saved` is the commit that was submitted
        from it, if any. False when unsaved work is there: it stays, and the place is not used again."""


class Workshop(Protocol):
    """Where commands work on jobs: each in a private worktree."""

    def start(self, order: WorkOrder) -> Workplace:
        """Begin; making the worktree and running the command both go on elsewhere."""

    def notices(self) -> Sequence[str]:
        """What people should be told since the last call: worktrees that were passed over because of unsaved work."""
