"""One process's hold on one target's lease: take it, keep it alive while a gate runs, notice its loss, give it up.

Safety never rests on anything here: the lease is written by every push that relies on it. What this adds is that
others learn who holds it, that a holder who lost it stops early, and that the lease comes free at once when a
command ends, however it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gitorch.core.errors import OrchError, RefusedError, UnreachableError
from gitorch.core.lease import Standing, dead_in_s, renewal_due_s, same_hands, standing, token_digest
from gitorch.core.model import Candidate, JobId, Lease, Oid, Seen, Snapshot
from gitorch.core.plan import plan_acquire, plan_release, plan_renew
from gitorch.core.writes import Outcome, OutcomeKind, Plan
from gitorch.engine.exchange import publish, require_readable
from gitorch.engine.world import World
from gitorch.ports import KeptToken

ANNOUNCE_S = 1.0
"""A gate that runs longer than this is worth a push that says which job and candidate it tests."""

RENEWAL_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Busy:
    """The lease is held by a live other. `dead_in_s` is when this observer would call it dead if nothing moves."""

    lease: Lease
    dead_in_s: float


class Taken(Enum):
    """What became of an attempt to take a lease."""

    HELD = "held"
    RACED = "raced"


class Hold:
    """The lease of one target in this process's hands, or not yet. `command` is what takes it: land, gate or
    acquire."""

    def __init__(self, world: World, target: str, *, command: str, token: str | None = None) -> None:
        self.world = world
        self.target = target
        self.command = command
        self.lost = False
        self.silent = False
        self.detail = ""
        """What git said of the last push, if it was lost."""
        self._given = token
        self._token = token or world.random.token()
        self._seen: Seen[Lease] | None = None
        self._confirmed_s = 0.0
        self._due_s = 0.0
        self._naming: tuple[JobId, Candidate] | None = None

    @property
    def held(self) -> Seen[Lease] | None:
        """The lease as this process wrote it last; None while it holds nothing."""
        return None if self.lost else self._seen

    @property
    def ref(self) -> str:
        return self.world.namespace.lease(self.target)

    # -- take

    def judge(self, snapshot: Snapshot, job: JobId | None) -> Busy | None:
        """Whether somebody else holds the lease now. Remembers what was seen, so that a later look may find it dead.
        Raises DamagedError for a lease that cannot be read: somebody may hold it."""
        require_readable(snapshot, self.ref, f"the lease of {self.target}")
        seen = snapshot.leases.get(self.target)
        if seen is None or not seen.record.held:
            return None
        unchanged_s = self.world.memory.unchanged_s(self.ref, seen.oid)
        kept = self._own_token(seen.record, job)
        found = standing(seen.record, token=kept, unchanged_s=unchanged_s)
        return Busy(seen.record, dead_in_s(seen.record, unchanged_s)) if found is Standing.BUSY else None

    def _own_token(self, lease: Lease, job: JobId | None) -> str | None:
        """A token that makes the held lease ours: one that was given, or one that an earlier command of this
        worktree kept. A lease of a dead `land` may be taken for any job; one that `gate` or `acquire` left held on
        purpose, only for its own job."""
        if self._given is not None:
            return self._given
        kept = next((k for k in self.world.memory.tokens(self.target) if token_digest(k.token) == lease.token), None)
        if kept is None or not self.world.memory.enter(self.target):
            return None
        return kept.token if kept.command == "land" or lease.job == job else None

    def take(
        self,
        snapshot: Snapshot,
        ttl_s: int,
        *,
        job: JobId | None = None,
        candidate: Candidate | None = None,
        reason: str | None = None,
    ) -> Taken:
        """Acquire the lease as it stands in the snapshot for `ttl_s`; `judge` said that nobody live holds it."""
        before = snapshot.leases.get(self.target)
        plan, lease = plan_acquire(
            self.world.context(),
            before,
            target=self.target,
            holder=self.world.holder,
            token=self._token,
            ttl_s=ttl_s,
            job=job,
            candidate=candidate,
            reason=reason,
        )
        # Kept before it is published: a crash in between leaves a token of no use, the other order a lease without one.
        self.world.memory.enter(self.target)
        kept = self.world.memory.keep_token(self.target, KeptToken(self._token, self.command))
        if not kept and self.command == "acquire":
            raise OrchError(
                f"the token of the lease of {self.target} cannot be kept in this clone, so nobody could release it",
                hint="df -h . (is the disk full, or the git directory not writable?)",
            )
        outcome = self.publish(plan, lease)
        self._naming = (job, candidate) if job is not None and candidate is not None else None
        return Taken.HELD if outcome.kind is OutcomeKind.PUBLISHED else Taken.RACED

    def publish(self, plan: Plan, lease: Lease | None, *, timeout_s: float | None = None) -> Outcome:
        """Publish a plan that writes the lease, and follow it: `lease` is the record the plan writes (None: it
        writes none)."""
        started_s = self.world.clock.boot_s()
        outcome = publish(self.world, plan, timeout_s=timeout_s)
        self.detail = outcome.detail
        if outcome.kind is OutcomeKind.PUBLISHED and lease is not None:
            self._follow(outcome.oids[self.ref], lease, started_s)
        return outcome

    def _follow(self, oid: Oid | None, lease: Lease, started_s: float) -> None:
        assert oid is not None
        self._seen = Seen(oid, lease) if lease.held else None
        # The deadline runs from before the push: others may have seen the event that early.
        self._confirmed_s = started_s
        self._due_s = started_s + renewal_due_s(lease.ttl_s)
        if not lease.held:
            self.world.memory.forget_tokens(self.target)

    def check(self, snapshot: Snapshot) -> bool:
        """Whether the lease is still ours in a new observation. A lost lease stays lost."""
        if self._seen is not None and not same_hands(self._seen, snapshot.leases.get(self.target)):
            self.lost = True
        return not self.lost

    # -- keep

    def testing(self, job: JobId, candidate: Candidate) -> None:
        """Say what the gate is about to test; the lease will show it if that takes longer than a moment."""
        if self._naming != (job, candidate):
            self._naming = (job, candidate)
            self._due_s = min(self._due_s, self.world.clock.boot_s() + ANNOUNCE_S)

    def tick(self, seconds: float) -> bool:
        """Called all the time while a gate runs: renew when it is due. False when the lease is lost, or nothing was
        heard from the remote for a whole TTL, so that others may have taken it: the gate must stop."""
        del seconds
        now_s = self.world.clock.boot_s()
        if self._seen is None or self.lost:
            return False
        if now_s < self._due_s:
            return True
        try:
            self._renew(self._seen)
        except (UnreachableError, RefusedError):
            # Tried again soon; the deadline decides.
            self._due_s = now_s + min(5.0, renewal_due_s(self._seen.record.ttl_s) / 4)
            self.silent = self.world.clock.boot_s() - self._confirmed_s >= self._seen.record.ttl_s
        return not self.lost and not self.silent

    def _renew(self, seen: Seen[Lease]) -> None:
        job, candidate = self._naming or (None, None)
        plan, lease = plan_renew(self.world.context(), seen, job=job, candidate=candidate)
        timeout_s = max(1.0, min(RENEWAL_TIMEOUT_S, seen.record.ttl_s / 3))
        if self.publish(plan, lease, timeout_s=timeout_s).kind is OutcomeKind.CONFLICT:
            # A server's lock may have been in the way; only another event on the lease means that we were fenced.
            self.check(self.world.store.observe())

    # -- give up

    def release(self, reason: str | None = None) -> None:
        """Free the lease if it is still ours. A failure to do so is said, and harmless: the lease runs out."""
        if self._seen is None or self.lost:
            return
        held = self._seen
        plan, lease = plan_release(self.world.context(), held, reason=reason)
        try:
            if self.publish(plan, lease).kind is OutcomeKind.CONFLICT:
                self._release_what_arrived(held.record, reason)
        except OrchError as problem:
            self.world.reporter.say(
                f"the lease of {self.target} could not be released ({problem.message}); it runs out"
            )
        self._seen = None

    def _release_what_arrived(self, ours: Lease, reason: str | None) -> None:
        """A push of ours may have written the lease although its answer did not say so: still in our hands, but not at
        the event that we know."""
        now = self.world.store.observe().leases.get(self.target)
        if now is not None and now.record.held and (now.record.epoch, now.record.token) == (ours.epoch, ours.token):
            plan, lease = plan_release(self.world.context(), now, reason=reason)
            self.publish(plan, lease)
