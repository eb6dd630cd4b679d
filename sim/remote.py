"""The remote of a simulation: the in-memory store's, with a past that readers may still be shown, and pushes that get
lost, come late, or come twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gitorch.core.errors import UnreachableError
from gitorch.core.model import Job, JobId, Oid, Seen, Snapshot
from gitorch.core.names import BRANCHES, Namespace
from gitorch.core.observation import RawRef, build_snapshot, missing_dependencies
from gitorch.core.writes import Outcome, OutcomeKind, Plan
from gitorch.memory import MemoryArchive, MemoryRemote, MemoryStore
from sim.kernel import Kernel, Process

Refs = Mapping[str, Oid]
Key = TypeVar("Key", JobId, str, int)
Value = TypeVar("Value")
REMEMBERED = 400


@dataclass(frozen=True, slots=True)
class Change:
    """What one push changed: the values before and after. `by` is None for what no git orch did."""

    at_s: float
    before: Mapping[str, Oid | None]
    after: Mapping[str, Oid | None]
    by: Process | None
    plan: Plan | None


class SimRemote(MemoryRemote):
    """Refs and their recent past. `watchers` are told of each change, after it."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(Namespace())
        self.kernel = kernel
        self.past: deque[Change] = deque(maxlen=REMEMBERED)
        self.watchers: list[Callable[[Change], None]] = []
        self.down_until_s = 0.0
        self.frozen: Refs = {}
        self._records: dict[tuple[str, Oid], Snapshot] = {}
        self._kinds: dict[str, bool] = {}
        self._built: tuple[Refs, Snapshot] | None = None

    def apply(self, change: Mapping[str, Oid | None], by: Process | None, plan: Plan | None = None) -> None:
        """Write refs, whatever they are now: who calls this has compared."""
        before = {name: self.refs.get(name) for name in change}
        for name, value in change.items():
            if value is None:
                self.refs.pop(name, None)
            else:
                self.refs[name] = value
        self.changed(Change(self.kernel.now_s, before, dict(change), by, plan))

    def changed(self, change: Change) -> None:
        """Remember a change that was made, and tell."""
        self.frozen = dict(self.refs)
        self.past.append(change)
        for watcher in self.watchers:
            watcher(change)

    def as_of(self, moment: Callable[[str], float]) -> Refs:
        """The refs, each as it was at a moment of its own."""
        found = dict(self.refs)
        for change in reversed(self.past):
            for name, value in change.before.items():
                if change.at_s > moment(name):
                    if value is None:
                        found.pop(name, None)
                    else:
                        found[name] = value
        return found

    def record(self, name: str, oid: Oid) -> Snapshot:
        """What one ref of the namespace says, as a snapshot of it alone."""
        key = (name, oid)
        found = self._records.get(key)
        if found is None:
            there = self.objects[oid]
            raw = RawRef(name, oid, there.kind, there.message)
            found = build_snapshot(self.namespace, [raw], heads={}, asked=frozenset(), notes=None)
            self._records[key] = found
        return found

    def snapshot(self, refs: Refs) -> Snapshot:
        """All records, without branches. The same object for the same refs."""
        if self._built is not None and self._built[0] is refs:
            return self._built[1]
        parts = [self.record(name, oid) for name, oid in refs.items() if self._is_record(name)]
        graph = self.namespace.graph
        built = Snapshot(
            jobs=_sorted({key: seen for part in parts for key, seen in part.jobs.items()}),
            leases=_sorted({key: seen for part in parts for key, seen in part.leases.items()}),
            workers=_sorted({key: seen for part in parts for key, seen in part.workers.items()}),
            slots=_sorted({key: seen for part in parts for key, seen in part.slots.items()}),
            graph=self.record(graph, refs[graph]).graph if graph in refs else None,
            notes=refs.get(self.namespace.notes),
            damaged=tuple(damage for part in parts for damage in part.damaged),
        )
        built = replace(built, archived=self.archive_of(refs).find(missing_dependencies(built)))
        if refs is self.frozen:
            self._built = (refs, built)
        return built

    def archive_of(self, refs: Refs) -> MemoryArchive:
        tip = refs.get(self.namespace.archive)
        return MemoryArchive(tip, {} if tip is None else self.objects[tip].entries)

    def job(self, job: JobId) -> Seen[Job] | None:
        """A job where it is now: live, or archived."""
        name = self.namespace.job(job)
        if name in self.refs:
            return self.record(name, self.refs[name]).jobs.get(job)
        return self.archive_of(self.refs).find([job]).get(job)

    def _is_record(self, name: str) -> bool:
        known = self._kinds.get(name)
        if known is None:
            others = (self.namespace.archive, self.namespace.notes, self.namespace.graph)
            known = name.startswith(self.namespace.root + "/") and name not in others
            self._kinds[name] = known
        return known


def _sorted(found: dict[Key, Value]) -> dict[Key, Value]:
    return dict(sorted(found.items()))


