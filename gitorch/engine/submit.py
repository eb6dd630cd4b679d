"""Handing a finished branch in: the head is pinned, and the branch is pushed along in the same atomic push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gitorch.core.errors import OrchError, UsageError
from gitorch.core.model import JOB_ID, PRIORITY_LIMIT, TITLE_LIMIT, Job, JobId, Oid, Seen, Snapshot, State
from gitorch.core.names import is_branch_name
from gitorch.core.observation import advance
from gitorch.core.plan import Submission, plan_submit
from gitorch.core.plan_queue import graph_update, has_claim, own_token
from gitorch.core.queue import find_job, is_target, open_job_of_branch, states_of
from gitorch.core.text import one_line, typed
from gitorch.core.writes import Plan
from gitorch.engine.edges import check_no_cycle, settled_snapshot
from gitorch.engine.exchange import exchange, require_readable
from gitorch.engine.lookup import find_any, is_archived
from gitorch.engine.world import World

SUBJECT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitWish:
    """What the caller asked for, as typed. `job` is an id or prefix of the job to continue, `new_id` the id of a
    new one; `remote` is how people name the remote, for hints. `token` shows that the job is claimed by the caller, who
    works on nothing else; `spare_token` may do so, or belong to something else (a lease). `head` is handed in under the
    branch's name instead of what the local branch of that name has."""

    branch: str
    target: str
    title: str | None = None
    job: str | None = None
    new_id: str | None = None
    priority: int | None = None
    after: tuple[str, ...] = ()
    remote: str = "REMOTE"
    is_self: bool = False
    token: str | None = None
    spare_token: str | None = None
    head: Oid | None = None


class SubmitEnd(Enum):
    """How handing in ended. LOST: the claim is not the caller's any more. BUSY: it is somebody else's."""

    SUBMITTED = "submitted"
    UNCHANGED = "unchanged"
    ALREADY = "already"
    LOST = "lost"
    BUSY = "busy"


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
    world.memory.forget_claim(changed[0].record.id)
    before = snapshot.jobs.get(changed[0].record.id)
    return SubmitResult(
        end=SubmitEnd.SUBMITTED,
        job=changed[0].record,
        states=states_of(after),
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
    local = wish.head or world.history.local_branch(wish.branch)
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
    before = _existing(world, snapshot, wish)
    if before is not None and (stop := _not_ours(world, snapshot, wish, before, head)) is not None:
        return stop
    if world.history.is_ancestor(head, tip):
        return _already(world, snapshot, wish, head)
    after = _dependencies(world, snapshot, wish, head, tip, before)
    edges = before is not None and after != before.record.after
    if edges and before is not None:
        # Read again in a way that hides no edge of others; what was decided upon it, is decided anew.
        snapshot = settled_snapshot(world, {wish.branch, wish.target})
        if snapshot.jobs.get(before.record.id) != before or snapshot.tip(wish.target) != tip:
            return _decide(world, wish, snapshot, tried)
        check_no_cycle(snapshot, before.record.id, [job for job in after if job not in before.record.after])
    if before is not None and not edges and _says_nothing_new(before.record, wish, head):
        return SubmitResult(end=SubmitEnd.UNCHANGED, job=before.record, states=states_of(snapshot), head=head)
    push = local is not None and (wish.head is not None or not wish.is_self) and remote != local
    if push and is_target(snapshot, wish.branch):
        raise UsageError(
            f"{wish.branch} is a target too: only a landing may move it on the remote",
            hint=f"git switch -c my-branch {typed(wish.branch)}, then git orch submit",
        )
    if push and remote is not None:
        _refuse_loss(world, wish, head, remote, before)
    new_id = _new_id(world, snapshot, wish, tried[-1] if tried else None)
    tried.append(new_id)
    context = world.context()
    graph = (graph_update(context, snapshot.graph, before.record.id, after),) if edges and before else ()
    return plan_submit(
        context,
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
            graph=graph,
        ),
        snapshot,
    )


