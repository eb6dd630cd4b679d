"""A worker: claims jobs while it has room, runs their commands, hands in what they made, and lands what is ready.

One loop in one thread, through the ports alone: `pump` is one round of it, and may be called while a gate runs, so that
claims stay alive and commands are attended to meanwhile. Nothing here is relied upon for safety: every write names the
claim's token, so a worker that stood still, was cut off, or was taken for dead can neither finish nor land (I5), and
what it leaves when it is killed is returned to the queue by whoever sees its sign of life stop (I7).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gitorch.core.errors import OrchError, UnreachableError, UsageError
from gitorch.core.lease import renewal_due_s
from gitorch.core.model import Job, JobId, Snapshot, State
from gitorch.core.plan_queue import has_claim, own_token
from gitorch.core.queue import to_claim
from gitorch.core.states import Event
from gitorch.core.text import duration
from gitorch.engine.claims import ClaimEnd, ClaimWish, claim, leave
from gitorch.engine.land import LandResult
from gitorch.engine.passing import tidy_up
from gitorch.engine.work_landing import MOVED, Landing, Landings
from gitorch.engine.work_presence import Presence
from gitorch.engine.work_runs import Delivery, Run, WorkOutcome, WorkResult, begin, deliver, give_up, judge
from gitorch.engine.world import World
from gitorch.ports import Workshop

LOOK_S = 1.0
"""The remote is looked at no more often than this while nothing of ours has changed."""

FIRST_IDLE_S = 0.5
ATTEND_S = 0.1
"""How often commands are looked after; that costs nothing."""

PAUSE_LIMIT_S = 300.0
STOPPING_S = 30.0
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """What a worker is told. `command` runs for every job that brings none along; `once` ends it when nothing is ready
    and nothing runs."""

    worker: str
    target: str
    command: str | None = None
    capacity: int = 1
    once: bool = False
    remote: str = "REMOTE"
    is_self: bool = False


@dataclass(slots=True)
class WorkSummary:
    """What a worker did: the last REMEMBERED jobs it took, and landings it made. `taken` counts all of them."""

    done: deque[WorkResult] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    landed: deque[LandResult] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    taken: int = 0


class Worker:
    """One worker, from its first sign of life to its last."""

    def __init__(self, world: World, workshop: Workshop, options: WorkOptions, land: Landing | None = None) -> None:
        """`land` lands what is ready; without it the worker leaves that to others."""
        self.summary = WorkSummary()
        self._world = world
        self._workshop = workshop
        self._options = options
        self._land_ready = land
        self._landings: Landings | None = None
        self._runs: list[Run] = []
        self._pauses: dict[JobId, tuple[float, float]] = {}
        self._tokens: deque[str] = deque(maxlen=REMEMBERED)
        """Those of all claims it tried: an answer that was lost, a look that showed the past, and a file that could not
        be written must not leave it with a claim that it keeps alive and cannot give back."""
        self._look_at_s = self._attend_at_s = self._reap_at_s = 0.0
        self._idle_s = self._deaf_s = FIRST_IDLE_S
        self._drained = False

    @property
    def id(self) -> str:
        """What its claims and its ref are called by."""
        return self._options.worker

    @property
    def held(self) -> int:
        """How many claims it still has."""
        return len(self._runs)

    # -- from the first to the last

    def run(self) -> WorkSummary:
        """Work until nothing is left (`once`), or for ever. Raises what the first look at the remote raises; and
        KeyboardInterrupt, after everything was given back."""
        self._begin()
        try:
            while True:
                self.pump()
                if self._options.once and self._drained and not self._runs:
                    break
                self._rest()
        except KeyboardInterrupt:
            self._world.reporter.say(f"stopping, and giving back {len(self._runs)} claimed jobs")
            self._give_back_all("interrupted")
            raise
        except BaseException:
            self._give_back_all("its worker failed")
            raise
        self._quietly(self._presence.leave)
        return self.summary

    def _begin(self) -> None:
        snapshot = self._world.store.observe({self._options.target})
        tip = snapshot.tip(self._options.target)
        if tip is None:
            raise UsageError(
                f"the remote has no branch {self._options.target} to work for", hint="git orch work --target BRANCH"
            )
        settings = self._world.policy.settings(self._options.target, tip)
        self._ttl_s, self._poll_s = settings.worker_ttl_s, float(settings.poll_interval_s)
        self._job_commands, self._max_attempts = settings.job_commands, settings.max_attempts
        if self._land_ready is not None:
            target, strict = self._options.target, self._options.once
            self._landings = Landings(self._world, target, self._land_ready, poll_s=self._poll_s, strict=strict)
        self._presence = Presence(self._world, self._options.worker, self._options.capacity, self._ttl_s)
        self._presence.beat()

    def _rest(self) -> None:
        """Until something is due; commands are looked after all the time."""
        clock = self._world.clock
        pause_s = min(self._presence.due_in_s, max(0.0, self._look_at_s - clock.boot_s()), self._poll_s)
        clock.sleep(min(pause_s, ATTEND_S) if self._runs else max(0.02, pause_s))

    def _give_back_all(self, reason: str) -> None:
        """Stop every command and give every claim back, whatever the remote says to it: claims that cannot be given
        back run out."""
        for run in self._runs:
            if run.place is not None:
                run.place.stop()
        clock, until_s = self._world.clock, self._world.clock.boot_s() + STOPPING_S
        while self._runs and clock.boot_s() < until_s:
            for run in [run for run in self._runs if run.place is None or self._ended(run)]:
                self._quietly(partial(self._give_back, run, reason))
                self._drop(run)
            clock.sleep(0.05 if self._runs else 0.0)
        self._quietly(lambda: self._release_strays(self._world.store.observe(), reason))
        self._quietly(self._presence.leave)

    def _give_back(self, run: Run, reason: str) -> None:
        """One claim at the end of this worker: what its command finished before it could be stopped is handed in."""
        finished = run.end is not None and not run.end.why
        result = self._deliver(run) if finished else give_up(self._world, run, reason)
        self._closed(run, result)

    def _drop(self, run: Run) -> None:
        self._runs = [other for other in self._runs if other is not run]

    def _quietly(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OrchError as problem:
            self._world.reporter.say(f"{problem.message}; what is left claimed runs out by itself")

    # -- one round

    def pump(self) -> None:
        """One round: a sign of life, what ended, what was lost, more work. A remote that cannot be reached is said, and
        tried again later; commands run on meanwhile."""
        for notice in self._workshop.notices():
            self._world.reporter.say(notice)
        try:
            self._pump()
            self._deaf_s = FIRST_IDLE_S
        except UnreachableError as problem:
            if self._options.once and not self._runs and not (self._landings and self._landings.going_on):
                raise
            self._world.reporter.say(f"{problem.message}; trying again")
            self._look_at_s = self._attend_at_s = self._world.clock.boot_s() + self._deaf_s
            self._deaf_s = min(self._deaf_s * 2, max(self._poll_s, LOOK_S))

    def _pump(self) -> None:
        now_s = self._world.clock.boot_s()
        if self._presence.silent:
            # Others may have taken everything meanwhile: nothing is believed, finished or claimed before a look.
            if now_s < self._look_at_s and self._presence.due_in_s > 0:
                return
            self._world.reporter.say(f"no sign of life could be given for {self._ttl_s} s; looking what is still ours")
            self._judge(self._world.store.observe({self._options.target}))
        if self._presence.due_in_s <= 0:
            self._presence.beat()
        if now_s >= self._attend_at_s and self._attend():
            self._look_at_s = 0.0
            if self._landings is not None:
                self._landings.soon()
        if now_s >= self._look_at_s:
            self._look_around()

    def _attend(self) -> bool:
        """Hand in, or give back, what has ended. Whether anything had."""
        ended = [run for run in self._runs if run.place is not None and self._ended(run)]
        for run in ended:
            result = self._deliver(run)
            self._drop(run)
            self._closed(run, result)
        return bool(ended)

    def _deliver(self, run: Run) -> WorkResult:
        options = self._options
        how = Delivery(remote=options.remote, is_self=options.is_self, max_attempts=self._max_attempts)
        return deliver(self._world, run, how)

    def _ended(self, run: Run) -> bool:
        if run.end is None and run.place is not None:
            run.end = run.place.poll()
        return run.end is not None

    def _closed(self, run: Run, result: WorkResult) -> None:
        """One job is out of our hands."""
        self.summary.done.append(result)
        because = f": {result.reason}" if result.reason else ""
        self._say(run, f"{result.outcome.value} after {duration(result.seconds)}{because}")
        if result.outcome in (WorkOutcome.RELEASED, WorkOutcome.FAILED) and result.log:
            self._say(run, f"its output is in {result.log}")
        if result.kept:
            self._say(run, f"its worktree has unsaved work and is kept: {result.kept}")
        if result.outcome in (WorkOutcome.RELEASED, WorkOutcome.LOST):
            _, pause_s = self._pauses.get(result.job, (0.0, LOOK_S / 2))
            pause_s = min(pause_s * 2, PAUSE_LIMIT_S)
            self._pauses[result.job] = (self._world.clock.boot_s() + pause_s, pause_s)
        else:
            self._pauses.pop(result.job, None)

    def _say(self, run: Run, text: str) -> None:
        self._world.reporter.say(f"job {run.job.id}: {text}")

    # -- looking around

    def _look_around(self) -> None:
        """Look at the remote; claim, reap and land what is there."""
        before_s = self._world.clock.boot_s()
        snapshot, taken = self._claim_more()
        now_s = self._world.clock.boot_s()
        # An old look (this process stood still after it) would show live workers as silent since then.
        if now_s >= self._reap_at_s and now_s - before_s < renewal_due_s(self._ttl_s):
            self._reap_at_s = now_s + renewal_due_s(self._ttl_s)
            tidy_up(self._world, self._options.target, snapshot)
        moved = not taken and self._land(snapshot)
        self._drained = not taken and not moved and not self._worth_waiting(snapshot)
        self._idle_s = FIRST_IDLE_S if taken or moved else min(self._idle_s * 1.5, max(self._poll_s, LOOK_S))
        pause_s = max(LOOK_S, self._idle_s) if self._runs else self._idle_s
        self._look_at_s = 0.0 if moved else self._world.clock.boot_s() + min(pause_s, renewal_due_s(self._ttl_s))

    def _claim_more(self) -> tuple[Snapshot, bool]:
        """Claim while there is room and something to take. The last look at the remote, and whether anything was
        taken."""
        taken, snapshot = False, None
        while len(self._runs) < self._options.capacity:
            result = claim(self._world, self._wish(fresh_only=True))
            if result.end is not ClaimEnd.CLAIMED and self._rested():
                result = claim(self._world, self._wish(fresh_only=False))
            snapshot = result.snapshot
            self._judge(snapshot, new=result.job.id if result.end is ClaimEnd.CLAIMED and result.job else None)
            if result.end is ClaimEnd.FULL:
                self._world.reporter.say(result.reason)
            if result.end is not ClaimEnd.CLAIMED:
                break
            assert result.job is not None and result.seen is not None and result.token is not None
            command = self._command(result.job)
            assert command is not None, "a job without a command was not to be accepted"
            self.summary.taken += 1
            taken = True
            run = Run(job=result.job, event=result.seen.oid, token=result.token, command=command)
            self._runs.append(run)
            self._start(run)
        if snapshot is None:
            snapshot = self._world.store.observe({self._options.target})
            self._judge(snapshot)
        for run in [run for run in self._runs if run.place is None]:
            self._start(run)
        return snapshot, taken

    def _wish(self, *, fresh_only: bool) -> ClaimWish:
        now_s = self._world.clock.boot_s()

        def accept(job: Job) -> bool:
            until_s = self._pauses.get(job.id, (0.0, 0.0))[0]
            tired = job.id in self._pauses if fresh_only else now_s < until_s
            return self._command(job) is not None and not tired

        token = self._world.random.token()
        self._tokens.append(token)
        return ClaimWish(
            worker=self._options.worker,
            target=self._options.target,
            ttl_s=self._ttl_s,
            kept=True,
            accept=accept,
            token=token,
        )

    def _rested(self) -> bool:
        """Whether a job that failed here may be tried again now, since there is nothing else."""
        now_s = self._world.clock.boot_s()
        return any(now_s >= until_s for until_s, _ in self._pauses.values())

    def _worth_waiting(self, snapshot: Snapshot) -> bool:
        """Whether something is ready that only has to wait because it failed here a moment ago."""
        ready = to_claim(snapshot, self._options.target, missing_holds=self._world.missing_holds)
        self._pauses = {job: p for job, p in self._pauses.items() if job in snapshot.jobs}
        return any(seen.record.id in self._pauses for seen in ready)

    def _command(self, job: Job) -> str | None:
        """What is run for a job: its own command where that is allowed, else the worker's."""
        return (job.run if self._job_commands else None) or self._options.command

    def _start(self, run: Run) -> None:
        order = begin(self._world, run)
        if isinstance(order, str):
            self._drop(run)
            self._closed(run, give_up(self._world, run, order))
            return
        self._say(run, f"{run.job.title} (attempt {run.job.attempt})")
        run.place = self._workshop.start(order)

    def _judge(self, snapshot: Snapshot, new: JobId | None = None) -> None:
        """Stop what is not ours any more, and give back what is ours and not run: claims whose answer was lost, or that
        we took for lost."""
        for run in [run for run in self._runs if not run.lost and not run.spoke]:
            judge(run, snapshot)
            if run.lost:
                self._say(run, f"{run.lost}; its command is stopped")
                if run.place is not None:
                    run.place.stop()
        self._release_strays(snapshot, "claimed by accident", new=new)

    def _release_strays(self, snapshot: Snapshot, reason: str, new: JobId | None = None) -> None:
        mine = {run.job.id for run in self._runs} | {new}
        for job_id, seen in snapshot.jobs.items():
            job = seen.record
            if job.state is not State.CLAIMED or job.worker != self._options.worker or job_id in mine:
                continue
            kept = self._world.memory.claims().get(job_id, ())
            token = own_token(job, (*kept, *self._tokens))
            if has_claim(job, token):
                leave(self._world, job_id, Event.RELEASE, token=token, reason=reason, refund=True)
                self._world.memory.forget_claim(job_id)

    # -- landing

    def _land(self, snapshot: Snapshot) -> bool:
        """Land what is ready. Whether anything changed by that."""
        return self._landings is not None and self._landings.land(snapshot, self._landed)

    def _landed(self, result: LandResult) -> None:
        """One attempt to land has ended; between two of them the rest is attended to."""
        if result.end in MOVED:
            self.summary.landed.append(result)
        self.pump()
