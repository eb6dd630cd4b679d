"""Checks every promise that the refs can tell about, and names each fault. Pure: evidence comes in, a list goes out.

What it cannot see: whether a verdict is true, who wrote an event, and what was on a target before somebody rewrote it.
Chains are the business of `gitorch.core.fsck_chains`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gitorch.core.fsck_chains import Commit, Fault, Severity, chain_faults, event_of, folded_tips
from gitorch.core.looking import cycles, vanished
from gitorch.core.model import Color, Job, JobId, LandingRecord, Oid, Seen, Snapshot, State
from gitorch.core.names import Namespace
from gitorch.core.queue import States
from gitorch.core.states import FINAL
from gitorch.core.verdicts import parse_landings, parse_verdicts

__all__ = ["Evidence", "Fault", "Severity", "TargetCommit", "check"]


Landings = Mapping[Oid, list[LandingRecord]]


@dataclass(frozen=True, slots=True)
class TargetCommit:
    """A commit of a target."""

    tree: Oid
    parents: tuple[Oid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was read. `commits` are those of all chains. `archived` are the entries that could be read, `unreadable` the
    others. `targets` has the whole history of each target, by its name (its tip is in the snapshot), `notes` every note
    by the object that it is on. `slots` is orch.maxConcurrency (0: no limit). `partial`: this clone has not all
    commits of the targets."""

    namespace: Namespace
    snapshot: Snapshot
    commits: Mapping[Oid, Commit] = field(default_factory=dict)
    archive: Oid | None = None
    archived: Mapping[JobId, Seen[Job]] = field(default_factory=dict)
    unreadable: tuple[JobId, ...] = ()
    targets: Mapping[str, Mapping[Oid, TargetCommit]] = field(default_factory=dict)
    notes: Mapping[Oid, str] = field(default_factory=dict)
    slots: int = 0
    partial: bool = False

    def jobs(self) -> dict[JobId, Job]:
        """Every job, archived ones included."""
        known = {**self.archived, **self.snapshot.jobs}
        return {job: seen.record for job, seen in known.items()}

    def landings(self) -> Landings:
        """The landing records, by the commit that they are noted on."""
        found = {oid: parse_landings(note) for oid, note in self.notes.items() if " landed " in note}
        return {oid: landings for oid, landings in found.items() if landings}


def check(evidence: Evidence) -> list[Fault]:
    """Every fault, in the order of what it is about: what cannot be read, chains, the archive, landings, dependencies,
    claims and slots."""
    names, snapshot, noted = evidence.namespace, evidence.snapshot, evidence.landings()
    found = [Fault(d.ref, "format", d.problem, _grave(not d.newer)) for d in snapshot.damaged]
    found += chain_faults(names, snapshot, evidence.commits, evidence.archive, evidence.archived)
    found += _archive(evidence)
    line = {target: _line(evidence, noted, target) for target in sorted(evidence.targets)}
    found += _landings(evidence, noted, line)
    found += _done(evidence, line)
    found += _graph(evidence)
    found += _claims(evidence)
    found += _slots(evidence)
    return found


def _grave(broken: bool) -> Severity:
    return Severity.FAULT if broken else Severity.WARNING


# -- the archive


def _archive(evidence: Evidence) -> Iterator[Fault]:
    names, archived = evidence.namespace, evidence.archived
    for job in evidence.unreadable:
        yield Fault(names.archive, "I3", f"the entry of job {job} cannot be read")
    tips = folded_tips(evidence.commits, evidence.archive)
    for job, seen in sorted(archived.items()):
        if seen.oid not in tips:
            yield Fault(
                names.archive, "I3", f"the last event of job {job} ({seen.oid[:12]}) is no parent of the archive"
            )
        if seen.record.state not in FINAL:
            yield Fault(names.archive, "I3", f"job {job} is archived and {seen.record.state.value}, which is not final")
        live = evidence.snapshot.jobs.get(job)
        if live is None:
            continue
        if live.oid == seen.oid:
            yield Fault(names.job(job), "I3", "it is archived already, and its ref is still there", Severity.WARNING)
        else:
            yield Fault(names.job(job), "I3", "another job of this id is in the archive: a job is in exactly one state")
    for tip in sorted(tips):
        event = event_of(evidence.commits.get(tip))
        if isinstance(event, Job) and event.id not in archived and event.id not in evidence.unreadable:
            yield Fault(names.archive, "I3", f"job {event.id} was archived ({tip[:12]}), and its entry is gone")


