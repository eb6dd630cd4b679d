"""Who acts in a simulation: workers, landers, reapers, and people with their commands and their habits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gitorch.core.additions import Draft
from gitorch.core.errors import OrchError
from gitorch.core.model import JobId, Oid, Snapshot, State
from gitorch.core.names import BRANCHES
from gitorch.core.plan_queue import Changes
from gitorch.core.states import Event
from gitorch.engine.add import add
from gitorch.engine.change import change_edges, edit
from gitorch.engine.claims import ClaimEnd, ClaimWish, LeaveEnd, claim, leave
from gitorch.engine.edit import change_job
from gitorch.engine.gc import collect
from gitorch.engine.hold import Hold
from gitorch.engine.land import LandEnd, Lander, LandResult
from gitorch.engine.leases import acquire, break_lease, release, renew
from gitorch.engine.reap import reap
from gitorch.engine.settle import settle
from gitorch.engine.submit import SubmitEnd, SubmitResult, SubmitWish, submit
from gitorch.engine.train import Waiting, land_all, land_when_free
from gitorch.engine.work import Worker, WorkOptions
from gitorch.engine.work_landing import PumpedGates
from gitorch.engine.world import World
from sim.checkers import BrokenPromiseError, Checker
from sim.clone import Clone
from sim.commits import GATE_FILE, Commit
from sim.kernel import Process
from sim.workshop import SimWorkshop

TARGETS = ("main", "release")
Command = Callable[["Here"], None]


@dataclass(frozen=True, slots=True)
class Here:
    """A command that runs in a clone."""

    clone: Clone
    process: Process
    world: World
    checker: Checker

    @property
    def chance(self) -> Callable[[], float]:
        return self.process.kernel.random.random

    def target(self) -> str:
        """Mostly the first."""
        return TARGETS[0] if self.chance() < 0.8 else TARGETS[1]

    def pick(self, *states: State) -> JobId | None:
        """Some job that is in one of these states at this moment (people see lists and choose from them)."""
        jobs = self.clone.remote.snapshot(self.clone.remote.frozen).jobs
        found = [job for job, seen in jobs.items() if not states or seen.record.state in states]
        return self.process.kernel.random.choice(found) if found else None


def run(command: Command, clone: Clone, checker: Checker) -> Callable[[Process], None]:
    """The body of a process: what is expected to go wrong ends a command, anything else ends the simulation."""

    def body(process: Process) -> None:
        try:
            command(Here(clone, process, clone.world(process), checker))
        except OrchError as problem:
            clone.said = [*clone.said[-30:], f"{process.kernel.now_s:.2f} {process.name}: {problem.message}"]

    return body


# -- workers and landers


def work(here: Here) -> None:
    """`git orch work`, until it is killed; it lands what is ready, half of the time."""
    kernel = here.process.kernel
    gates = PumpedGates(here.world.gates)
    world = replace(here.world, gates=gates)
    target = here.target()
    options = WorkOptions(
        worker=f"w-{here.clone.name}-{world.random.short_id()}",
        target=target,
        command="make it so",
        capacity=kernel.random.choice((1, 1, 2, 4)),
    )

    def land(done: Callable[[LandResult], None]) -> object:
        return land_all(world, target, lambda: _lander(world, target, "land"), Waiting(False, 1.0), _told(here, done))

    worker = Worker(world, SimWorkshop(here.clone, here.process), options, land if here.chance() < 0.5 else None)
    gates.pump = worker.pump
    worker.run()


def _lander(world: World, target: str, command: str) -> Lander:
    return Lander(world, target, Hold(world, target, command=command))


def _told(here: Here, done: Callable[[LandResult], None] = lambda result: None) -> Callable[[LandResult], None]:
    def told(result: LandResult) -> None:
        _true(here, result)
        done(result)

    return told


def _true(here: Here, result: LandResult) -> LandResult:
    """What a landing says of itself must have happened (I2)."""
    if result.end in (LandEnd.LANDED, LandEnd.ALREADY):
        found = here.clone.remote.job(result.job.id)
        if found is None or found.record.state is not State.DONE:
            raise BrokenPromiseError(f"I2: {here.process.name} was told that {result.job.id} landed, and it did not")
    return result


def land_everything(here: Here) -> None:
    """`git orch land --all`, with or without `--wait`."""
    target, wait = here.target(), here.chance() < 0.5
    land_all(here.world, target, lambda: _lander(here.world, target, "land"), Waiting(wait, 5.0), _told(here))


def land_one(here: Here) -> None:
    """`git orch land JOB`."""
    job = here.pick(State.SUBMITTED)
    if job is None:
        return
    target = _target_of(here, job)
    wait = Waiting(here.chance() < 0.5, 5.0)
    make = lambda: _lander(here.world, target, "land")  # noqa: E731
    _true(here, land_when_free(here.world, make, wait, lambda lander: lander.land(job)))


def gate_and_settle(here: Here) -> None:
    """`git orch gate`, then a forge's button (or nobody presses it), then `git orch settle`."""
    job = here.pick(State.SUBMITTED)
    if job is None:
        return
    target = _target_of(here, job)
    make = lambda: _lander(here.world, target, "gate")  # noqa: E731
    result = land_when_free(here.world, make, Waiting(False, 5.0), lambda lander: lander.gate(job))
    candidate = result.candidate
    if result.end is LandEnd.GREEN and candidate is not None and here.chance() < 0.8:
        here.process.effect(here.process.kernel.random.uniform(0.0, 100.0))
        ref, remote = BRANCHES + target, here.clone.remote
        if remote.refs.get(ref) == candidate.base:
            remote.apply({ref: candidate.commit}, None)
    settle(here.world, target, job if here.chance() < 0.5 else None)


