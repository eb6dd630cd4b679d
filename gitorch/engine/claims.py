"""Claims: of any number of workers that race for a job one gets it, and the others learn who (I4).

Who holds a claim is whoever has its token; names of users, hosts and processes decide nothing. Every event of a holder
is refused unless the record still bears the token, so whoever lost a claim can neither finish nor hand in (I5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from gitorch.core.errors import OrchError, RefusedError, UsageError
from gitorch.core.model import JOB_ID, Derived, Job, JobId, Seen, Snapshot, State
from gitorch.core.observation import advance
from gitorch.core.plan_queue import Claim, has_claim, own_token, plan_claim, plan_leave
from gitorch.core.queue import CLAIMABLE, derived, open_dependencies, states_of, to_claim
from gitorch.core.schedule import pick, rendezvous
from gitorch.core.states import Event, IllegalTransitionError
from gitorch.core.text import escape
from gitorch.core.writes import Outcome, OutcomeKind, Plan
from gitorch.engine.exchange import MAX_ROUNDS, Doubts, exchange, pause, publish, require_readable, too_busy
from gitorch.engine.liveness import dead_in_s, is_dead
from gitorch.engine.lookup import find_any
from gitorch.engine.world import World


class ClaimEnd(Enum):
    """How an attempt to claim ended. FULL: orch.maxConcurrency jobs are claimed already."""

    CLAIMED = "claimed"
    NOTHING = "nothing"
    BUSY = "busy"
    BLOCKED = "blocked"
    FULL = "full"


def anything(job: Job) -> bool:
    """Accepts every job."""
    del job
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWish:
    """Who wants a job, and which: the one that a word names, else the next of `target` that `accept` takes. `kept`
    says that a running worker beats for the claim. `max_concurrency` None: as the target's configuration says."""

    worker: str
    target: str
    ttl_s: int
    kept: bool = False
    job: str | None = None
    max_concurrency: int | None = None
    accept: Callable[[Job], bool] = anything
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """What became of it. `job` is the job that was claimed or is in the way, `token` the secret of the claim,
    `dead_in_s` when the claim in the way counts as dead if nothing moves."""

    end: ClaimEnd
    snapshot: Snapshot
    job: Job | None = None
    seen: Seen[Job] | None = None
    token: str | None = None
    reason: str = ""
    waits_for: tuple[JobId, ...] = ()
    dead_in_s: float = 0.0
    lost: int = 0
    """How many races were lost on the way: then `snapshot` knows too little of the others to claim on it again."""


def claim(world: World, wish: ClaimWish, snapshot: Snapshot | None = None) -> ClaimResult:
    """Claim a job. `snapshot` is what the caller has observed already: it serves the first attempt, and saves a fetch.
    A claim on an old view is refused by the remote where that matters, and nothing is refused here because of it.
    Raises UsageError for an unknown job, IllegalTransitionError for one that cannot be claimed, OrchError when the
    token cannot be kept where nobody else would know it."""
    token = wish.token or world.random.token()
    lost, doubts = 0, Doubts()
    while lost < MAX_ROUNDS:
        fresh = snapshot is None or wish.target not in snapshot.asked
        view = world.store.observe({wish.target}) if snapshot is None or fresh else snapshot
        snapshot = None
        settled = doubts.settled(world)
        if settled is not None:
            return replace(_claimed(world, *settled, token), lost=lost)
        decision = _same_again(doubts, view) or _choose(world, wish, view, lost)
        result = decision if isinstance(decision, ClaimResult) else _take(world, wish, view, decision, token, doubts)
        if result is not None and (fresh or result.end is ClaimEnd.CLAIMED):
            return replace(result, lost=lost)
        if result is None:
            lost += 1
            pause(world)
    raise too_busy()


def _same_again(doubts: Doubts, snapshot: Snapshot) -> Seen[Job] | None:
    """The job of a claim that may still come, if it is as it was: of a claim that comes and another one of the same job
    only one succeeds; with another job we would have both."""
    for before, plan, _ in doubts.sent:
        for seen in before.jobs.values():
            if snapshot.jobs.get(seen.record.id) == seen and any(u.expected_old == seen.oid for u in plan.updates):
                return seen
    return None


def _claimed(world: World, snapshot: Snapshot, plan: Plan, outcome: Outcome, token: str) -> ClaimResult:
    """The result of a claim that was published."""
    after = advance(world.namespace, snapshot, plan, outcome.oids)
    now = next(seen for job, seen in after.jobs.items() if snapshot.jobs.get(job) != seen)
    return ClaimResult(end=ClaimEnd.CLAIMED, snapshot=after, job=now.record, seen=now, token=token)