def _existing(world: World, snapshot: Snapshot, wish: SubmitWish) -> Seen[Job] | None:
    """The job that this submission continues, if any: the one that is named, the one that this worktree has claimed,
    else the open one of the branch. Raises UsageError for an id that is taken or unknown."""
    if wish.new_id is not None:
        if JobId(wish.new_id) in snapshot.jobs or is_archived(world, JobId(wish.new_id)):
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
    return _claimed_here(world, snapshot, wish) or open_job_of_branch(snapshot.jobs.values(), wish.branch, wish.target)


def _claimed_here(world: World, snapshot: Snapshot, wish: SubmitWish) -> Seen[Job] | None:
    """The only job that a command of this worktree has claimed, if the branch can be its work."""
    ours = [
        seen
        for job_id, tokens in world.memory.claims().items()
        if (seen := snapshot.jobs.get(job_id)) is not None
        and has_claim(seen.record, own_token(seen.record, tokens))
        # What a worker that runs here has claimed, its own commands hand in.
        and not seen.record.kept
        and seen.record.lands
        and seen.record.target == wish.target
        and seen.record.branch in (None, wish.branch)
    ]
    return ours[0] if len(ours) == 1 else None


def _not_ours(world: World, snapshot: Snapshot, wish: SubmitWish, before: Seen[Job], head: Oid) -> SubmitResult | None:
    """Whether the job is somebody else's to hand in (I5). Raises UsageError for a job that lands nothing."""
    job = before.record
    if not job.lands:
        raise UsageError(
            f"job {job.id} lands nothing, so there is no branch to hand in",
            hint=f"git orch done {job.id} (or git orch edit {job.id} --land)",
        )
    kept = own_token(job, world.memory.claims().get(job.id, ()))
    token = wish.token or (wish.spare_token if has_claim(job, wish.spare_token) else kept)
    lost = wish.token is not None and job.state is not State.CLAIMED
    if not lost and (job.state is not State.CLAIMED or has_claim(job, token)):
        return None
    end = SubmitEnd.LOST if token is not None else SubmitEnd.BUSY
    return SubmitResult(end=end, job=job, states=states_of(snapshot), head=head)


def _already(world: World, snapshot: Snapshot, wish: SubmitWish, head: Oid) -> SubmitResult:
    """The head is on the target: nothing is left to land, and the job that brought it there is named if it is known."""
    known = [s.record for s in [*snapshot.jobs.values(), *snapshot.archived.values()] if _brought(s.record, head)]
    if not known:
        known = [s.record for s in world.store.archive().of_branch(wish.branch) if _brought(s.record, head)]
    job = known[0] if known else None
    landed = job.landed if job else head
    return SubmitResult(end=SubmitEnd.ALREADY, job=job, states=states_of(snapshot), head=head, landed=landed)


def _brought(job: Job, head: Oid) -> bool:
    return job.state is State.DONE and head in (job.head, job.landed)


def _says_nothing_new(job: Job, wish: SubmitWish, head: Oid) -> bool:
    same_title = wish.title is None or one_line(wish.title, TITLE_LIMIT) == job.title
    same_priority = wish.priority is None or wish.priority == job.priority
    return job.state is State.SUBMITTED and job.head == head and same_title and same_priority


def _dependencies(
    world: World, snapshot: Snapshot, wish: SubmitWish, head: Oid, tip: Oid, before: Seen[Job] | None
) -> tuple[JobId, ...]:
    """What the job waits for: what it waited for, what the caller named, and `Depends-on:` in the commits. Unknown ids
    are refused (I6)."""
    named = [find_any(world, snapshot, word).record.id for word in wish.after]
    written = [_written_dependency(world, snapshot, word) for word in world.history.dependencies(head, tip)]
    own = () if before is None else before.record.after
    return tuple(dict.fromkeys([*own, *named, *written]))


def _written_dependency(world: World, snapshot: Snapshot, word: str) -> JobId:
    try:
        return find_any(world, snapshot, word).record.id
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
    if before is not None and (wish.job is not None or before.record.state is State.CLAIMED):
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
