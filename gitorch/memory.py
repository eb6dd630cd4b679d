"""The second store: the same contract as the git store, in memory, for simulations and for the tests of programs
built on git orch.

`MemoryRemote` is the shared truth, each client has a `MemoryStore` on it. The traps of git's pushes are kept: an
update to the value that a ref has already is answered before its guard is looked at, and an answer can be lost
after the push was applied.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitorch.core.archive import entry_text, read_entry
from gitorch.core.errors import OrchError, RefusedError, UnreachableError
from gitorch.core.gitobjects import ROOT_MESSAGE, encode_commit, event_parents, root_commit
from gitorch.core.model import OID, DiaryEntry, Job, JobId, Oid, Seen, Snapshot
from gitorch.core.names import BRANCHES, Namespace
from gitorch.core.observation import RawRef, build_snapshot, missing_dependencies
from gitorch.core.plan_queue import BODY
from gitorch.core.writes import ArchiveFold, EventCommit, NotesAppend, Outcome, OutcomeKind, Plan, RefUpdate

_EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")


@dataclass(frozen=True, slots=True)
class _MemoryObject:
    """An event (with a message), a notes commit (with notes), or a plain commit (with neither)."""

    kind: str
    parents: tuple[Oid, ...] = ()
    message: bytes | None = None
    notes: Mapping[Oid, str] = field(default_factory=dict)
    entries: Mapping[JobId, bytes] = field(default_factory=dict)
    time_ms: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict)


class MemoryRemote:
    """A remote: refs and objects. Faults are set by the test and act on the next push or observation only."""

    def __init__(self, namespace: Namespace | None = None) -> None:
        self.namespace = namespace or Namespace()
        self.refs: dict[str, Oid] = {}
        self.objects: dict[Oid, _MemoryObject] = {}
        self.reachable = True
        self.refusal: str | None = None
        self.lock = threading.Lock()
        self._lost_answer: bool | None = None

    def lose_next_answer(self, *, applied: bool) -> None:
        """Let the connection of the next push break: after the server applied it, or before."""
        self._lost_answer = applied

    def take_lost_answer(self) -> bool | None:
        lost, self._lost_answer = self._lost_answer, None
        return lost

    def add(self, value: _MemoryObject, data: bytes) -> Oid:
        oid = Oid(hashlib.sha1(value.kind.encode() + b"\x00" + data, usedforsecurity=False).hexdigest())
        self.objects.setdefault(oid, value)
        return oid

    def commit(self, name: str, *parents: Oid) -> Oid:
        """A plain commit for branches to point at."""
        return self.add(_MemoryObject("commit", tuple(parents)), "\n".join([name, *parents]).encode())

    def put(self, ref: str, data: bytes, kind: str = "commit") -> Oid:
        """Write a ref past all rules, as somebody with push rights might: a raw commit message, or another kind of
        object."""
        oid = self.add(_MemoryObject(kind, message=data if kind == "commit" else None), data)
        self.refs[ref] = oid
        return oid

    def holds(self, name: str, oid: Oid) -> bool:
        todo, seen = [self.refs.get(name)], set()
        while todo:
            at = todo.pop()
            if at == oid:
                return True
            if at is not None and at not in seen:
                seen.add(at)
                todo.extend(self.objects[at].parents)
        return False


class MemoryStore:
    """Implements ports.Store on a MemoryRemote."""

    def __init__(self, remote: MemoryRemote, *, ident: str = "Memory <memory@example.org>") -> None:
        self.remote = remote
        self._ident = ident

    def observe(self, branches: Iterable[str] = ()) -> Snapshot:
        """See ports.Store."""
        if not self.remote.reachable:
            raise UnreachableError("the remote cannot be reached", hint="try again later")
        asked, namespace = frozenset(branches), self.remote.namespace
        state = [
            RawRef(name, oid, self.remote.objects[oid].kind, self.remote.objects[oid].message)
            for name, oid in sorted(self.remote.refs.items())
            if name.startswith(namespace.root + "/") and name not in (namespace.archive, namespace.notes)
        ]
        heads = {b: self.remote.refs[BRANCHES + b] for b in asked if BRANCHES + b in self.remote.refs}
        notes = self.remote.refs.get(namespace.notes)
        kind = "commit" if notes is None else self.remote.objects[notes].kind
        snapshot = build_snapshot(namespace, state, heads=heads, asked=asked, notes=notes, notes_kind=kind)
        return replace(snapshot, archived=self.archive().find(missing_dependencies(snapshot)))

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        """See ports.Store. Threads may race: the remote takes one push at a time."""
        del timeout_s
        with self.remote.lock:
            return self._publish(plan)

    def _publish(self, plan: Plan) -> Outcome:
        oids = {update.name: self._write(update) for update in plan.updates}
        if not self.remote.reachable:
            return Outcome(OutcomeKind.UNKNOWN, oids, "the remote cannot be reached")
        if self.remote.refusal is not None:
            raise RefusedError(self.remote.refusal, hint="git orch doctor")
        lost = self.remote.take_lost_answer()
        outcome = Outcome(OutcomeKind.UNKNOWN, oids, "not applied") if lost is False else self._apply(plan, oids)
        return outcome if lost is None else Outcome(OutcomeKind.UNKNOWN, oids, "the answer was lost")

    def _write(self, update: RefUpdate) -> Oid | None:
        new = update.new
        if isinstance(new, EventCommit):
            message = new.message.encode()
            parents = event_parents(new, self._root)
            data = encode_commit(_EMPTY_TREE, parents, self._ident, new.time_ms, new.message)
            data += b"".join(name.encode() + b"\x00" + text for name, text in sorted(new.files.items()))
            value = _MemoryObject("commit", parents, message, files=dict(new.files), time_ms=new.time_ms)
            return self.remote.add(value, data)
        if isinstance(new, NotesAppend):
            return self._write_notes(new)
        if isinstance(new, ArchiveFold):
            return self._write_fold(new)
        return new

    def _write_fold(self, new: ArchiveFold) -> Oid:
        entries = dict(self.remote.objects[new.base].entries) if new.base is not None else {}
        entries |= {entry.id: entry_text(entry).encode() for entry in new.entries}
        parents = (new.base or self._root(), *(entry.tip for entry in new.entries))
        data = f"{parents} {new.time_ms} {new.message}".encode() + b"".join(entries.values())
        return self.remote.add(_MemoryObject("commit", parents, new.message.encode(), entries=entries), data)

    def _root(self) -> Oid:
        return self.remote.add(_MemoryObject("commit", message=ROOT_MESSAGE.encode()), root_commit(_EMPTY_TREE))

    def _write_notes(self, new: NotesAppend) -> Oid:
        notes = dict(self._notes_at(new.base)) if new.base is not None else {}
        for target, line in new.lines:
            notes[target] = notes.get(target, "") + line + "\n"
        data = f"{new.base} {new.time_ms} {new.subject} {sorted(notes.items())}".encode()
        return self.remote.add(_MemoryObject("commit", (new.base,) if new.base else (), b"notes", notes=notes), data)

    def _notes_at(self, tip: Oid) -> Mapping[Oid, str]:
        found = self.remote.objects[tip]
        if found.kind != "commit":
            raise OrchError(f"the notes are a {found.kind}, not notes", hint="git orch doctor")
        return found.notes

    def _apply(self, plan: Plan, oids: Mapping[str, Oid | None]) -> Outcome:
        refs = self.remote.refs
        unchanged = [u for u in plan.updates if oids[u.name] is not None and refs.get(u.name) == oids[u.name]]
        if len(unchanged) == len(plan.updates):
            return Outcome(OutcomeKind.CONFLICT, oids, "everything was there already")
        # Like git: a ref that has the new value already is not sent, and so its guard is never compared.
        sent = [update for update in plan.updates if update not in unchanged]
        stale = [update.name for update in sent if refs.get(update.name) != update.expected_old]
        if stale:
            return Outcome(OutcomeKind.CONFLICT, oids, "stale: " + ", ".join(stale))
        for update in sent:
            value = oids[update.name]
            if value is None:
                del refs[update.name]
            else:
                refs[update.name] = value
        events = {u.name for u in unchanged if isinstance(u.new, EventCommit | NotesAppend | ArchiveFold)}
        return Outcome(OutcomeKind.UNKNOWN if events else OutcomeKind.PUBLISHED, oids, "")

    def holds(self, name: str, oid: Oid) -> bool:
        """See ports.Store."""
        return self.remote.holds(name, oid)

    def archive(self, *, fresh: bool = True) -> MemoryArchive:
        """See ports.Store."""
        del fresh
        tip = self.remote.refs.get(self.remote.namespace.archive)
        return MemoryArchive(tip, {} if tip is None else self.remote.objects[tip].entries)

    def diary(self, name: str, limit: int = 1_000) -> list[DiaryEntry]:
        """See ports.Store."""
        found: list[DiaryEntry] = []
        at = Oid(name) if OID.fullmatch(name) else self.remote.refs.get(name)
        while at is not None and len(found) < limit:
            event = self.remote.objects.get(at)
            if event is None or event.message is None or event.message == ROOT_MESSAGE.encode():
                break
            message = event.message.decode("utf-8", "replace")
            found.append(DiaryEntry(at, self._ident.partition(" <")[0], event.time_ms, message))
            at = event.parents[0] if event.parents else None
        return found

    def body(self, event: Oid) -> bytes:
        """See ports.Store."""
        for entry in self.diary(event, 1_000_000):
            if BODY in self.remote.objects[entry.oid].files:
                return self.remote.objects[entry.oid].files[BODY]
        return b""

    def notes(self, snapshot: Snapshot, targets: Sequence[Oid]) -> Mapping[Oid, str]:
        """See ports.Store."""
        if snapshot.notes is None:
            return {}
        notes = self._notes_at(snapshot.notes)
        return {target: notes[target] for target in targets if target in notes}


@dataclass(frozen=True, slots=True)
class MemoryArchive:
    """Implements ports.Archive."""

    tip: Oid | None
    entries: Mapping[JobId, bytes]

    def find(self, ids: Iterable[JobId]) -> Mapping[JobId, Seen[Job]]:
        """See ports.Archive."""
        found = ((job, read_entry(self.entries[job], job)) for job in ids if job in self.entries)
        return {job: seen for job, seen in found if seen is not None}

    def of_branch(self, branch: str) -> list[Seen[Job]]:
        """See ports.Archive."""
        found = [seen for seen in self.find(self.entries).values() if seen.record.branch == branch]
        return sorted(found, key=lambda seen: (seen.record.created_ms, seen.record.id))

    def ids(self, prefix: str = "") -> list[JobId]:
        """See ports.Archive."""
        return sorted(job for job in self.entries if job.startswith(prefix))
