"""Making jobs: one, or as many as a file of JSON Lines describes.

What a job waits for must exist when it is named (I6), live or archived, or stand in the same file; nothing can wait for
a job before it is made, so no cycle can come about here. The one exception is damage: somebody may wait for an id that
is gone, and get it back by an addition; then the graph is written along, after a look for a cycle.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from gitorch.core.additions import Draft, Refusal, check, in_order
from gitorch.core.errors import RefusedError, UsageError
from gitorch.core.model import JOB_ID, Job, JobId, Seen, Snapshot, State
from gitorch.core.observation import advance
from gitorch.core.plan import MAX_UPDATES, Context
from gitorch.core.plan_queue import Addition, graph_update, plan_add
from gitorch.core.queue import find_job, states_of
from gitorch.core.text import escape, typed
from gitorch.core.writes import OutcomeKind, Plan, RefUpdate
from gitorch.engine.edges import check_no_cycle, settled_snapshot
from gitorch.engine.exchange import MAX_ROUNDS, exchange, pause, publish, require_readable, too_busy
from gitorch.engine.lookup import find_any, is_archived
from gitorch.engine.world import World


def add(world: World, draft: Draft, target: str) -> tuple[Job, Mapping[JobId, State]]:
    """Make one job; the job, and the states of all. `target` is what it lands on unless the draft says otherwise.
    Raises UsageError for an id that is taken, or a dependency that is unknown."""
    draft = check(draft)
    target = draft.target or target
    if draft.branch == target:
        raise UsageError("the branch of a job cannot be the target that it lands on", hint="git orch add -h")
    ids: list[JobId] = []

    def decide(snapshot: Snapshot) -> Plan:
        _require_target(world, snapshot, target)
        job_id = JobId(draft.id) if draft.id is not None else free_id(world, snapshot, ids)
        if draft.id is not None:
            require_free(world, snapshot, job_id)
        ids[:] = [job_id]
        after = tuple(dict.fromkeys(find_any(world, snapshot, word).record.id for word in draft.after))
        context = world.context()
        edits = _edits(world, snapshot, context, job_id, after)
        return plan_add(context, [_addition(draft, job_id, target, after)], edits)

    snapshot, plan, outcome = exchange(world, {target}, decide)
    assert isinstance(plan, Plan) and outcome is not None
    after = advance(world.namespace, snapshot, plan, outcome.oids)
    return after.jobs[ids[0]].record, states_of(after)


def _require_target(world: World, snapshot: Snapshot, target: str) -> None:
    del world
    if snapshot.tip(target) is None:
        raise UsageError(
            f"the remote has no branch {target!r} to land on", hint=f"git push REMOTE HEAD:refs/heads/{typed(target)}"
        )


def require_free(world: World, snapshot: Snapshot, job: JobId) -> None:
    """Raises UsageError for an id that a live or an archived job has, DamagedError for one whose ref is damaged."""
    require_readable(snapshot, world.namespace.job(job), f"the job {job}")
    if job in snapshot.jobs or is_archived(world, job):
        raise UsageError(f"there is a job {job} already", hint=f"git orch show {job}")


def free_id(
    world: World, snapshot: Snapshot, tried: Sequence[JobId] = (), reserved: Container[JobId] = frozenset()
) -> JobId:
    """A random id that nobody has, and that is not `reserved`; the one of the round before while it is free: a push
    that timed out may still be applied later, and under the same id it and its repetition cannot both succeed."""
    if tried and tried[-1] not in snapshot.jobs:
        return tried[-1]
    while True:
        job = JobId(world.random.short_id())
        if job in snapshot.jobs or job in reserved:
            continue
        if snapshot.damage_of(world.namespace.job(job)) is None:
            return job


def _addition(draft: Draft, job: JobId, target: str, after: tuple[JobId, ...]) -> Addition:
    return Addition(
        id=job,
        title=draft.title,
        target=target,
        branch=draft.branch,
        priority=draft.priority,
        after=after,
        labels=draft.labels,
        run=draft.run,
        lands=draft.lands,
        body=draft.body.encode(),
    )


def _edits(
    world: World, snapshot: Snapshot, context: Context, job: JobId, after: tuple[JobId, ...]
) -> tuple[RefUpdate, ...]:
    """The write to the graph, where somebody waits for this id although it is gone."""
    if not after or all(job not in seen.record.after for seen in snapshot.jobs.values()):
        return ()
    settled = settled_snapshot(world)
    check_no_cycle(settled, job, after)
    return (graph_update(context, settled.graph, job, after),)


# -- many


@dataclass(slots=True)
class Import:
    """What became of a file: the jobs that were `added`, in the order of their lines, those that were `there` already
    (same id, same title), and the lines that were `refused`. Nothing is added where something is refused, unless a part
    is wanted."""

    added: list[Job] = field(default_factory=list)
    there: list[JobId] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class _Line:
    number: int
    draft: Draft
    id: JobId
    target: str
    after: tuple[JobId, ...] = ()


def add_many(
    world: World, drafts: Mapping[int, Draft], refused: Sequence[Refusal], target: str, *, partial: bool
) -> Import:
    """Make the jobs of all lines, in few pushes, what is waited for first. All or nothing as far as it can be known
    beforehand; with `partial` the good lines are added, and those that wait for a refused one are refused, too. A run
    that was cut off is continued by the same run again, where lines have ids."""
    result = Import(refused=list(refused))
    targets = {target, *(draft.target for draft in drafts.values() if draft.target)}
    snapshot = world.store.observe(targets)
    lines = _fix_ids(world, snapshot, drafts, target, result)
    _resolve(world, snapshot, lines, result)
    order = _ordered(lines, result)
    result.refused.sort(key=lambda refusal: refusal.line)
    if result.refused and not partial:
        return result
    _publish(world, snapshot, [lines[job] for job in order], result)
    result.added.sort(key=lambda job: lines[job.id].number)
    result.refused.sort(key=lambda refusal: refusal.line)
    return result


def _fix_ids(
    world: World, snapshot: Snapshot, drafts: Mapping[int, Draft], target: str, result: Import
) -> dict[JobId, _Line]:
    """Lines by id. Ids are fixed before anything is pushed, so that a push which is repeated makes nothing twice."""
    ids, archived = _ids(world, snapshot, drafts)
    wanted = {dependency for seen in snapshot.jobs.values() for dependency in seen.record.after}
    lines: dict[JobId, _Line] = {}
    for number, draft in drafts.items():
        job = ids[number]
        seen = snapshot.jobs.get(job) or archived.get(job)
        onto = draft.target or target
        reason = None
        if seen is not None and seen.record.title == draft.title:
            result.there.append(job)
            continue
        if seen is not None:
            reason = f"there is a job {job} already: {seen.record.title}"
        elif snapshot.damage_of(world.namespace.job(job)) is not None:
            reason = f"the ref of {job} is damaged, and left alone"
        elif snapshot.tip(onto) is None:
            reason = f"the remote has no branch {onto} to land on"
        elif job in wanted:
            reason = f"others wait for {job} already, although it is gone; add it by itself"
        if reason is not None:
            result.refused.append(Refusal(number, job, reason))
        else:
            lines[job] = _Line(number, draft, job, onto)
    return lines


def _ids(
    world: World, snapshot: Snapshot, drafts: Mapping[int, Draft]
) -> tuple[dict[int, JobId], Mapping[JobId, Seen[Job]]]:
    """The id of each line, and which of them the archive has: only ids that the file itself gives."""
    archive = world.store.archive()
    ids = {number: JobId(draft.id) for number, draft in drafts.items() if draft.id is not None}
    archived = archive.find(ids.values())
    # Thousands of random ids meet each other, and thousands that are archived, far sooner than one does.
    reserved = set(ids.values())
    missing = [number for number in drafts if number not in ids]
    while missing:
        for number in missing:
            ids[number] = free_id(world, snapshot, reserved=reserved)
            reserved.add(ids[number])
        used = archive.find([ids[number] for number in missing])
        missing = [number for number in missing if ids[number] in used]
    return ids, archived


def _resolve(world: World, snapshot: Snapshot, lines: dict[JobId, _Line], result: Import) -> None:
    """Turn the words of `after` into ids; refuse lines that name what nobody knows."""
    known: dict[str, JobId | None] = {job: job for job in (*lines, *result.there)}
    words = {word for line in lines.values() for word in line.draft.after} - known.keys()
    known |= _exact(world, snapshot, words, result)
    for line in list(lines.values()):
        unknown = None
        found: list[JobId] = []
        for word in line.draft.after:
            if word not in known:
                known[word] = _beginning(snapshot, word)
            job = known[word]
            unknown = word if job is None and unknown is None else unknown
            found += [job] if job is not None else []
        line.after = tuple(dict.fromkeys(found))
        if unknown is not None:
            reason = f"it waits for {escape(unknown[:80])!r}, which is neither a job nor a line that can be added"
            result.refused.append(Refusal(line.number, line.id, reason))
            del lines[line.id]
    _drop_followers(lines, result)


def _exact(world: World, snapshot: Snapshot, words: set[str], result: Import) -> dict[str, JobId | None]:
    """Of words, those that are the whole id of a live or an archived job, which goes before every other meaning; and
    None for the id of a refused line, which must not be taken for the beginning of another."""
    found: dict[str, JobId | None] = {refusal.id: None for refusal in result.refused if refusal.id in words}
    asked = [JobId(word) for word in words if JOB_ID.fullmatch(word)]
    found |= {job: job for job in world.store.archive(fresh=False).find(asked)}
    return found | {job: job for job in asked if job in snapshot.jobs}


def _beginning(snapshot: Snapshot, word: str) -> JobId | None:
    """The live job whose branch or unique beginning this is; None for nothing and for several."""
    try:
        return find_job(snapshot.jobs, word).record.id
    except UsageError:
        return None


def _drop_followers(lines: dict[JobId, _Line], result: Import) -> None:
    """Lines that wait for a refused line are refused, too."""
    # The id of a refused line may be that of a good one: the first of two with the same.
    made = {*result.there, *(job.id for job in result.added)}
    gone = {JobId(refusal.id) for refusal in result.refused if refusal.id} - lines.keys() - made
    waiting: dict[JobId, list[JobId]] = {}
    for line in lines.values():
        for dependency in line.after:
            waiting.setdefault(dependency, []).append(line.id)
    todo = list(gone)
    while todo:
        dependency = todo.pop()
        for job in waiting.get(dependency, ()):
            if job in lines:
                line = lines.pop(job)
                result.refused.append(Refusal(line.number, job, f"it waits for {dependency}, which is refused"))
                todo.append(job)


def _ordered(lines: dict[JobId, _Line], result: Import) -> list[JobId]:
    """The lines so that what is waited for comes first; cycles among them are refused."""
    while True:
        after = {job: [d for d in line.after if d in lines] for job, line in lines.items()}
        order, cycle = in_order(after)
        if not cycle:
            return order
        for job in set(cycle):
            line = lines.pop(job)
            shown = " -> ".join(cycle[:8])
            result.refused.append(Refusal(line.number, line.id, f"it would close a cycle: {shown}"))
        _drop_followers(lines, result)


def _publish(world: World, snapshot: Snapshot, lines: list[_Line], result: Import) -> None:
    """In pushes of at most MAX_UPDATES refs; smaller ones where a server refuses so many."""
    size, at, lost = MAX_UPDATES, 0, 0
    while at < len(lines):
        batch = lines[at : at + size]
        plan = plan_add(world.context(), [_addition(x.draft, x.id, x.target, x.after) for x in batch])
        try:
            outcome = publish(world, plan)
        except RefusedError:
            if size == 1:
                raise
            size = max(1, size // 2)
            continue
        if outcome.kind is OutcomeKind.PUBLISHED:
            snapshot = advance(world.namespace, snapshot, plan, outcome.oids)
            result.added += [snapshot.jobs[line.id].record for line in batch]
            at += len(batch)
            lost = 0
            world.reporter.say(f"{at} of {len(lines)} added")
            continue
        lost += 1
        if lost > MAX_ROUNDS:
            raise too_busy(outcome.detail)
        snapshot = world.store.observe(snapshot.asked)
        lines[at:] = _without(lines[at:], snapshot, result)
        pause(world)


def _without(rest: list[_Line], snapshot: Snapshot, result: Import) -> list[_Line]:
    """What is left to add once jobs of the same ids were made meanwhile: by somebody else, or by an earlier run of the
    same file whose push arrived late (same title)."""
    kept: dict[JobId, _Line] = {}
    for line in rest:
        seen = snapshot.jobs.get(line.id)
        if seen is None:
            kept[line.id] = line
        elif seen.record.title == line.draft.title:
            result.there.append(line.id)
        else:
            result.refused.append(Refusal(line.number, line.id, "somebody made a job of this id meanwhile"))
    if len(kept) < len(rest):
        _drop_followers(kept, result)
    return list(kept.values())
