"""The queue for programs: the same engine as the command line, without its parsing.

    from gitorch import Orch

    with Orch.open("path/to/clone") as orch:
        orch.add("Fix the parser", id="fix-parser")
        claimed = orch.claim()
        ...
        orch.submit("fix-parser", job=claimed.job.id, token=claimed.token)
        result = orch.land("fix-parser")

Methods return the engine's frozen records and results; expected outcomes (busy, nothing, red, lost) are their `end`,
never exceptions. What fails raises an OrchError (`message`, `hint`, `code`, `retryable`). One Orch belongs to one
thread; two in one clone are two holders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gitorch.core.additions import Draft
from gitorch.core.model import Job, JobId, Oid, Snapshot, State
from gitorch.core.plan_queue import own_token
from gitorch.core.states import Event
from gitorch.engine.add import Import, add, add_many
from gitorch.engine.change import EdgesResult, change_edges
from gitorch.engine.claims import ClaimResult, ClaimWish, LeaveResult, claim, leave
from gitorch.engine.edit import change_job
from gitorch.engine.hold import Hold
from gitorch.engine.land import Lander, LandResult
from gitorch.engine.lookup import find_any
from gitorch.engine.reap import ReapReport, reap
from gitorch.engine.submit import SubmitResult, SubmitWish, submit
from gitorch.engine.train import Waiting, land_all, land_when_free
from gitorch.render import counts
from gitorch.session import Session, open_session

if TYPE_CHECKING:
    from gitorch.ports import Reporter


@dataclass(frozen=True, slots=True)
class Status:
    """One observation: everything that is live, and how many jobs are in each state (and ready, waiting, blocked)."""

    snapshot: Snapshot
    counts: dict[str, int]

    @property
    def jobs(self) -> list[Job]:
        """The live jobs, by id."""
        return [seen.record for _, seen in sorted(self.snapshot.jobs.items())]


class Orch:
    """A repository's queue. Use `Orch.open`, and close it: as a context manager, or with `close`."""

    def __init__(self, session: Session, reporter: Reporter | None = None) -> None:
        self._session = session
        self._world = session.world(reporter, session.gate_runner())
        self._worker = f"program-{self._world.random.short_id()}"
        self._view: Snapshot | None = None
        self._holders: frozenset[str | None] = frozenset()

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        remote: str | None = None,
        target: str | None = None,
        reporter: Reporter | None = None,
    ) -> Orch:
        """The queue of the repository around `path` (the process's directory by default). `remote` and `target` stand
        for `orch.remote` and `orch.target`; `reporter` hears of progress. Raises UsageError where there is none."""
        directory = None if path is None else Path(path)
        return cls(open_session(directory, remote=remote, target=target, bulk=True), reporter)

    def __enter__(self) -> Orch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what runs in the background."""
        self._session.close()

    @property
    def target(self) -> str:
        """The branch that work lands on."""
        return self._session.target

    # -- look

    def status(self) -> Status:
        """Read the remote once. Raises UnreachableError."""
        snapshot = self._world.store.observe({self.target})
        return Status(snapshot, counts(snapshot))

    def job(self, word: str) -> Job:
        """The job that an id, a unique beginning of it, or a branch names, archived ones too. Raises UsageError."""
        return find_any(self._world, self._world.store.observe(), word).record

    # -- hand out work

    def add(
        self,
        title: str,
        *,
        id: str | None = None,
        body: str = "",
        priority: int = 0,
        branch: str | None = None,
        after: Iterable[str] = (),
        labels: Iterable[str] = (),
        run: str | None = None,
        lands: bool = True,
        target: str | None = None,
    ) -> Job:
        """Make a job. Raises UsageError for an id that is taken, an unknown dependency, or what no job may be."""
        draft = Draft(
            title=title,
            id=id,
            body=body,
            priority=priority,
            branch=branch,
            after=tuple(after),
            labels=tuple(labels),
            run=run,
            lands=lands,
            target=target,
        )
        return add(self._world, draft, self.target)[0]

    def add_many(self, drafts: Sequence[Draft], *, partial: bool = False) -> Import:
        """Make many jobs in few pushes; they may wait for each other in any order. Lines of refusals count from 1."""
        from gitorch.core.additions import Refusal, check
        from gitorch.core.errors import UsageError

        good: dict[int, Draft] = {}
        refused: list[Refusal] = []
        for number, draft in enumerate(drafts, 1):
            try:
                good[number] = check(draft)
            except UsageError as problem:
                refused.append(Refusal(number, draft.id, problem.message))
        return add_many(self._world, good, refused, self.target, partial=partial)

    def after(self, job: str, *dependencies: str, remove: bool = False) -> EdgesResult:
        """Let a job wait for others, or not any more. Raises CycleError, UsageError."""
        return change_edges(self._world, job, dependencies, remove=remove)

    def claim(
        self, job: str | None = None, *, worker: str | None = None, ttl_s: int | None = None, token: str | None = None
    ) -> ClaimResult:
        """Take a job: the named one, else the next that is ready. `end` says how it went; `token` of the result is what
        the claim is. The claim lives for `ttl_s` (orch.claimTTL) since its last event."""
        wish = ClaimWish(
            worker=worker or self._worker,
            target=self.target,
            ttl_s=ttl_s or self._session.settings.claim_ttl_s,
            job=job,
            token=token,
        )
        result = claim(self._world, wish, self._view)
        claimed = (seen.record for seen in result.snapshot.jobs.values() if seen.record.state is State.CLAIMED)
        holders = frozenset(job.worker for job in claimed)
        # A view serves the next claim once it shows nobody new: until then others are there that it knows nothing of.
        self._view = result.snapshot if not result.lost and holders == self._holders else None
        self._holders = holders
        return result

    def release(self, job: str, *, token: str | None = None, reason: str | None = None) -> LeaveResult:
        """Give a claimed job back unfinished; the attempt does not count."""
        return self._leave(job, Event.RELEASE, token, reason, refund=True)

    def fail(self, job: str, *, token: str | None = None, reason: str | None = None) -> LeaveResult:
        """Say that a claimed job cannot be done; the last attempt that orch.maxAttempts allows ends it."""
        return self._leave(job, Event.FAIL, token, reason, max_attempts=None)

    def done(self, job: str, *, token: str | None = None, reason: str | None = None) -> LeaveResult:
        """Finish a claimed job that lands nothing."""
        return self._leave(job, Event.FINISH, token, reason)

    def cancel(self, job: str, *, reason: str | None = None) -> Job:
        """Withdraw a job; its branch stays."""
        return change_job(self._world, job, Event.CANCEL, reason)[0]

    def retry(self, job: str, *, reason: str | None = None) -> Job:
        """Put a job back that is in rework or failed."""
        return change_job(self._world, job, Event.RETRY, reason)[0]

    def reap(self) -> ReapReport:
        """Return what dead workers hold, as far as this clone has seen them silent for long enough."""
        return reap(self._world, self.target, leases=True)

    # -- land work

    def submit(
        self,
        branch: str,
        *,
        job: str | None = None,
        id: str | None = None,
        title: str | None = None,
        priority: int | None = None,
        after: Iterable[str] = (),
        token: str | None = None,
        head: str | None = None,
    ) -> SubmitResult:
        """Hand in a branch of this clone, or `head` under the branch's name. A claimed job takes its `token`, or that
        which this worktree has."""
        wish = SubmitWish(
            branch=branch,
            target=self.target,
            title=title,
            job=job,
            new_id=id,
            priority=priority,
            after=tuple(after),
            remote=self._session.remote,
            is_self=self._session.is_self,
            token=token,
            head=None if head is None else Oid(head),
        )
        return submit(self._world, wish)

    def land(self, job: str, *, wait: bool = False) -> LandResult:
        """Land one job: catch up, test, move the target. `wait` watches a busy lease until it is free."""
        job_id: JobId = find_any(self._world, self._world.store.observe(), job).record.id
        return land_when_free(self._world, self._lander, self._waiting(wait), lambda lander: lander.land(job_id))

    def land_all(self, *, wait: bool = False) -> list[LandResult]:
        """Land what is ready, one after another, in order."""
        return land_all(self._world, self.target, self._lander, self._waiting(wait), _ignore).results

    def _lander(self) -> Lander:
        hold = Hold(self._world, self.target, command="land")
        return Lander(self._world, self.target, hold, self._session.repository.object_format)

    def _waiting(self, wait: bool) -> Waiting:
        return Waiting(wait, float(self._session.settings.poll_interval_s))

    def _leave(self, job: str, event: Event, token: str | None, reason: str | None, **how: Any) -> LeaveResult:
        found = find_any(self._world, self._world.store.observe(), job).record
        token = token or own_token(found, self._world.memory.claims().get(found.id, ()))
        return leave(self._world, found.id, event, token=token, reason=reason, **how)


def _ignore(result: LandResult) -> None:
    """Nobody is told of each landing as it ends; all are returned."""
    del result
