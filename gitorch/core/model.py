"""The records everything else is about: frozen, slotted, and legal by construction.

Nothing here reads a clock, a file or git. A record that would break a rule of the format cannot be built: the
constructor raises ValueError, which the codec turns into a report of damage and the command line into a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NewType, TypeVar

Oid = NewType("Oid", str)
"""A full object id: 40 (sha1) or 64 (sha256) lower-case hex digits."""

JobId = NewType("JobId", str)
"""`[a-z0-9][a-z0-9-]{0,63}`."""

OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
JOB_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
TOKEN = re.compile(r"[0-9a-f]{16,64}")

TITLE_LIMIT = 500
REASON_LIMIT = 2_000
BRANCH_LIMIT = 1_000
HOLDER_LIMIT = 200
AFTER_LIMIT = 10_000
PRIORITY_LIMIT = 1_000_000
ATTEMPT_LIMIT = 1_000_000
EPOCH_LIMIT = 10**15

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class State(Enum):
    """Where a job stands. `ready`, `waiting` and `blocked` are derived, never stored."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SUBMITTED = "submitted"
    REWORK = "rework"
    FAILED = "failed"
    DONE = "done"
    CANCELLED = "cancelled"


class Derived(Enum):
    """What a job's dependencies say about it now."""

    READY = "ready"
    WAITING = "waiting"
    BLOCKED = "blocked"


class Color(Enum):
    """What a gate said about a tree."""

    GREEN = "green"
    RED = "red"


def require_line(name: str, value: str | None, limit: int) -> None:
    """Refuse what one trailer line cannot hold. Raises ValueError."""
    if value is None:
        return
    if not value or value != value.strip():
        raise ValueError(f"{name} is empty or has spaces around it")
    if len(value) > limit:
        raise ValueError(f"{name} is longer than {limit} characters")
    if _CONTROL.search(value):
        raise ValueError(f"{name} contains control characters")


