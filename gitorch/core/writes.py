"""What is to be written, as data: events, notes, foldings, and the plans that publish them; and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gitorch.core.model import JobId, Oid


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
class ArchiveEntry:
    """A finished job that is to be folded: its last event, the message of that event, and its diary, a line an event,
    oldest first."""

    id: JobId
    tip: Oid
    message: str
    branch: str | None = None
    diary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFold:
    """Finished jobs to add to the archive on top of the archive's commit `base`. Their last events become further
    parents of the new commit, so that diaries and submitted commits stay reachable."""

    base: Oid | None
    entries: tuple[ArchiveEntry, ...]
    message: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One compare-and-swap: `name` goes from `expected_old` (None: must not exist) to `new` (None: is deleted)."""

    name: str
    expected_old: Oid | None
    new: Oid | EventCommit | NotesAppend | ArchiveFold | None

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
    """What became of a plan. `oids` are the values that were (or would have been) written, by ref name. `may_come`: its
    answer was lost and it has not arrived; it may be on its way still. `remedy`: nobody was faster, the
    remote could not write; if that stays so, this is what to do about it."""

    kind: OutcomeKind
    oids: Mapping[str, Oid | None]
    detail: str = ""
    may_come: bool = False
    remedy: str = ""