def _take(
    world: World, wish: ClaimWish, snapshot: Snapshot, seen: Seen[Job], token: str, doubts: Doubts
) -> ClaimResult | None:
    """One attempt at one job; None after a lost race."""
    if seen.record.state is State.CLAIMED:
        _reap(world, wish, snapshot, seen)
        return None
    limit = _limit(world, wish, snapshot)
    slot = free_slot(snapshot, limit, wish.worker) if limit else None
    if limit and slot is None:
        reason = f"{limit} jobs are claimed already, and orch.maxConcurrency allows no more"
        return ClaimResult(end=ClaimEnd.FULL, snapshot=snapshot, job=seen.record, reason=reason)
    job_id = seen.record.id
    # Kept before it is published: a crash in between leaves a token of no use, the other order a claim without one.
    if not world.memory.keep_claim(job_id, token) and not wish.kept:
        raise OrchError(
            f"the token of a claim cannot be kept in this clone, so nobody could finish job {job_id}",
            hint="df -h . (is the disk full, or the git directory not writable?)",
        )
    mine = Claim(worker=wish.worker, token=token, ttl_s=wish.ttl_s, kept=wish.kept, slot=slot)
    plan = plan_claim(world.context(), snapshot, seen, mine)
    outcome = publish(world, plan)
    if outcome.kind is OutcomeKind.PUBLISHED:
        return _claimed(world, snapshot, plan, outcome, token)
    doubts.add(snapshot, plan, outcome)
    if not outcome.may_come:
        world.memory.forget_claim(job_id, token)
    return None


def _choose(world: World, wish: ClaimWish, snapshot: Snapshot, lost: int) -> Seen[Job] | ClaimResult:
    if wish.job is not None:
        return _named(world, wish, snapshot, wish.job)
    ready = to_claim(snapshot, wish.target, missing_holds=world.missing_holds)
    left = [seen.record for seen in ready if wish.accept(seen.record)]
    while (taken := pick(left, wish.worker, _others(snapshot, wish.worker), lost)) is not None:
        seen = snapshot.jobs[taken.id]
        stranger = world.trust.distrust(snapshot, seen)
        if not stranger:
            return seen
        world.reporter.say(f"{taken.id} is passed over: {stranger}")
        left.remove(taken)
    return ClaimResult(end=ClaimEnd.NOTHING, snapshot=snapshot, reason=f"nothing is ready on {wish.target}")


def _named(world: World, wish: ClaimWish, snapshot: Snapshot, word: str) -> Seen[Job] | ClaimResult:
    if JOB_ID.fullmatch(word):
        require_readable(snapshot, world.namespace.job(JobId(word)), f"the job {word}")
    seen = find_any(world, snapshot, word)
    job = seen.record
    stranger = world.trust.distrust(snapshot, seen)
    if stranger:
        raise RefusedError(f"job {job.id} is not claimed: {stranger}", hint=f"git orch log {job.id} --show-signature")
    if job.state is State.CLAIMED:
        return _held(world, snapshot, seen)
    if job.state not in CLAIMABLE:
        raise IllegalTransitionError(job.id, job.state, Event.CLAIM)
    states = states_of(snapshot)
    found = derived(job, states, missing_holds=world.missing_holds)
    if found is not Derived.READY:
        waits = tuple(open_dependencies(job, states)) or job.after
        word = "waits for" if found is Derived.WAITING else "is blocked by"
        reason = f"it {word} {', '.join(waits[:10])}"
        return ClaimResult(end=ClaimEnd.BLOCKED, snapshot=snapshot, job=job, waits_for=waits, reason=reason)
    return seen


def _held(world: World, snapshot: Snapshot, seen: Seen[Job]) -> Seen[Job] | ClaimResult:
    """Somebody has the job: busy, unless nothing was seen of him for long enough."""
    job = seen.record
    if is_dead(world, snapshot, seen):
        return seen
    ours = has_claim(job, own_token(job, world.memory.claims().get(job.id, ())))
    who = f"{escape(job.worker or 'somebody')} (a claim of this worktree)" if ours else escape(job.worker or "somebody")
    return ClaimResult(
        end=ClaimEnd.BUSY,
        snapshot=snapshot,
        job=job,
        reason=f"job {job.id} is held by {who}",
        dead_in_s=dead_in_s(world, snapshot, seen),
    )