class SimStore(MemoryStore):
    """One process's way to the remote. What it has observed last is what `holds` and `diary` answer from."""

    def __init__(self, remote: SimRemote, process: Process, ident: str) -> None:
        super().__init__(remote, ident=ident)
        self.sim = remote
        self.process = process
        self._last: Refs = {}

    # -- reads

    def observe(self, branches: Iterable[str] = ()) -> Snapshot:
        """See ports.Store. Faults: the past (all of it, or each ref from another moment of the read)."""
        asked = frozenset(branches)
        began_s = self._arrive()
        self._last = self._read(began_s)
        snapshot = self.sim.snapshot(self._last)
        self.process.effect(self._latency_s())
        if missing_dependencies(snapshot) - snapshot.archived.keys():
            snapshot = self._look_again(snapshot)
        heads = {b: self._last[BRANCHES + b] for b in sorted(asked) if BRANCHES + b in self._last}
        return replace(snapshot, heads=heads, asked=asked)

    def _look_again(self, snapshot: Snapshot) -> Snapshot:
        """As the git store: what is neither live nor archived may have been seen half way through a push. The archive
        is read, and then everything once more."""
        archived = self.archive().find(missing_dependencies(snapshot))
        if missing_dependencies(snapshot) <= archived.keys():
            return replace(snapshot, archived=archived)
        self._last = self._read(self._arrive())
        return self.sim.snapshot(self._last)

    def _arrive(self) -> float:
        """Go to the server; when that began. Raises UnreachableError."""
        began_s = self.sim.kernel.now_s
        self.process.effect(self._latency_s())
        if self._cut() or self._happens(self.sim.kernel.faults.unreachable):
            self.process.effect(5.0)
            raise UnreachableError("the remote cannot be reached", hint="try again later")
        return began_s

    def _read(self, began_s: float) -> Refs:
        kernel, faults = self.sim.kernel, self.sim.kernel.faults
        if self._happens(faults.stale):
            then_s = kernel.now_s - kernel.random.uniform(0.0, faults.stale_s)
            return self.sim.as_of(lambda name: then_s)
        if self._happens(faults.torn):
            # A server reads ref by ref: each has its own moment between the first and the last.
            self.process.effect(kernel.random.uniform(0.0, 2.0))
            moments: dict[str, float] = {}
            return self.sim.as_of(lambda name: moments.setdefault(name, kernel.random.uniform(began_s, kernel.now_s)))
        return self.sim.frozen

    def archive(self, *, fresh: bool = True) -> MemoryArchive:
        """See ports.Store."""
        if fresh:
            began_s = self._arrive()
            refs = self._read(began_s)
            archive = self.sim.namespace.archive
            self._last = {**self._last, **({archive: refs[archive]} if archive in refs else {})}
            self.process.effect(self._latency_s())
        return self.sim.archive_of(self._last)

    def holds(self, name: str, oid: Oid) -> bool:
        """See ports.Store. Along the chain, as of the last observation."""
        at = self._last.get(name)
        while at is not None and at != oid:
            found = self.sim.objects.get(at)
            at = found.parents[0] if found is not None and found.parents else None
        return at is not None

    # -- pushes

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        """See ports.Store. Faults: the request or the answer is lost, the server is slow, the push comes twice."""
        kernel, faults = self.sim.kernel, self.sim.kernel.faults
        oids = {update.name: self._write(update) for update in plan.updates}
        wait_s = timeout_s if timeout_s is not None else 60.0
        self.process.effect(self._latency_s())
        if self._cut() or self._happens(faults.unreachable):
            self.process.effect(5.0)
            raise UnreachableError("the remote cannot be reached", hint="try again later")
        if self._happens(faults.lost_request):
            self.process.effect(wait_s)
            return Outcome(OutcomeKind.UNKNOWN, oids, "the connection broke")
        if self._happens(faults.late):
            kernel.at(kernel.random.uniform(0.0, faults.late_s), lambda: self._again(plan, oids))
            self.process.effect(kernel.random.uniform(0.0, wait_s))
            return Outcome(OutcomeKind.UNKNOWN, oids, "no answer in time")
        outcome = self._at_server(plan, oids)
        if self._happens(faults.twice):
            kernel.at(kernel.random.uniform(0.0, faults.late_s), lambda: self._again(plan, oids))
        self.process.effect(self._latency_s())
        if self._happens(faults.lost_answer):
            self.process.effect(kernel.random.uniform(0.0, wait_s))
            return Outcome(OutcomeKind.UNKNOWN, oids, "the answer was lost")
        return outcome

    def _again(self, plan: Plan, oids: Mapping[str, Oid | None]) -> None:
        """A push that arrives when nobody waits for its answer."""
        self._at_server(plan, oids)

    def _at_server(self, plan: Plan, oids: Mapping[str, Oid | None]) -> Outcome:
        before = {name: self.sim.refs.get(name) for name in oids}
        outcome = self._apply(plan, oids)
        after = {name: self.sim.refs.get(name) for name in oids}
        changed = [name for name in oids if before[name] != after[name]]
        if changed:
            old, new = {n: before[n] for n in changed}, {n: after[n] for n in changed}
            self.sim.changed(Change(self.sim.kernel.now_s, old, new, self.process, plan))
        return outcome

    def _happens(self, chance: float) -> bool:
        return chance > 0.0 and self.sim.kernel.random.random() < chance

    def _latency_s(self) -> float:
        return 0.002 + self.sim.kernel.random.random() * 0.06

    def _cut(self) -> bool:
        now_s = self.sim.kernel.now_s
        return now_s < self.sim.down_until_s or now_s < self.process.machine.cut_until_s
