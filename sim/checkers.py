"""What must be true after every change of the remote, whoever made it. Written from the promises, not from the code:
nothing here asks the core what is legal."""

from __future__ import annotations

from collections.abc import Iterator

from gitorch.core.model import Color, GraphEdit, Job, JobId, Lease, Oid, Seen, Slot, State
from gitorch.core.names import BRANCHES, RefKind
from gitorch.core.verdicts import parse_verdicts
from gitorch.core.writes import EventCommit
from sim.clone import SimPolicy, Truth
from sim.commits import Commits
from sim.kernel import Process
from sim.remote import Change, SimRemote

DRIFT = 0.97
"""Clocks of machines differ by at most three in a hundred, far less than the margin of the engine."""

Q, C, S, R, F, D, X = (
    State.QUEUED,
    State.CLAIMED,
    State.SUBMITTED,
    State.REWORK,
    State.FAILED,
    State.DONE,
    State.CANCELLED,
)
# Who may follow whom, from the drawing of the design. Staying is for edits and renewals.
NEXT = {
    None: {Q, S},
    Q: {Q, C, S, X},
    C: {C, Q, F, S, R, D, X},
    S: {S, R, F, D, X},
    R: {R, C, S, Q, X},
    F: {F, Q, S, X},
    D: set(),
    X: set(),
}


class BrokenPromiseError(AssertionError):
    """A promise was broken; the message begins with which."""


