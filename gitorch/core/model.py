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
RUN_LIMIT = 4_000
LABEL_LIMIT = 50
SLOT_LIMIT = 10_000
TTL_LIMIT_S = 31_536_000

WORKER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:+-]{0,63}")

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
    """One unit of work, whole, as the tip of `refs/orch/jobs/<id>` states it. Times are milliseconds since 1970 UTC.

    `token` is the digest of the secret of whoever has claimed it, `ttl_s` how long that claim lives without a sign of
    life. `kept` says where the signs are: on the ref of its worker too (a running `git orch work`), or on the job's own
    ref alone (a one-shot `git orch claim`). `slot` is the concurrency slot that the claim took. `lands` is False for
    work without a branch: it ends in `done` by word of its worker."""

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
    ttl_s: int | None = None
    kept: bool = False
    slot: int | None = None
    landed: Oid | None = None
    labels: tuple[str, ...] = ()
    run: str | None = None
    lands: bool = True
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
        self._check_claim()
        require_line("run", self.run, RUN_LIMIT)
        if len(self.labels) > LABEL_LIMIT:
            raise ValueError(f"a job has at most {LABEL_LIMIT} labels")
        for label in self.labels:
            require_match("label", label, LABEL)

    def _check_claim(self) -> None:
        if self.state is State.CLAIMED and (self.worker is None or self.token is None or self.ttl_s is None):
            raise ValueError("a claimed job names no worker")
        if self.ttl_s is not None and not 1 <= self.ttl_s <= TTL_LIMIT_S:
            raise ValueError("ttl is outside one second to one year")
        if self.slot is not None and not 1 <= self.slot <= SLOT_LIMIT:
            raise ValueError(f"slot is outside 1..{SLOT_LIMIT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Presence of one worker, as the tip of `refs/orch/workers/<id>` states it. Each event is a heartbeat; `present` is
    False once it has left. `holder` (user, host, pid) is for people and decides nothing."""

    id: str
    holder: str
    present: bool
    capacity: int
    ttl_s: int
    since_ms: int
    updated_ms: int
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        require_match("id", self.id, WORKER_ID)
        require_line("holder", self.holder, HOLDER_LIMIT)
        if not 1 <= self.capacity <= SLOT_LIMIT:
            raise ValueError(f"capacity is outside 1..{SLOT_LIMIT}")
        if not 1 <= self.ttl_s <= TTL_LIMIT_S:
            raise ValueError("ttl is outside one second to one year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One of the `orch.maxConcurrency` places for claimed jobs, as the tip of `refs/orch/slots/<number>` states it. A
    held slot names the job that has it and the digest of that claim's token."""

    number: int
    held: bool
    updated_ms: int
    job: JobId | None = None
    token: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        require_match("job", self.job, JOB_ID)
        require_match("token", self.token, TOKEN)
        if not 1 <= self.number <= SLOT_LIMIT:
            raise ValueError(f"slot is outside 1..{SLOT_LIMIT}")
        if self.held and (self.job is None or self.token is None):
            raise ValueError("a held slot names no job")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEdit:
    """The last change of dependencies after a job was made, as the tip of `refs/orch/graph` states it: what `job` waits
    for since. The edges themselves are the jobs' own `After`; this ref is where all later edits meet, so that two which
    would close a cycle together cannot both be published. `edits` counts them."""

    job: JobId
    edits: int
    updated_ms: int
    after: tuple[JobId, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        require_match("job", self.job, JOB_ID)
        if len(self.after) > AFTER_LIMIT:
            raise ValueError(f"a job waits for at most {AFTER_LIMIT} others")
        for dependency in self.after:
            require_match("after", dependency, JOB_ID)
        if not 1 <= self.edits <= EPOCH_LIMIT:
            raise ValueError("edits is out of bounds")


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


Record = TypeVar("Record", Job, Lease, Worker, Slot, GraphEdit)


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
    absent. `archived` has the finished jobs that live ones wait for and that are in the archive (each at its last
    event); others are looked up with `Store.archived`."""

    jobs: Mapping[JobId, Seen[Job]] = field(default_factory=dict)
    archived: Mapping[JobId, Seen[Job]] = field(default_factory=dict)
    leases: Mapping[str, Seen[Lease]] = field(default_factory=dict)
    workers: Mapping[str, Seen[Worker]] = field(default_factory=dict)
    slots: Mapping[int, Seen[Slot]] = field(default_factory=dict)
    graph: Seen[GraphEdit] | None = None
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


@dataclass(frozen=True, slots=True)
class DiaryEntry:
    """One event of a chain as `log` shows it: who published it, when by the publisher's clock, the whole message."""

    oid: Oid
    who: str
    time_ms: int
    message: str