# -- landings


@dataclass(frozen=True, slots=True)
class _Line:
    """The landings of a target in order: at which place each commit landed. `others` counts commits in between that
    somebody else put there."""

    places: Mapping[Oid, int]
    others: int = 0


def _line(evidence: Evidence, noted: Landings, target: str) -> _Line:
    """Walk a target from its tip: what landed is left behind in one step, back to the base of its landing."""
    commits = evidence.targets[target]
    at = evidence.snapshot.heads.get(target)
    order: list[Oid] = []
    others = pending = 0
    while at is not None and at in commits:
        bases = [landing.base for landing in noted.get(at, ()) if landing.target == target]
        if bases:
            order.append(at)
            others, pending = others + pending, 0
        else:
            pending += 1
        base = bases[0] if bases and bases[0] in commits and bases[0] != at else None
        at = base or next(iter(commits[at].parents), None)
    # What is newer than the last landing was counted; what is older than the first one was there before, and is not.
    return _Line({oid: place for place, oid in enumerate(reversed(order))}, others)


def _landings(evidence: Evidence, noted: Landings, line: Mapping[str, _Line]) -> Iterator[Fault]:
    """I1, and I2 as far as the notes on the targets tell."""
    jobs = evidence.jobs()
    landed: dict[JobId, list[Oid]] = {}
    for commit, records in noted.items():
        for record in records:
            commits = evidence.targets.get(record.target, {})
            if commit not in commits:
                continue
            if commit not in landed.setdefault(record.job, []):
                landed[record.job].append(commit)
            if not _is_green(evidence, commits[commit].tree, record.gate):
                yield Fault(
                    record.target,
                    "I1",
                    f"{commit[:12]} landed for job {record.job} without a green verdict on its tree",
                )
    for job, commits_of_job in sorted(landed.items()):
        if len(commits_of_job) > 1:
            named = ", ".join(sorted(oid[:12] for oid in commits_of_job))
            yield Fault(evidence.namespace.job(job), "I2", f"it landed {len(commits_of_job)} times: {named}")
        if job not in jobs and evidence.snapshot.damage_of(evidence.namespace.job(job)) is None:
            yield Fault(evidence.namespace.job(job), "I3", "it landed, and is neither live nor archived")
        elif job in jobs and jobs[job].state is not State.DONE:
            yield Fault(evidence.namespace.job(job), "I2", f"it landed, and is {jobs[job].state.value}")
    for target, found in line.items():
        if found.others:
            text = f"{found.others} commits between landings were put there by others"
            yield Fault(target, "I1", text, Severity.INFO)


def _is_green(evidence: Evidence, tree: Oid, gate: Oid | None) -> bool:
    verdicts = parse_verdicts(evidence.notes.get(tree, ""))
    return any(v.color is Color.GREEN and v.tree == tree and gate in (None, v.gate) for v in verdicts)


def _done(evidence: Evidence, line: Mapping[str, _Line]) -> Iterator[Fault]:
    """What a finished job says of its landing, and of the order."""
    jobs = evidence.jobs()
    for job in jobs.values():
        if job.state is not State.DONE:
            continue
        ref = _ref_of(evidence, job.id)
        if job.landed is None:
            if job.lands and job.head is not None:
                yield Fault(ref, "I2", f"job {job.id} is done, and nothing of it landed")
        elif job.target in evidence.targets and job.landed not in evidence.targets[job.target]:
            text = f"job {job.id} landed as {job.landed[:12]}, which is not on {job.target}"
            yield Fault(ref, "I2", text, _grave(not evidence.partial))
        elif job.target not in evidence.targets:
            yield Fault(ref, "I2", f"job {job.id} landed on {job.target}, which does not exist", Severity.WARNING)
        for dependency in job.after:
            problem = _out_of_order(job, jobs.get(dependency), line)
            if problem:
                yield Fault(ref, "I6", problem)