class Checker:
    """Watches one remote. `targets` are its protected branches, `slots` how many claims may be held at once (0: any
    number)."""

    def __init__(self, remote: SimRemote, commits: Commits, truth: Truth, targets: frozenset[str], slots: int) -> None:
        self.remote = remote
        self.names = remote.namespace
        self.commits = commits
        self.truth = truth
        self.targets = targets
        self.slots = slots
        self.landed: dict[JobId, Oid] = {}
        self.born: set[JobId] = set()
        self.asked: dict[str | tuple[Oid, Process | None], JobId] = {}
        self.claims: set[tuple[JobId, str]] = set()
        self.alive_s: dict[str, float] = {}
        self.checked = 0
        faults = remote.kernel.faults
        # Who is shown the past, or stands still between looking and writing, may rob the living (which only costs them
        # the claim).
        self._exact = not (faults.stale or faults.torn or faults.stall)
        self._whole = not faults.torn
        root = self.names.root
        self._jobs, self._leases = f"{root}/{RefKind.JOB.value}/", f"{root}/{RefKind.LEASE.value}/"
        self._workers, self._slots = f"{root}/{RefKind.WORKER.value}/", f"{root}/{RefKind.SLOT.value}/"

    def __call__(self, change: Change) -> None:
        """Check a change that was just made. Raises BrokenPromiseError."""
        self.checked += 1
        for name in change.after:
            self.alive_s.setdefault(name, change.at_s)
        if change.plan is not None:
            self._events(change)
            for name in change.after:
                self._ref(name, change)
        for name in change.after:
            self.alive_s[name] = change.at_s

    def fail(self, promise: str, why: str, change: Change) -> None:
        by = change.by.name if change.by is not None else "somebody"
        reason = change.plan.reason if change.plan is not None else "by hand"
        raise BrokenPromiseError(f"{promise}: {why} (by {by}: {reason}, at {change.at_s:.3f} s)")

    # -- each ref

    def _events(self, change: Change) -> None:
        """Every new value is one event on top of the old one (I3), except where a worker's presence begins anew."""
        assert change.plan is not None
        for update in change.plan.updates:
            if not isinstance(update.new, EventCommit) or update.name not in change.after:
                continue
            new, old = change.after[update.name], change.before[update.name]
            parents = self.remote.objects[new].parents if new is not None else ()
            presence = update.name.startswith(self._workers)
            if old is not None and parents[:1] != (old,) and not presence:
                self.fail("I3", f"{update.name} does not go on from its last event", change)

    def _ref(self, name: str, change: Change) -> None:
        old, new = change.before[name], change.after[name]
        if name.startswith(self._jobs):
            self._job(JobId(name.removeprefix(self._jobs)), name, old, new, change)
        elif name.startswith(self._leases):
            self._lease(name, old, new, change)
        elif name == self.names.graph:
            self._graph(old, new, change)
        elif name == self.names.archive:
            self._archive(old, new, change)
        elif name == self.names.notes:
            self._notes(old, new, change)
        elif name.startswith(BRANCHES):
            self._branch(name.removeprefix(BRANCHES), old, new, change)
        elif name.startswith(self._slots):
            self._slot(name, new, change)

    # -- jobs

    def _job(self, job: JobId, name: str, old: Oid | None, new: Oid | None, change: Change) -> None:
        before = self._seen_job(job, name, old)
        after = self._seen_job(job, name, new)
        if after is None:
            self._folded(job, before, change)
            return
        if before is None:
            if job in self.born:
                self.fail("I2", f"job {job} was made a second time", change)
            self.born.add(job)
            self._new(after.record, change)
        was = before.record.state if before is not None else None
        now = after.record
        if now.state not in NEXT[was]:
            self.fail("I3", f"job {job} went from {was} to {now.state}", change)
        if now.state is C and was is not C:
            self._claimed(after.record, change)
        if before is not None and was is C:
            self._left(before.record, now, name, change)
        if now.state is D:
            self._done(before.record if before is not None else None, now, change)
        if before is None or before.record.after != now.after:
            self._acyclic(job, change)
        if now.head is not None and (before is None or before.record.head != now.head):
            self._kept(now, after.oid, change)
        self._slots_used(change)

    def _new(self, job: Job, change: Change) -> None:
        """What was asked for once is made once: people never describe the same twice, and no command hands the same in
        twice. (Two commands at once may: each makes a job, and its head lands once.)"""
        asked = job.title if job.head is None else (job.head, change.by)
        if self.asked.setdefault(asked, job.id) != job.id:
            self.fail("I2", f"{job.id} is {self.asked[asked]} once more", change)

    def _seen_job(self, job: JobId, name: str, oid: Oid | None) -> Seen[Job] | None:
        return None if oid is None else self.remote.record(name, oid).jobs[job]

    def _folded(self, job: JobId, before: Seen[Job] | None, change: Change) -> None:
        archived = self.remote.archive_of(self.remote.refs).find([job]).get(job)
        if before is None or archived is None or archived != before:
            self.fail("I3", f"job {job} is gone, and the archive does not have its last event", change)
        elif before.record.state not in (D, X):
            self.fail("I3", f"job {job} was archived while {before.record.state}", change)

    def _claimed(self, job: Job, change: Change) -> None:
        if job.token is None:
            self.fail("I4", f"job {job.id} is claimed without a token", change)
        self.claims.add((job.id, job.token or ""))
        self._dependencies_done(job, "claimed", change)

    def _dependencies_done(self, job: Job, what: str, change: Change) -> None:
        for dependency in job.after:
            found = self.remote.job(dependency)
            if found is not None and found.record.state is not D:
                self.fail("I6", f"job {job.id} was {what} before {dependency}, which is {found.record.state}", change)

    def _left(self, before: Job, now: Job, name: str, change: Change) -> None:
        """A claim ends by its owner, by cancelling, or by death; nothing else changes who has it (I5)."""
        if now.state is C:
            if now.token != before.token:
                self.fail("I5", f"the claim of {now.id} changed hands without ending", change)
            return
        self._slot_freed(before, change)
        if now.state is X:
            return
        if self._event(name, change) == "reap":
            self._dead(name, before, change)
        elif not self._owns(before.token, change):
            self.fail("I5", f"the claim of {now.id} was ended by who does not have it", change)

    def _dead(self, name: str, job: Job, change: Change) -> None:
        signs = [name]
        if job.kept and job.worker is not None:
            signs.append(self.names.worker(job.worker))
        silent_s = change.at_s - max(self.alive_s.get(sign, 0.0) for sign in signs)
        gone = job.kept and not self._present(job.worker or "")
        if self._exact and silent_s < (job.ttl_s or 0) * DRIFT and not gone:
            self.fail("I5", f"job {job.id} was taken from a live worker after {silent_s:.1f} s", change)

    def _present(self, worker: str) -> bool:
        name = self.names.worker(worker)
        oid = self.remote.refs.get(name)
        return oid is not None and self.remote.record(name, oid).workers[worker].record.present

    def _done(self, before: Job | None, now: Job, change: Change) -> None:
        if not now.lands:
            # Its worker says so; what was added to wait for while it was worked on comes too late.
            return
        self._dependencies_done(now, "landed", change)
        if before is None or before.state is not S or now.head is None or now.landed is None:
            self.fail("I2", f"job {now.id} is done without a landing", change)
            return
        if now.id in self.landed:
            self.fail("I2", f"job {now.id} landed twice", change)
        self.landed[now.id] = now.landed
        tip = self.remote.refs.get(BRANCHES + now.target)
        if tip is None or not self.commits.is_ancestor(now.landed, tip):
            self.fail("I2", f"job {now.id} is done, but {now.landed[:8]} is not on {now.target}", change)
            return
        for path, text in self._meant(before.head or now.head, now.landed):
            if self.commits.of(now.landed).files.get(path) != text:
                self.fail("I2", f"job {now.id} is done, but {path} on {now.target} is not what it handed in", change)

    def _meant(self, head: Oid, landed: Oid) -> Iterator[tuple[str, str | None]]:
        """The changes of a head since it left the line on which it landed; none when it is on that line."""
        mine, there = self.commits.of(head), self.commits.of(landed)
        fork = self.commits.fork(mine, there)
        before = fork.files if fork is not None else {}
        for path in before.keys() | mine.files.keys():
            if before.get(path) != mine.files.get(path):
                yield path, mine.files.get(path)

    def _kept(self, job: Job, event: Oid, change: Change) -> None:
        if job.head not in self.remote.objects[event].parents[1:]:
            self.fail("I8", f"the head of {job.id} is kept by nobody", change)

    def _acyclic(self, job: JobId, change: Change) -> None:
        """Whether something that `job` waits for waits for it."""
        jobs = self.remote.snapshot(self.remote.frozen).jobs
        todo, met = list(jobs[job].record.after), set[JobId]()
        while todo:
            at = todo.pop()
            if at == job:
                self.fail("I6", f"job {job} waits for itself", change)
            if at not in met and at in jobs:
                met.add(at)
                todo += jobs[at].record.after

    # -- leases and targets

    def _lease(self, name: str, old: Oid | None, new: Oid | None, change: Change) -> None:
        if new is None:
            self.fail("I5", f"{name} was deleted", change)
            return
        before, after = self._lease_at(name, old), self._lease_at(name, new)
        assert after is not None
        event = self._event(name, change)
        if before is None or event == "acquire":
            if after.epoch != (before.epoch if before is not None else 0) + 1:
                self.fail("I5", f"the epoch of {name} went to {after.epoch} with new hands", change)
            if before is not None and before.held and not self._owns(before.token, change):
                self._lease_dead(name, before, change)
            return
        if after.epoch != before.epoch:
            self.fail("I5", f"the epoch of {name} went from {before.epoch} to {after.epoch}", change)
        if event == "break" and change.by is not None and not change.by.name.endswith("/break_by_hand"):
            self._lease_dead(name, before, change)
        if event in ("break", "settle"):
            return
        if not before.held or not self._owns(before.token, change):
            self.fail("I5", f"{event} of {name} by who does not hold it", change)

    def _lease_dead(self, name: str, before: Lease, change: Change) -> None:
        silent_s = change.at_s - self.alive_s.get(name, 0.0)
        if self._exact and silent_s < before.ttl_s * DRIFT:
            self.fail("I5", f"{name} was taken from a live holder after {silent_s:.1f} s", change)

    def _lease_at(self, name: str, oid: Oid | None) -> Lease | None:
        if oid is None:
            return None
        (seen,) = self.remote.record(name, oid).leases.values()
        return seen.record

    def _branch(self, branch: str, old: Oid | None, new: Oid | None, change: Change) -> None:
        if new is None:
            self.fail("I8", f"{branch} was deleted", change)
        elif branch in self.targets:
            self._target(branch, old, new, change)
        elif old is not None and not self.commits.is_ancestor(old, new):
            heads = [self._old_head(name, change) for name in change.after if name.startswith(self._jobs)]
            if old not in heads:
                self.fail("I8", f"{branch} lost commits that no job keeps", change)

    def _old_head(self, name: str, change: Change) -> Oid | None:
        seen = self._seen_job(JobId(name.removeprefix(self._jobs)), name, change.before[name])
        return seen.record.head if seen is not None else None

    def _target(self, target: str, old: Oid | None, new: Oid, change: Change) -> None:
        if old is None or not self.commits.is_ancestor(old, new):
            self.fail("I1", f"{target} does not descend from the tip that it replaces", change)
            return
        own = self.truth.gates.get(change.by.machine.name) if change.by is not None else None
        gate = SimPolicy(self.commits, own).settings(target, old).gate()
        tree = self.commits.of(new).tree
        if gate is None or True not in self.truth.ran.get((tree, gate.digest), set()):
            self.fail("I1", f"{target} moved to a tree that nobody saw green under its gate", change)
        name = self.names.lease(target)
        lease = self._lease_at(name, change.before.get(name))
        if name not in change.after or lease is None or not lease.held or not self._owns(lease.token, change):
            self.fail("I5", f"{target} was moved by who does not hold its lease", change)

    # -- the rest

    def _graph(self, old: Oid | None, new: Oid | None, change: Change) -> None:
        before, after = self._edit_at(old), self._edit_at(new)
        if after is None or after.edits != (before.edits if before is not None else 0) + 1:
            self.fail("I6", "the count of edits does not follow", change)

    def _edit_at(self, oid: Oid | None) -> GraphEdit | None:
        if oid is None:
            return None
        seen = self.remote.record(self.names.graph, oid).graph
        return seen.record if seen is not None else None

    def _archive(self, old: Oid | None, new: Oid | None, change: Change) -> None:
        before = self.remote.objects[old].entries if old is not None else {}
        after = self.remote.objects[new].entries if new is not None else {}
        if any(after.get(job) != entry for job, entry in before.items()):
            self.fail("I3", "the archive lost or changed a job", change)

    def _notes(self, old: Oid | None, new: Oid | None, change: Change) -> None:
        before = self.remote.objects[old].notes if old is not None else {}
        after = self.remote.objects[new].notes if new is not None else {}
        for noted, text in after.items():
            earlier = before.get(noted, "")
            if not text.startswith(earlier):
                self.fail("I1", f"the note on {noted[:8]} was rewritten", change)
            for verdict in parse_verdicts(text[len(earlier) :]):
                said = self.truth.ran.get((verdict.tree, verdict.gate), set())
                if (verdict.color is Color.GREEN) not in said:
                    self.fail("I1", f"a verdict on {verdict.tree[:8]} was noted that no run reached", change)
        if any(noted not in after for noted in before):
            self.fail("I1", "a note was lost", change)

    def _slot(self, name: str, new: Oid | None, change: Change) -> None:
        slot = self._slot_at(name, new)
        if slot is None or not slot.held or slot.job is None:
            return
        found = self.remote.job(slot.job)
        if found is None or (found.record.slot, found.record.token) != (slot.number, slot.token):
            self.fail("I4", f"slot {slot.number} is held by no claim", change)

    def _slot_freed(self, claim: Job, change: Change) -> None:
        """Whoever saw job and slot as they were together frees both in one push."""
        if claim.slot is None or not self._whole:
            return
        name = self.names.slot(claim.slot)
        slot = self._slot_at(name, self.remote.refs.get(name))
        if slot is not None and slot.held and (slot.job, slot.token) == (claim.id, claim.token):
            self.fail("I4", f"slot {claim.slot} is held by the claim of {claim.id}, which has ended", change)

    def _slot_at(self, name: str, oid: Oid | None) -> Slot | None:
        if oid is None:
            return None
        (seen,) = self.remote.record(name, oid).slots.values()
        return seen.record

    def _slots_used(self, change: Change) -> None:
        if not self.slots:
            return
        jobs = self.remote.snapshot(self.remote.frozen).jobs.values()
        used = [seen.record.slot for seen in jobs if seen.record.state is C]
        if len(used) > self.slots or len(set(used)) < len(used) or None in used:
            self.fail("I4", f"{len(used)} claims hold slots {used} of {self.slots}", change)

    # -- who

    def _owns(self, token: str | None, change: Change) -> bool:
        """Whether the token with this digest is one of the clone that pushed."""
        return change.by is not None and self.truth.tokens.get(token or "") == change.by.machine.name

    def _event(self, name: str, change: Change) -> str:
        """The word in the subject of an event's message."""
        new = change.after[name]
        message = self.remote.objects[new].message if new is not None else b""
        return (message or b"").partition(b":")[0].decode()