def require_match(name: str, value: str | None, pattern: re.Pattern[str]) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise ValueError(f"{name} is malformed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One unit of work, whole, as the tip of `refs/orch/jobs/<id>` states it. Times are milliseconds since 1970 UTC."""

    id: JobId
    title: str
    state: State
    target: str
    created_ms: int
    updated_ms: int
    branch: str | None = None
    head: Oid | None = None
    priority: int = 0
    after: tuple[JobId, ...] = ()
    attempt: int = 0
    worker: str | None = None
    token: str | None = None
    landed: Oid | None = None
    reason: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        require_match("id", self.id, JOB_ID)
        require_line("title", self.title, TITLE_LIMIT)
        require_line("target", self.target, BRANCH_LIMIT)
        require_line("branch", self.branch, BRANCH_LIMIT)
        require_line("worker", self.worker, HOLDER_LIMIT)
        require_line("reason", self.reason, REASON_LIMIT)
        require_match("head", self.head, OID)
        require_match("landed", self.landed, OID)
        require_match("token", self.token, TOKEN)
        if len(self.after) > AFTER_LIMIT:
            raise ValueError(f"a job waits for at most {AFTER_LIMIT} others")
        for dependency in self.after:
            require_match("after", dependency, JOB_ID)
        if abs(self.priority) > PRIORITY_LIMIT:
            raise ValueError(f"priority is outside -{PRIORITY_LIMIT}..{PRIORITY_LIMIT}")
        if self.state is State.SUBMITTED and self.head is None:
            raise ValueError("a submitted job has no head")
        if not 0 <= self.attempt <= ATTEMPT_LIMIT:
            raise ValueError(f"attempt is outside 0..{ATTEMPT_LIMIT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The exclusive right to move one target, whole, as the tip of `refs/orch/leases/<target>` states it.

    `epoch` is the fencing token: it rises with every change of hands and never falls. `token` is the digest of the
    secret of whoever holds it. `candidate`, `tree`, `gate` and `verdict` name what is being tested or was landed
    last, for people and server hooks."""

    target: str
    epoch: int
    held: bool
    ttl_s: int
    since_ms: int
    updated_ms: int
    holder: str | None = None
    token: str | None = None
    job: JobId | None = None
    base: Oid | None = None
    candidate: Oid | None = None
    tree: Oid | None = None
    gate: Oid | None = None
    verdict: Color | None = None
    reason: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        require_line("target", self.target, BRANCH_LIMIT)
        require_line("holder", self.holder, HOLDER_LIMIT)
        require_line("reason", self.reason, REASON_LIMIT)
        require_match("token", self.token, TOKEN)
        require_match("job", self.job, JOB_ID)
        for name in ("base", "candidate", "tree", "gate"):
            require_match(name, getattr(self, name), OID)
        if not 1 <= self.epoch <= EPOCH_LIMIT:
            raise ValueError(f"epoch is outside 1..{EPOCH_LIMIT}")
        if not 1 <= self.ttl_s <= 31_536_000:
            raise ValueError("ttl is outside one second to one year")
        if self.held and (self.holder is None or self.token is None):
            raise ValueError("a held lease names no holder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate said about a tree: one line of the note on that tree. `gate` is the digest of the gate's text."""

    color: Color
    tree: Oid
    gate: Oid
    time_ms: int
    seconds: float = 0.0
    job: JobId | None = None
    by: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingRecord:
    """What landed as a commit of the target: one line of the note on that commit."""

    job: JobId
    target: str
    head: Oid
    base: Oid
    time_ms: int
    branch: str | None = None
    gate: Oid | None = None


Record = TypeVar("Record", Job, Lease)


@dataclass(frozen=True, slots=True)
class Seen(Generic[Record]):
    """A record and the oid of the event it was read at: what a compare-and-swap must name."""

    oid: Oid
    record: Record


@dataclass(frozen=True, slots=True)
class Damage:
    """Something under the namespace that could not be read. It is reported and never acted upon. `newer`: a later
    version of git orch wrote it, and can read it."""

    ref: str
    problem: str
    newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One observation of the remote. Branches are those that were asked for: present in `heads`, or asked for and
    absent."""

    jobs: Mapping[JobId, Seen[Job]] = field(default_factory=dict)
    leases: Mapping[str, Seen[Lease]] = field(default_factory=dict)
    heads: Mapping[str, Oid] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    notes: Oid | None = None
    damaged: tuple[Damage, ...] = ()

    def tip(self, branch: str) -> Oid | None:
        """The remote's value of a branch that was asked for, None if it does not exist there."""
        assert branch in self.asked, f"branch {branch!r} was not observed"
        return self.heads.get(branch)

    def damage_of(self, ref: str) -> Damage | None:
        """What is wrong with a ref of the remote; None when it was readable, or is not there."""
        return next((damage for damage in self.damaged if damage.ref == ref), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCommit:
    """An event that is still to be written: the message carries the whole record, the files are payloads.

    `previous` is the event before it on its chain, `keeps` are commits of users that it keeps alive. The first
    parent is always of the chain, so that `git log --first-parent` is a diary: an event that begins a chain and
    keeps something gets the constant root (gitorch.core.gitobjects) as its first parent."""

    message: str
    time_ms: int
    previous: Oid | None = None
    keeps: tuple[Oid, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesAppend:
    """One line to append to the notes of each object, on top of the notes commit `base`."""

    base: Oid | None
    lines: tuple[tuple[Oid, str], ...]
    subject: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One compare-and-swap: `name` goes from `expected_old` (None: must not exist) to `new` (None: is deleted)."""

    name: str
    expected_old: Oid | None
    new: Oid | EventCommit | NotesAppend | None

    def __post_init__(self) -> None:
        if self.new is None and self.expected_old is None:
            raise ValueError("an update from nothing to nothing guards nothing")
        if self.new is not None and self.new == self.expected_old:
            # Git does not send a ref whose value stays, so such an "update" would be a guard that is not there.
            raise ValueError(f"{self.name} would not change: a ref that is not sent guards nothing")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to publish, in one atomic push, and why."""

    updates: tuple[RefUpdate, ...]
    reason: str

    def __post_init__(self) -> None:
        names = [update.name for update in self.updates]
        if not names or len(set(names)) != len(names):
            raise ValueError("a plan changes at least one ref, and each of them once")


class OutcomeKind(Enum):
    """PUBLISHED: all of it happened. CONFLICT: nothing happened, somebody was faster. UNKNOWN: the answer did not
    arrive."""

    PUBLISHED = "published"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. `oids` are the values that were (or would have been) written, by ref name."""

    kind: OutcomeKind
    oids: Mapping[str, Oid | None]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would land: a commit, its exact tree, and the tip it was built on. `commit == base` means that nothing
    is left to land."""

    commit: Oid
    tree: Oid
    base: Oid


@dataclass(frozen=True, slots=True)
class TextualConflict:
    """The head could not be rebased onto the tip. `paths` are unquoted; bytes that are not UTF-8 are surrogates."""

    head: Oid
    tip: Oid
    paths: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must pass on a candidate: shell commands, run in order. `origin` says where they were defined.
    `keep_ignored` leaves ignored files of earlier gates in the worktree."""

    commands: tuple[str, ...]
    digest: Oid
    origin: str
    timeout_s: float = 3600.0
    retries: int = 0
    keep_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """One run of a gate on one tree."""

    gate: Gate
    commit: Oid
    tree: Oid
    target: str
    base: Oid
    job: JobId | None


class GateEnd(Enum):
    """How a gate run ended. STOPPED: we stopped it (the lease was lost, or a signal came); it said nothing about
    the tree."""

    GREEN = "green"
    RED = "red"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate run left. `reason` is one sentence for RED and STOPPED; `log` is the path of the whole output."""

    end: GateEnd
    seconds: float
    reason: str = ""
    tail: bytes = b""
    log: str | None = None
    runs: int = 1
