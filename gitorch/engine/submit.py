"""Handing a finished branch in: the head is pinned, and the branch is pushed along in the same atomic push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gitorch.core.errors import OrchError, UsageError
from gitorch.core.model import JOB_ID, PRIORITY_LIMIT, TITLE_LIMIT, Job, JobId, Oid, Plan, Seen, Snapshot, State
from gitorch.core.names import is_branch_name
from gitorch.core.observation import advance
from gitorch.core.plan import Submission, plan_submit
from gitorch.core.queue import find_job, is_target, open_job_of_branch, states_of
from gitorch.core.text import one_line, typed
from gitorch.engine.exchange import exchange, require_readable
from gitorch.engine.world import World

SUBJECT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitWish:
    """What the caller asked for, as typed. `job` is an id or prefix of the job to continue, `new_id` the id of a
    new one; `remote` is how people name the remote, for hints."""

    branch: str
    target: str
    title: str | None = None
    job: str | None = None
    new_id: str | None = None
    priority: int | None = None
    after: tuple[str, ...] = ()
    remote: str = "REMOTE"
    is_self: bool = False


class SubmitEnd(Enum):
    SUBMITTED = "submitted"
    UNCHANGED = "unchanged"
    ALREADY = "already"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitResult:
    """What became of a submission. `job` is None when the head is on the target already and no job is known for it."""

    end: SubmitEnd
    job: Job | None
    states: Mapping[JobId, State]
    head: Oid
    landed: Oid | None = None
    replaced: Oid | None = None


def submit(world: World, wish: SubmitWish) -> SubmitResult:
    """Submit a branch. Raises UsageError for an unknown branch, job, dependency or target, OrchError when the
    remote's branch has commits that would be lost."""
    check_wish(wish)
    tried: list[JobId] = []
    snapshot, decision, outcome = exchange(
        world, {wish.branch, wish.target}, lambda seen: _decide(world, wish, seen, tried)
    )
    if not isinstance(decision, Plan):
        return decision
    assert outcome is not None
    after = advance(world.namespace, snapshot, decision, outcome.oids)
    changed = [seen for job_id, seen in after.jobs.items() if snapshot.jobs.get(job_id) != seen]
    assert len(changed) == 1 and changed[0].record.head is not None
    before = snapshot.jobs.get(changed[0].record.id)
    return SubmitResult(
        end=SubmitEnd.SUBMITTED,
        job=changed[0].record,
        states=states_of(after.jobs),
        head=changed[0].record.head,
        replaced=before.record.head if before is not None and before.record.head != changed[0].record.head else None,
    )


def check_wish(wish: SubmitWish) -> None:
    """What can be refused before anything is looked at. Raises UsageError."""
    if not is_branch_name(wish.branch):
        raise UsageError("that is not the name of a branch", hint="git branch --list")
    if wish.branch == wish.target:
        raise UsageError(
            f"{wish.branch} is the target itself; submit a branch that is to land on it",
            hint="git switch -c my-branch, then git orch submit",
        )
    if wish.new_id is not None and not JOB_ID.fullmatch(wish.new_id):
        raise UsageError(
            "a job's id is 1 to 64 lower-case letters, digits and dashes, not beginning with a dash",
            hint="git orch submit --id fix-parser",
        )
    if wish.title is not None and not 0 < len(wish.title.strip()) <= TITLE_LIMIT:
        raise UsageError(
            f"a title has 1 to {TITLE_LIMIT} characters, this one has {len(wish.title)}",
            hint="git orch submit --title 'a short one'",
        )
    if wish.priority is not None and abs(wish.priority) > PRIORITY_LIMIT:
        raise UsageError(
            f"a priority is a number from -{PRIORITY_LIMIT} to {PRIORITY_LIMIT}", hint="git orch submit --priority 10"
        )


def _decide(world: World, wish: SubmitWish, snapshot: Snapshot, tried: list[JobId]) -> Plan | SubmitResult:
    """One round. `tried` has the id that the round before used for a new job."""
    local = world.history.local_branch(wish.branch)
    remote = snapshot.tip(wish.branch)
    head = local or remote
    tip = snapshot.tip(wish.target)
    if head is None:
        raise UsageError(f"there is no branch {wish.branch!r}, here or on the remote", hint="git branch --all")
    if tip is None:
        raise UsageError(
            f"the remote has no branch {wish.target!r} to land on",
            hint="git orch submit --target BRANCH (or push the target first)",
        )
    if wish.new_id is not None:
        require_readable(snapshot, world.namespace.job(JobId(wish.new_id)), f"the job {wish.new_id}")
    before = _existing(snapshot, wish)
    if world.history.is_ancestor(head, tip):
        return _already(snapshot, wish, head)
    after = _dependencies(world, snapshot, wish, head, tip, before)
    if before is not None and _says_nothing_new(before.record, wish, head):
        return SubmitResult(end=SubmitEnd.UNCHANGED, job=before.record, states=states_of(snapshot.jobs), head=head)
    push = local is not None and not wish.is_self and remote != local
    if push and is_target(snapshot, wish.branch):
        raise UsageError(
            f"{wish.branch} is a target too: only a landing may move it on the remote",
            hint=f"git switch -c my-branch {typed(wish.branch)}, then git orch submit",
        )
    if push and remote is not None:
        _refuse_loss(world, wish, head, remote, before)
    new_id = _new_id(world, snapshot, wish, tried[-1] if tried else None)
    tried.append(new_id)
    return plan_submit(
        world.context(),
        Submission(
            branch=wish.branch,
            head=head,
            title=_title(world, wish, head, before),
            target=wish.target,
            new_id=new_id,
            priority=wish.priority,
            after=after,
            job=before,
            push=push,
            push_from=remote,
        ),
    )