def _reap(world: World, wish: ClaimWish, snapshot: Snapshot, seen: Seen[Job]) -> None:
    """Return the claim of a dead holder to the queue, as anybody may; what becomes of it is seen in the next round."""
    settings = world.policy.settings(wish.target, snapshot.tip(wish.target))
    reason = f"nothing was heard of {seen.record.worker} for {seen.record.ttl_s} s and more"
    context = world.context(max_attempts=settings.max_attempts)
    publish(world, plan_leave(context, snapshot, seen, Event.REAP, reason=reason))


def _others(snapshot: Snapshot, worker: str) -> frozenset[str]:
    """The others that may want a job now: those that hold claims, and workers that are present."""
    holding = {s.record.worker for s in snapshot.jobs.values() if s.record.state is State.CLAIMED}
    present = {name for name, seen in snapshot.workers.items() if seen.record.present}
    return frozenset(name for name in holding | present if name is not None and name != worker)


def _limit(world: World, wish: ClaimWish, snapshot: Snapshot) -> int:
    if wish.max_concurrency is not None:
        return wish.max_concurrency
    return world.policy.settings(wish.target, snapshot.tip(wish.target)).max_concurrency


def free_slot(snapshot: Snapshot, limit: int, worker: str) -> int | None:
    """A slot that a claim may take, another first choice for each worker; None when `limit` are held, whatever their
    numbers. One that looks stale is not free: half of a push looks the same (reap frees it)."""
    held = {number for number, seen in snapshot.slots.items() if seen.record.held}
    if len(held) >= limit:
        return None
    free = [number for number in range(1, limit + 1) if number not in held]
    return max(free, key=lambda number: rendezvous(worker, f"slot {number}")) if free else None


class LeaveEnd(Enum):
    """How the end of a claim ended. LOST: the token is not that of the present claim. BUSY: somebody else holds it, and
    no token was given."""

    DONE = "done"
    LOST = "lost"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class LeaveResult:
    """The job afterwards, or as it stands in the way."""

    end: LeaveEnd
    job: Job
    snapshot: Snapshot


def leave(
    world: World,
    word: str,
    event: Event,
    *,
    token: str | None,
    reason: str | None = None,
    max_attempts: int | None = 0,
    refund: bool = False,
    files: Mapping[str, bytes] | None = None,
    force: bool = False,
) -> LeaveResult:
    """End a claim: release, fail, done. `max_attempts` None: as the configuration of the job's target says. `force`
    ends somebody else's, who is fenced then. Raises UsageError for an unknown job, IllegalTransitionError for one that
    nobody has claimed, OrchError for `done` of work that has to land."""
    target: list[str] = []

    def decide(snapshot: Snapshot) -> Plan | LeaveResult:
        seen = find_any(world, snapshot, word)
        job = seen.record
        if job.state is not State.CLAIMED:
            if token is not None and not force:
                return LeaveResult(LeaveEnd.LOST, job, snapshot)
            raise IllegalTransitionError(job.id, job.state, event)
        if not force and not has_claim(job, token):
            return LeaveResult(LeaveEnd.LOST if token else LeaveEnd.BUSY, job, snapshot)
        if event is Event.FINISH and job.lands:
            raise UsageError(
                f"job {job.id} is done when its branch has landed, not by word",
                hint=f"git orch submit BRANCH --job {job.id} (or git orch edit {job.id} --no-land)",
            )
        if max_attempts is None and job.target not in snapshot.asked:
            target[:] = [job.target]
            return LeaveResult(LeaveEnd.DONE, job, snapshot)
        limit = max_attempts
        if limit is None:
            limit = world.policy.settings(job.target, snapshot.tip(job.target)).max_attempts
        context = world.context(max_attempts=limit)
        return plan_leave(context, snapshot, seen, event, reason=reason, files=files, refund=refund)

    snapshot, decision, outcome = exchange(world, (), decide)
    if isinstance(decision, LeaveResult) and target:
        # The configuration in force is that of the job's own target, which is known only now.
        snapshot, decision, outcome = exchange(world, (target[0],), decide)
    if isinstance(decision, LeaveResult):
        return decision
    assert outcome is not None
    after = advance(world.namespace, snapshot, decision, outcome.oids)
    job = after.jobs[find_any(world, snapshot, word).record.id].record
    world.memory.forget_claim(job.id)
    return LeaveResult(LeaveEnd.DONE, job, after)