def _target_of(here: Here, job: JobId) -> str:
    found = here.clone.remote.job(job)
    return found.record.target if found is not None else TARGETS[0]


def reap_once(here: Here) -> None:
    """`git orch reap`."""
    reap(here.world, here.target(), leases=here.chance() < 0.7)


def archive(here: Here) -> None:
    """`git orch gc`."""
    collect(here.world)


# -- people and their branches


def describe(here: Here) -> None:
    """`git orch add`, with what it waits for."""
    after = [job for job in (here.pick() for _ in range(3)) if job is not None and here.chance() < 0.3]
    lands = here.chance() < 0.9
    here.clone.number += 1
    draft = Draft(title=f"Do {here.clone.number} of {here.clone.name}", after=tuple(dict.fromkeys(after)), lands=lands)
    add(here.world, draft, here.target())


def hand_in(here: Here) -> None:
    """A person's branch and `git orch submit`."""
    clone, target = here.clone, here.target()
    base = _start(here, target)
    if base is None:
        return
    clone.number += 1
    branch = f"{clone.name}-{clone.number}"
    on = clone.commits.of(base)
    clone.branches[branch] = clone.commits.make(on, _changes(here, branch, on), f"Work of {branch}").oid
    after = [job for job in (here.pick(), here.pick()) if job is not None and here.chance() < 0.15]
    wish = SubmitWish(branch=branch, target=target, after=tuple(dict.fromkeys(after)))
    _submitted(here, submit(here.world, wish))


def _start(here: Here, target: str) -> Oid | None:
    """Where a person branches off: the tip, or some commits before it."""
    at = here.clone.remote.refs.get(BRANCHES + target)
    for _ in range(here.process.kernel.random.choice((0, 0, 1, 3))):
        parent = here.clone.commits.of(at).parent if at is not None else None
        at = parent.oid if parent is not None else at
    return at


def _changes(here: Here, branch: str, base: Commit) -> dict[str, str | None]:
    random = here.process.kernel.random
    luck = random.random()
    if luck < 0.1:
        return {f"shared-{random.randrange(4)}": f"text of {branch}"}
    if luck < 0.2:
        return {f"new-{branch}": f"api{random.randrange(5)}:{random.randrange(2)}"}
    if luck < 0.25:
        return {f"new-{branch}": "bad"}
    if luck < 0.28:
        words = base.files[GATE_FILE].split()
        return {GATE_FILE: " ".join(f"gate=check-{branch}" if w.startswith("gate=") else w for w in words)}
    return {f"new-{branch}": f"text of {branch}"}


def _submitted(here: Here, result: SubmitResult) -> None:
    """What was said to be handed in must be there, live or archived."""
    if result.end is SubmitEnd.SUBMITTED and result.job is not None and here.clone.remote.job(result.job.id) is None:
        raise BrokenPromiseError(f"I3: {result.job.id} was accepted, and is not there")


def hand_in_again(here: Here) -> None:
    """More commits on a branch of this clone, or other ones (a forced push), and `git orch submit` again."""
    clone = here.clone
    if not clone.branches:
        return
    branch = here.process.kernel.random.choice(sorted(clone.branches))
    old = clone.commits.of(clone.branches[branch])
    grown = here.chance() < 0.6 or old.parent is None
    parent = old if grown else old.parent
    clone.branches[branch] = clone.commits.make(parent, {f"more-{branch}": f"{here.chance()}"}, f"More of {branch}").oid
    if here.chance() < 0.3:
        # By hand, past git orch: a job's head is pinned whatever happens to its branch.
        clone.remote.apply({BRANCHES + branch: clone.branches[branch]}, None)
    _submitted(here, submit(here.world, SubmitWish(branch=branch, target=here.target())))


def drop_branch(here: Here) -> None:
    """`git push origin :branch` by hand: the job keeps its head."""
    names = [n for n in here.clone.remote.refs if n.startswith(BRANCHES) and n.removeprefix(BRANCHES) not in TARGETS]
    if names:
        here.clone.remote.apply({here.process.kernel.random.choice(sorted(names)): None}, None)