def _existing(snapshot: Snapshot, wish: SubmitWish) -> Seen[Job] | None:
    """The job that this submission continues, if any. Raises UsageError for an id that is taken or unknown."""
    if wish.new_id is not None:
        if JobId(wish.new_id) in snapshot.jobs:
            raise UsageError(f"there is a job {wish.new_id} already", hint=f"git orch show {wish.new_id}")
        return None
    if wish.job is not None:
        found = find_job(snapshot.jobs, wish.job)
        if found.record.target != wish.target:
            raise UsageError(
                f"job {found.record.id} is for {found.record.target}, not for {wish.target}",
                hint=f"git orch submit --job {found.record.id} --target {typed(found.record.target)}",
            )
        return found
    return open_job_of_branch(snapshot.jobs.values(), wish.branch, wish.target)


def _already(snapshot: Snapshot, wish: SubmitWish, head: Oid) -> SubmitResult:
    """The head is on the target: nothing is left to land, and the job that brought it there is named if it is known."""
    known = [
        seen.record
        for seen in snapshot.jobs.values()
        if seen.record.state is State.DONE and (seen.record.head == head or seen.record.landed == head)
    ]
    job = known[0] if known else None
    landed = job.landed if job else head
    return SubmitResult(end=SubmitEnd.ALREADY, job=job, states=states_of(snapshot.jobs), head=head, landed=landed)


def _says_nothing_new(job: Job, wish: SubmitWish, head: Oid) -> bool:
    same_title = wish.title is None or one_line(wish.title, TITLE_LIMIT) == job.title
    same_priority = wish.priority is None or wish.priority == job.priority
    return job.state is State.SUBMITTED and job.head == head and same_title and same_priority


def _dependencies(
    world: World, snapshot: Snapshot, wish: SubmitWish, head: Oid, tip: Oid, before: Seen[Job] | None
) -> tuple[JobId, ...]:
    """What the job waits for: named by the caller, or by `Depends-on:` in the commits. Unknown ids are refused
    (I6): edges that are named at creation point at jobs that exist, so they cannot close a cycle."""
    named = [find_job(snapshot.jobs, word).record.id for word in wish.after]
    written = [_written_dependency(snapshot, word) for word in world.history.dependencies(head, tip)]
    ids = tuple(dict.fromkeys([*named, *written]))
    if before is None:
        return ids
    new = [job_id for job_id in ids if job_id not in before.record.after]
    if new:
        raise UsageError(
            f"job {before.record.id} exists, and does not wait for {new[0]}; dependencies are named when a job is made",
            hint=f"git orch cancel {before.record.id}, then submit again with --after {new[0]}",
        )
    return before.record.after


def _written_dependency(snapshot: Snapshot, word: str) -> JobId:
    try:
        return find_job(snapshot.jobs, word).record.id
    except UsageError as unknown:
        raise UsageError(
            f"a commit of the branch says `Depends-on: {one_line(word, 100)}`, but {unknown.message}", hint=unknown.hint
        ) from None


def _refuse_loss(world: World, wish: SubmitWish, head: Oid, remote: Oid, before: Seen[Job] | None) -> None:
    """Never replace commits on the remote that are kept nowhere else (I8). What was submitted before is kept by its
    job."""
    kept = before is not None and before.record.head == remote
    if not kept and not world.history.is_ancestor(remote, head):
        raise OrchError(
            f"the remote's {wish.branch} has commits that your branch lacks; submitting would drop them",
            hint=f"git switch {typed(wish.branch)} && git pull --rebase {typed(wish.remote, 'REMOTE')} "
            f"{typed(wish.branch)}, then git orch submit",
        )


def _title(world: World, wish: SubmitWish, head: Oid, before: Seen[Job] | None) -> str:
    if wish.title is not None:
        return one_line(wish.title, TITLE_LIMIT)
    if before is not None and wish.job is not None:
        return before.record.title
    return one_line(world.history.subject(head), SUBJECT_LIMIT)


def _new_id(world: World, snapshot: Snapshot, wish: SubmitWish, tried: JobId | None) -> JobId:
    """A free id: the one of the round before if there was one. A push that timed out may still be applied later; under
    the same id it and its repetition cannot both succeed. A collision is a lost race like any other."""
    if wish.new_id is not None:
        return JobId(wish.new_id)
    if tried is not None and tried not in snapshot.jobs:
        return tried
    while True:
        job_id = JobId(world.random.short_id())
        if job_id not in snapshot.jobs and snapshot.damage_of(world.namespace.job(job_id)) is None:
            return job_id
