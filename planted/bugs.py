"""The list of planted bugs: where, what becomes what, and what it stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """In `file`, the first `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str


PLAN, QUEUE, ENGINE = "gitorch/core/plan.py", "gitorch/core/plan_queue.py", "gitorch/engine/"

BUGS = (
    # -- the landing
    Bug(
        "a landing does not write the lease",
        PLAN,
        "        lease_update(ctx, held, lease, LeaseEvent.LAND, keep=candidate.commit),\n",
        "",
    ),
    Bug(
        "a landing names the tip as it is now, not the base of its candidate",
        ENGINE + "land.py",
        "        plan, lease = plan_land(",
        "        now = self.world.store.observe({self.target}).tip(self.target)\n"
        "        landing = replace(landing, candidate=replace(candidate, base=now))\n"
        "        plan, lease = plan_land(",
    ),
    Bug(
        "a landing does not say that the job is done",
        PLAN,
        "        job_update(ctx, seen, done, Event.LAND),\n",
        "",
    ),
    Bug(
        "a red gate counts as green",
        ENGINE + "land.py",
        "        if tested.color is Color.RED:\n            return self._red",
        "        if tested.color is Color.RED and self.target == 'nowhere':\n            return self._red",
    ),
    Bug(
        "a verdict counts for every gate",
        "gitorch/core/verdicts.py",
        " and v.gate == gate]",
        "]",
    ),
    Bug(
        "the job's branch is moved whatever it is now",
        PLAN,
        "candidate.commit != job.head:\n        updates.append(RefUpdate(branch_ref(job.branch), job.head, ",
        "candidate.commit != job.head:\n        updates.append(RefUpdate(branch_ref(job.branch), None, ",
    ),
    Bug(
        "what is settled need not have arrived",
        ENGINE + "settle.py",
        "    return world.history.with_tree(candidate.tree, candidate.base, tip)",
        "    return world.history.with_tree(candidate.tree, candidate.base, tip) or tip",
    ),
    Bug(
        "what waits for others lands before them",
        ENGINE + "land.py",
        "        if found is not Derived.READY:\n            waits",
        "        if found is None:\n            waits",
    ),
    Bug(
        "jobs are taken before what they wait for is done",
        "gitorch/core/queue.py",
        "    return all(states.get(d, State.QUEUED if missing_holds else State.DONE) is State.DONE for d in job.after)",
        "    return all(states.get(d) is not State.FAILED for d in job.after)",
    ),
    # -- leases
    Bug("a new holder keeps the epoch", "gitorch/core/lease.py", "before.epoch + 1", "before.epoch"),
    Bug(
        "a lease is taken from the living",
        "gitorch/core/lease.py",
        "unchanged_s >= lease.ttl_s * MARGIN else",
        "unchanged_s >= lease.ttl_s / 6 else",
    ),
    Bug(
        "who lost the lease goes on",
        ENGINE + "hold.py",
        "            self.lost = True\n        return not self.lost\n\n    # -- keep",
        "            self._seen = self._seen\n        return True\n\n    # -- keep",
    ),
    Bug(
        "who lost the lease renews what is there now",
        ENGINE + "hold.py",
        "            self.check(self.world.store.observe())\n",
        "            now = self.world.store.observe().leases[self.target]\n"
        "            self._seen = now\n"
        "            self._renew(now)\n",
    ),
    Bug(
        "the lease of a holder is dead by its own clock",
        ENGINE + "reap.py",
        "            silent_s = self.world.memory.unchanged_s(self.world.namespace.lease(target), seen.oid)\n",
        "            silent_s = (self.world.clock.now_ms() - seen.record.updated_ms) / 1000\n",
    ),
    Bug(
        "who gives up gives up whatever it finds",
        ENGINE + "hold.py",
        " and (now.record.epoch, now.record.token) == (ours.epoch, ours.token):",
        ":",
    ),
    # -- claims
    Bug(
        "who has a claim is not asked for the token",
        QUEUE,
        "    return job.state is State.CLAIMED and token is not None and job.token == token_digest(token)",
        "    return job.state is State.CLAIMED and token is not None",
    ),
    Bug(
        "a claim does not name what it replaces",
        QUEUE,
        "    updates = [job_update(ctx, seen, job, Event.CLAIM)]",
        "    updates = [job_update(ctx, None, job, Event.CLAIM)]",
    ),
    Bug(
        "signs of life of a worker are not looked at",
        ENGINE + "liveness.py",
        "if seen.record.kept else None",
        "if seen.record.kept is None else None",
    ),
    Bug(
        "a claim is dead by the clock of its holder",
        ENGINE + "liveness.py",
        "    silent_s = world.memory.unchanged_s(world.namespace.job(seen.record.id), seen.oid)\n",
        "    silent_s = (world.clock.now_ms() - seen.record.updated_ms) / 1000\n",
    ),
    Bug(
        "a lost answer counts as yes",
        ENGINE + "exchange.py",
        "    if _arrived(world, plan, outcome):\n        return replace(",
        "    if outcome:\n        return replace(",
    ),
    Bug(
        "a worker cannot give back a claim whose answer was lost",
        ENGINE + "work.py",
        "            token = own_token(job, (*kept, *self._tokens))",
        "            token = own_token(job, kept)",
    ),
    Bug(
        "a claim takes a slot that is held",
        ENGINE + "claims.py",
        "    held = {number for number, seen in snapshot.slots.items() if seen.record.held}",
        "    held = set[int]()",
    ),
    Bug(
        "a claim that ends keeps its slot",
        QUEUE,
        "    updates = (job_update(ctx, seen, job, event, files=files), *freed(ctx, before, snapshot))",
        "    updates = (job_update(ctx, seen, job, event, files=files),)",
    ),
    # -- jobs
    Bug(
        "what is done may be cancelled",
        "gitorch/core/states.py",
        "        (State.FAILED, Event.CANCEL, State.CANCELLED, None),\n",
        "        (State.FAILED, Event.CANCEL, State.CANCELLED, None),\n"
        "        (State.DONE, Event.CANCEL, State.CANCELLED, None),\n",
    ),
    Bug(
        "what is done is queued again",
        "gitorch/core/states.py",
        "        (State.REWORK, Event.CANCEL, State.CANCELLED, None),\n",
        "        (State.REWORK, Event.CANCEL, State.CANCELLED, None),\n"
        "        (State.DONE, Event.CANCEL, State.QUEUED, None),\n",
    ),
    Bug(
        "a submitted commit is kept alive by nobody",
        PLAN,
        "    updates = [job_update(ctx, before, job, Event.SUBMIT, keeps=(wanted.head,))]",
        "    updates = [job_update(ctx, before, job, Event.SUBMIT)]",
    ),
    Bug(
        "what is added again gets another id",
        ENGINE + "add.py",
        "    if tried and tried[-1] not in snapshot.jobs:\n        return tried[-1]\n",
        "",
    ),
    # -- the graph
    Bug(
        "an edge does not write the graph",
        QUEUE,
        "        (job_update(ctx, seen, job, Event.EDIT), graph_update(ctx, snapshot.graph, job.id, after)),",
        "        (job_update(ctx, seen, job, Event.EDIT),),",
    ),
    Bug(
        "one look is enough for an edge",
        ENGINE + "edges.py",
        "        same = (before.graph and before.graph.oid) == (now.graph and now.graph.oid)",
        "        same = True",
    ),
    Bug(
        "the job of the last edit is not compared",
        ENGINE + "edges.py",
        "    return seen is None or seen.record.state in FINAL or seen.record.after == edit.after",
        "    return True",
    ),
    Bug(
        "cycles are not looked for",
        ENGINE + "edges.py",
        "    if path is not None:\n        raise CycleError((job, *path))",
        "    if path is not None and len(path) > 99:\n        raise CycleError((job, *path))",
    ),
    # -- the archive and the notes
    Bug(
        "a failed job is archived",
        ENGINE + "gc.py",
        "        if seen.record.state in FINAL\n",
        "        if seen.record.state in FINAL or seen.record.state is State.FAILED\n",
    ),
    Bug(
        "the archive is written anew each time",
        "gitorch/memory.py",
        "        entries = dict(self.remote.objects[new.base].entries) if new.base is not None else {}\n",
        "        entries = dict[JobId, bytes]()\n",
    ),
    Bug(
        "jobs are archived a moment after they were made",
        ENGINE + "gc.py",
        "abs(now_ms - seen.record.created_ms) >= grace_ms",
        "abs(now_ms - seen.record.created_ms) >= 0",
    ),
    Bug(
        "jobs go without the archive",
        QUEUE,
        "        updates.append(RefUpdate(ctx.namespace.archive, folding.archive, fold))\n",
        "",
    ),
    Bug(
        "notes are begun anew",
        PLAN,
        "    append = NotesAppend(base=notes.base,",
        "    append = NotesAppend(base=None,",
    ),
    # -- the primitive
    Bug(
        "what was there already counts as ours, in memory",
        "gitorch/memory.py",
        '            return Outcome(OutcomeKind.CONFLICT, oids, "everything was there already")',
        '            return Outcome(OutcomeKind.PUBLISHED, oids, "")',
    ),
    Bug(
        "what was there already counts as ours, with git",
        "gitorch/shell/push.py",
        '        return OutcomeKind.CONFLICT, "everything was there already"',
        '        return OutcomeKind.PUBLISHED, ""',
    ),
    Bug("pushes are not atomic", "gitorch/shell/send.py", '_OPTIONS = ("--atomic", ', "_OPTIONS = ("),
    Bug(
        "pushes name no old value",
        "gitorch/shell/send.py",
        "    leases = [f\"--force-with-lease={name}:{old or ''}\" for name, old, _ in changes]",
        '    leases = ["--force"]',
    ),
    Bug(
        "an answer that was lost is a lost race, with git",
        "gitorch/shell/push.py",
        "    return OutcomeKind.UNKNOWN, escape(trouble or",
        "    return OutcomeKind.CONFLICT, escape(trouble or",
    ),
)