def push_to_target(here: Here) -> None:
    """A commit pushed straight to the target, past git orch (there is no hook): others must cope."""
    ref = BRANCHES + here.target()
    tip = here.clone.commits.of(here.clone.remote.refs[ref])
    made = here.clone.commits.make(tip, {f"direct-{here.chance()}": "by hand"}, "Straight to the target")
    here.process.effect(0.1)
    if here.clone.remote.refs[ref] == tip.oid:
        here.clone.remote.apply({ref: made.oid}, None)


# -- people and jobs


def claim_by_hand(here: Here) -> None:
    """`git orch claim`; later work is handed in, given back, called done, or forgotten."""
    world, random = here.world, here.process.kernel.random
    target = here.target()
    wish = ClaimWish(worker=f"p-{here.clone.name}", target=target, ttl_s=random.choice((100, 600)))
    if (job := here.pick(State.QUEUED, State.REWORK, State.CLAIMED)) is not None and here.chance() < 0.3:
        wish = replace(wish, job=job)
    result = claim(world, wish)
    if result.end is not ClaimEnd.CLAIMED or result.job is None or result.token is None:
        return
    _has(here, result.job.id, result.token)
    here.process.effect(random.choice((1.0, 30.0, 900.0)))
    luck = random.random()
    if luck < 0.5 and result.job.lands:
        base = here.clone.remote.refs[BRANCHES + result.job.target]
        branch = f"{here.clone.name}-{result.job.id}-{random.randrange(100)}"
        made = here.clone.commits.make(here.clone.commits.of(base), {f"by-{branch}": branch}, f"Work on {branch}")
        here.clone.branches[branch] = made.oid
        wish_in = SubmitWish(branch=branch, target=result.job.target, job=result.job.id, token=result.token)
        _submitted(here, submit(world, wish_in))
    elif luck < 0.9:
        events = [Event.RELEASE, Event.FAIL, *([] if result.job.lands else [Event.FINISH])]
        ended = leave(world, result.job.id, random.choice(events), token=result.token, reason="enough of it")
        if ended.end is LeaveEnd.LOST and here.clone.remote.job(result.job.id) is None:
            raise BrokenPromiseError(f"I3: {result.job.id} was claimed, and is gone")


def _has(here: Here, job: JobId, token: str) -> None:
    """Whoever is told that it has a claim did get it (I4)."""
    from gitorch.core.lease import token_digest

    if (job, token_digest(token)) not in here.checker.claims:
        raise BrokenPromiseError(f"I4: {here.process.name} was told that it claimed {job}, and it did not")


def link(here: Here) -> None:
    """`git orch after`, with and without --remove."""
    job, other = here.pick(), here.pick()
    if job is not None and other is not None:
        change_edges(here.world, job, [other], remove=here.chance() < 0.4)


def change(here: Here) -> None:
    """`git orch edit`."""
    if (job := here.pick()) is not None:
        edit(here.world, job, Changes(priority=here.process.kernel.random.randrange(5)))


def retry(here: Here) -> None:
    """`git orch retry`."""
    if (job := here.pick(State.REWORK, State.FAILED)) is not None:
        change_job(here.world, job, Event.RETRY)


def cancel(here: Here) -> None:
    """`git orch cancel`."""
    if (job := here.pick()) is not None:
        change_job(here.world, job, Event.CANCEL, "not wanted any more")


def lease_by_hand(here: Here) -> None:
    """`git orch lease acquire`, and what follows, or is forgotten."""
    target = here.target()
    acquire(here.world, Hold(here.world, target, command="acquire"))
    here.process.effect(here.process.kernel.random.choice((1.0, 50.0, 500.0)))
    luck = here.chance()
    if luck < 0.3:
        renew(here.world, target)
    elif luck < 0.8:
        release(here.world, target)


def break_by_hand(here: Here) -> None:
    """`git orch lease break`."""
    break_lease(here.world, here.target(), "it looks dead to me")


def looks(here: Here) -> Snapshot:
    return here.world.store.observe(TARGETS)


COMMON: tuple[tuple[Command, int], ...] = (
    (describe, 8),
    (hand_in, 14),
    (hand_in_again, 3),
    (land_everything, 8),
    (land_one, 5),
    (gate_and_settle, 3),
    (claim_by_hand, 5),
    (link, 5),
    (change, 2),
    (retry, 3),
    (cancel, 1),
    (reap_once, 4),
    (archive, 2),
    (lease_by_hand, 1),
)
RUDE: tuple[tuple[Command, int], ...] = ((break_by_hand, 1), (drop_branch, 1), (push_to_target, 2))
"""What people do past git orch, or although they should not."""
