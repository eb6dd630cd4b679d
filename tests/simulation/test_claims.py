"""What simulation found about claims, kept as small stories on the in-memory store."""

from __future__ import annotations

from dataclasses import replace

from gitorch.core.additions import Draft
from gitorch.core.errors import OrchError
from gitorch.core.model import JobId, Oid, Snapshot, State
from gitorch.core.writes import Outcome, OutcomeKind, Plan
from gitorch.engine.add import add
from gitorch.engine.claims import ClaimEnd, ClaimWish, claim
from gitorch.engine.work import Worker, WorkOptions
from sim.clone import Clone, SimClock
from sim.kernel import QUIET, Process
from sim.people import Here, run
from sim.remote import SimStore
from sim.town import Town
from sim.workshop import SimWorkshop


def town() -> tuple[Town, Clone]:
    """A quiet town with a queued job, and one of its clones."""
    made = Town(1, QUIET)
    clone = made.clones[0]
    play(made, clone, lambda here: add(here.world, Draft(title="Do it", id="it"), "main"))
    return made, clone


def play(made: Town, clone: Clone, command: object, for_s: float = 1e5) -> Process:
    """Run one command to its end."""
    assert callable(command)
    process = made.kernel.spawn("test", clone.machine, run(command, clone, made.checker))
    made.kernel.run(made.kernel.now_s + for_s, made.kernel.steps + 100_000)
    return process


class LateStore(SimStore):
    """The first push arrives only while the sender pauses before its second try."""

    late: tuple[Plan, Outcome] | None = None
    tried = False

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        if self.tried:
            return super().publish(plan, timeout_s=timeout_s)
        self.tried = True
        oids = {update.name: self._write(update) for update in plan.updates}
        self.late = (plan, Outcome(OutcomeKind.UNKNOWN, oids))
        return self.late[1]


def test_a_claim_that_comes_late_is_found_and_not_made_of_another_job() -> None:
    made, clone = town()
    play(made, clone, lambda here: add(here.world, Draft(title="Do more", id="more"), "main"))
    results = []

    def command(here: Here) -> None:
        store = LateStore(made.remote, here.process, "late")

        class Arriving(SimClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if store.late is not None:
                    store._at_server(store.late[0], store.late[1].oids)
                    store.late = None

        world = replace(here.world, store=store, clock=Arriving(here.process))
        results.append(claim(world, ClaimWish(worker="w", target="main", ttl_s=100)))

    play(made, clone, command)
    (result,) = results
    assert result.end is ClaimEnd.CLAIMED and result.job is not None
    claimed = [job for job, seen in made.remote.snapshot(made.remote.frozen).jobs.items() if is_claimed(seen.record)]
    assert claimed == [result.job.id], "one claim was wanted"
    assert clone.claims[result.job.id] == [result.token], "its owner can finish it"


def is_claimed(job: object) -> bool:
    return getattr(job, "state", None) is State.CLAIMED


def test_a_worker_gives_back_a_claim_that_a_look_at_the_past_made_it_drop() -> None:
    """It keeps the claim alive by its signs of life; nobody else could ever have the job."""
    made, clone = town()
    lied: list[Snapshot] = []

    class Lying(SimStore):
        """Shows once, right after the claim, how the job was before."""

        def observe(self, branches: object = ()) -> Snapshot:
            seen = super().observe(branches)  # type: ignore[arg-type]
            job = seen.jobs.get(JobId("it"))
            if job is not None and job.record.state is State.CLAIMED and not lied:
                before = Oid(made.remote.objects[job.oid].parents[0])
                past = made.remote.record(made.remote.namespace.job(JobId("it")), before)
                lied.append(seen)
                return replace_jobs(seen, past)
            return seen

    def replace_jobs(now: Snapshot, past: Snapshot) -> Snapshot:
        return replace(now, jobs={**now.jobs, **past.jobs})

    def command(here: Here) -> None:
        world = replace(here.world, store=Lying(made.remote, here.process, "lying"))
        options = WorkOptions(worker="w-1", target="main", command="true", capacity=2)
        try:
            Worker(world, SimWorkshop(clone, here.process), options).run()
        except OrchError as problem:
            raise AssertionError(problem.message) from problem

    play(made, clone, command, for_s=3_000)
    found = made.remote.job(JobId("it"))
    assert lied and found is not None and found.record.state is not State.CLAIMED
    made.kernel.close()
