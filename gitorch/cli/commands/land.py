"""`git orch land`: catch up, test, and move the target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Color, Quiet, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.cli.streams import say
from gitorch.core.errors import MissingError, UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Job, Snapshot
    from gitorch.engine.land import Lander, LandResult
    from gitorch.engine.train import Waiting

EXITS = ("nothing", "busy", "lost", "blocked", "conflict", "red")
EXAMPLES = (
    "git orch land                 the job of this branch, else the first in line",
    "git orch land fix-parser",
    "git orch land --all --wait    everything that is ready, one after another",
)


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Land every ready job of the target, in order.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait while somebody else holds the lease.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done; change nothing.")] = False,
    target: Target = None,
    remote: Remote = None,
    quiet: Quiet = False,
    color: Color = None,
    as_json: AsJson = False,
) -> Answer:
    """Catch up, test, and move the target.

    Under the target's lease: the submitted head is rebased onto the target's tip in a private worktree, the gate
    runs on exactly that tree, and one atomic push moves the target, finishes the job and frees the lease. A
    conflict or a red gate sends the job to rework and leaves the target alone. A tree that was tested green before
    is not tested again.
    """
    if everything and job is not None:
        raise UsageError("--all lands every ready job, so it takes no JOB", hint="git orch land --all")
    with opened(remote=remote, target=target, quiet=quiet, gates=True, bulk=everything, color=color) as here:
        if dry_run:
            return _plan(here, job, everything, target)
        return _land_all(here, wait, as_json) if everything else _land_one(here, job, wait, target)


def _land_one(here: Opened, word: str | None, wait: bool, target: str | None) -> Answer:
    from gitorch.cli.landings import one_landing
    from gitorch.core.queue import states_of
    from gitorch.engine.train import land_when_free

    first = here.world.store.observe({here.session.target})
    chosen = choose(here, first, word, target)
    if chosen is None:
        return _nothing(here)

    def attempt(lander: Lander) -> LandResult:
        return lander.land(chosen.id)

    snapshots = [first]

    def make() -> Lander:
        lander = new_lander(here, chosen.target, "land")
        # The observation that chose the job serves the first attempt too, if it saw this target.
        lander.snapshot = snapshots.pop() if snapshots and chosen.target in snapshots[0].asked else None
        return lander

    result = land_when_free(here.world, make, waiting(here, wait), attempt)
    states = {**states_of(first), result.job.id: result.job.state}
    return one_landing(result, chosen.target, states, here.session.onto(chosen.target))


def _land_all(here: Opened, wait: bool, as_json: bool) -> Answer:
    from gitorch.cli.landings import all_landings, line_of
    from gitorch.engine.train import land_all

    target = here.session.target

    def done(result: LandResult) -> None:
        if not as_json:
            from gitorch.core.text import escape_block

            say(escape_block(line_of(result, target)) + "\n")

    train = land_all(here.world, target, lambda: new_lander(here, target, "land"), waiting(here, wait), done)
    return all_landings(train.results, target, here.session.onto(target), waited=train.waited)


def new_lander(here: Opened, target: str, command: str) -> Lander:
    """A lander with a hold of its own; `command` says what takes the lease."""
    from gitorch.engine.hold import Hold
    from gitorch.engine.land import Lander

    hold = Hold(here.world, target, command=command, token=os.environ.get("ORCH_TOKEN") or None)
    return Lander(here.world, target, hold, here.session.repository.object_format)


def waiting(here: Opened, wait: bool) -> Waiting:
    from gitorch.engine.train import Waiting

    return Waiting(wait, float(here.session.settings.poll_interval_s))


def choose(here: Opened, snapshot: Snapshot, word: str | None, target: str | None) -> Job | None:
    """The job that is meant: the one named, else that of the branch which is checked out here, else the first in
    line. Raises UsageError when a `target` was named and the job is for another one."""
    from gitorch.core.model import State
    from gitorch.core.queue import open_job_of_branch, to_land
    from gitorch.shell.repository import current_branch

    if word is not None:
        return _named(here, snapshot, word, target)
    branch = current_branch(here.session.repository.git)
    mine = branch and open_job_of_branch(snapshot.jobs.values(), branch, here.session.target)
    if mine and mine.record.state is State.SUBMITTED:
        return mine.record
    ready = to_land(snapshot, here.session.target)
    return ready[0].record if ready else None


def _named(here: Opened, snapshot: Snapshot, word: str, target: str | None) -> Job:
    from gitorch.core.queue import find_job
    from gitorch.engine.lookup import find_any

    theirs = {job_id: seen for job_id, seen in snapshot.jobs.items() if target in (None, seen.record.target)}
    try:
        return find_job(theirs, word).record
    except UsageError:
        other = find_any(here.world, snapshot, word).record
        if other.id not in snapshot.jobs:
            return other  # finished and archived; it cannot be for another target than it was
        if target in (None, other.target):
            raise
        raise UsageError(
            f"{other.id} is for {other.target}, not for {target}", hint=f"git orch land {other.id}"
        ) from None


def _nothing(here: Opened) -> Answer:
    return Answer(
        code="nothing",
        message=f"nothing is ready to land on {here.session.target}",
        hint="git orch submit BRANCH, or git orch list",
    )


def _plan(here: Opened, word: str | None, everything: bool, named: str | None) -> Answer:
    """What would be tried now, in order. Nothing is published; the catch-up is local and shows conflicts beforehand.
    Raises UsageError where landing would: no gate is configured."""
    from gitorch.core.model import State, TextualConflict
    from gitorch.core.queue import to_land
    from gitorch.engine.land import no_gate

    target = here.session.target
    snapshot = here.world.store.observe({target})
    chosen = None if everything else choose(here, snapshot, word, named)
    if chosen is not None and chosen.target != target:
        target = chosen.target
        snapshot = here.world.store.observe({target})
    jobs = [seen.record for seen in to_land(snapshot, target)] if everything else [chosen] if chosen else []
    tip = snapshot.tip(target)
    if not jobs or tip is None:
        return _nothing(here)
    gate = here.world.policy.settings(target, tip).gate()
    if gate is None:
        raise no_gate()
    lease = snapshot.leases.get(target)
    steps: list[dict[str, object]] = []
    for job in jobs:
        if job.head is None or job.state is not State.SUBMITTED:
            steps.append({"job": job.id, "would": "nothing", "why": f"it is {job.state.value}"})
            continue
        try:
            built = here.world.catch_up.catch_up(job.head, tip, keep_merges=False)
        except MissingError as problem:
            steps.append({"job": job.id, "would": "fail", "why": problem.message})
            continue
        if isinstance(built, TextualConflict):
            steps.append({"job": job.id, "would": "conflict", "paths": list(built.paths)})
        elif built.commit == tip:
            steps.append({"job": job.id, "would": "finish", "why": "its work is there already"})
        else:
            steps.append({"job": job.id, "would": "test and land", "candidate": built.commit, "tree": built.tree})
            tip = built.commit
    data = {
        "target": target,
        "base": snapshot.tip(target),
        "lease": "held" if lease and lease.record.held else "free",
        "gate": list(gate.commands),
        "steps": steps,
    }
    return Answer(data=data, text=_plan_text(data))


def _plan_text(data: Mapping[str, object]) -> str:
    gate = data["gate"]
    lines = [
        f"on {data['target']} at {data['base']}, whose lease is {data['lease']}:",
        f"  gate: {'; '.join(gate) if isinstance(gate, list) and gate else 'none'}",
    ]
    steps = data["steps"]
    assert isinstance(steps, list)
    for step in steps:
        where = f" in {', '.join(step['paths'])}" if "paths" in step else ""
        where = f" as {step['candidate'][:12]}" if "candidate" in step else where
        where = f": {step['why']}" if "why" in step else where
        lines.append(f"  {step['job']}: {step['would']}{where}")
    return "\n".join([*lines, "nothing was changed"])