def _ref_of(evidence: Evidence, job: JobId) -> str:
    return evidence.namespace.job(job) if job in evidence.snapshot.jobs else evidence.namespace.archive


def _out_of_order(job: Job, dependency: Job | None, line: Mapping[str, _Line]) -> str:
    """Why a finished job went before something that it waited for; empty when it did not, or when a later job took the
    id of one that had vanished."""
    if dependency is None or dependency.created_ms > job.updated_ms:
        return ""
    if dependency.state is not State.DONE:
        return f"job {job.id} is done before {dependency.id}, which it waits for and which is {dependency.state.value}"
    places = line[job.target].places if job.target in line and dependency.target == job.target else {}
    mine, theirs = places.get(job.landed or Oid("")), places.get(dependency.landed or Oid(""))
    if mine is not None and theirs is not None and mine < theirs:
        return f"job {job.id} landed before {dependency.id}, which it waits for"
    return ""


# -- dependencies


def _graph(evidence: Evidence) -> Iterator[Fault]:
    snapshot, names = evidence.snapshot, evidence.namespace
    for path in cycles(snapshot.jobs.values(), States(snapshot).cyclic):
        shown = path if len(path) <= 20 else (*path[:10], "…", *path[-3:])
        yield Fault(names.job(path[0]), "I6", f"it waits for itself: {' -> '.join(shown)}")
    for job, lost in sorted(vanished(snapshot).items()):
        for dependency in lost:
            if dependency not in evidence.archived:
                text = f"it waits for {dependency}, which is neither live nor archived"
                yield Fault(names.job(job), "I3", text, Severity.WARNING)
    last = snapshot.graph
    live = snapshot.jobs.get(last.record.job) if last is not None else None
    if last is not None and live is not None and live.record.after != last.record.after:
        text = f"its last edit is not what job {live.record.id} says it waits for"
        yield Fault(names.graph, "I6", text, Severity.WARNING)


# -- claims and slots


def _claims(evidence: Evidence) -> Iterator[Fault]:
    snapshot, names = evidence.snapshot, evidence.namespace
    for job, seen in sorted(snapshot.jobs.items()):
        record = seen.record
        if record.state is not State.CLAIMED:
            if record.token is not None or record.slot is not None:
                yield Fault(names.job(job), "I5", f"it is {record.state.value} and still has a claim's token or slot")
            continue
        if record.kept and record.worker not in snapshot.workers:
            text = f"its worker {record.worker} has no ref: only the job's own events keep the claim alive"
            yield Fault(names.job(job), "I7", text, Severity.INFO)
        if record.slot is None:
            continue
        slot = snapshot.slots.get(record.slot)
        if slot is None or not slot.record.held or (slot.record.job, slot.record.token) != (job, record.token):
            yield Fault(names.job(job), "I5", f"it is claimed with slot {record.slot}, which does not name this claim")


def _slots(evidence: Evidence) -> Iterator[Fault]:
    snapshot, names = evidence.snapshot, evidence.namespace
    held = {number: seen.record for number, seen in snapshot.slots.items() if seen.record.held}
    for number, slot in sorted(held.items()):
        seen = snapshot.jobs.get(slot.job) if slot.job is not None else None
        if seen is None or seen.record.state is not State.CLAIMED:
            yield Fault(names.slot(number), "I5", f"it is held for job {slot.job}, which nobody has claimed")
        elif seen.record.token != slot.token or seen.record.slot != number:
            yield Fault(names.slot(number), "I5", f"it is held for a claim of job {slot.job} that is over")
    if 0 < evidence.slots < len(held):
        text = f"{len(held)} slots are held, and orch.maxConcurrency is {evidence.slots}"
        yield Fault(names.slot(max(held)), "I5", text)
