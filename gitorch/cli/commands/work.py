"""`git orch work`: claim jobs, run a command for each, hand in what it made."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Color, Quiet, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError
from gitorch.core.model import SLOT_LIMIT, WORKER_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitorch.cli.opening import Opened
    from gitorch.engine.land import LandResult
    from gitorch.engine.work import Worker, WorkSummary
    from gitorch.engine.work_landing import Landing
    from gitorch.engine.work_runs import WorkResult
    from gitorch.engine.world import World

EXITS = ("nothing",)
EXAMPLES = (
    "git orch work -- ./fix.sh                     one job after another, until Ctrl-C",
    "git orch work -j 4 --land -- my-agent --auto  four at a time, and land what is ready",
    "git orch work --once                          jobs that bring their own command, until none is ready",
    "git orch work -- 'make fix && git commit -am \"$ORCH_TITLE\"'",
)

_NAME_LIMIT = 60


def run(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CMD...]", help="What to run for each job; one word is a line of shell.", show_default=False
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=1, max=SLOT_LIMIT, help="How many jobs to work on at once.")
    ] = 1,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is ready and nothing runs.")] = False,
    land: Annotated[bool, typer.Option("--land", help="Also land what is ready to land.")] = False,
    worker: Annotated[
        str | None,
        typer.Option("--worker", metavar="NAME", help="What to call this worker; each start gets an id of its own."),
    ] = None,
    target: Target = None,
    remote: Remote = None,
    quiet: Quiet = False,
    color: Color = None,
    as_json: AsJson = False,
) -> Answer:
    """Claim jobs, run a command for each, and hand in what it made.

    Each job gets a private worktree: at the tip of its branch where the remote has that, otherwise at the target's.
    CMD runs there (or the job's own `--run`, which goes first, unless `orch.jobCommands` is false) with ORCH_JOB,
    ORCH_TITLE, ORCH_BODY_FILE, ORCH_BRANCH, ORCH_ATTEMPT, ORCH_REASON (why it came back), ORCH_TARGET, ORCH_BASE and
    ORCH_TOKEN set. It commits its work; when it ends with status 0, what is checked out then is submitted as
    ORCH_BRANCH (a job of `add --no-land` is done). A failure, a change that is not committed, or no commit at all
    gives the job back with the reason, and counts as an attempt.

    The worker keeps its claims alive; when it is killed, they return to the queue after `orch.workerTTL` seconds. A
    command whose claim is lost is stopped. Ctrl-C and SIGTERM stop the commands and give the jobs back. Everything
    that a command starts is stopped with it, unless it makes itself a daemon in a session of its own. A worktree with
    unsaved work is never deleted or used again; the log of each command is kept in the git directory.
    """
    if worker is not None and not (WORKER_ID.fullmatch(worker) and len(worker) <= _NAME_LIMIT):
        raise UsageError(
            f"the name of a worker is 1 to {_NAME_LIMIT} lower-case letters, digits and dashes",
            hint="git orch work --worker agent-1",
        )
    with opened(remote=remote, target=target, quiet=quiet, gates=land, bulk=True, color=color) as here:
        built = _worker(here, command or [], jobs, worker, once=once, land=land)
        try:
            built.run()
        except KeyboardInterrupt as stop:
            return _interrupted(built, stop)
        return _finished(built)


def _worker(here: Opened, words: list[str], capacity: int, name: str | None, *, once: bool, land: bool) -> Worker:
    from dataclasses import replace

    from gitorch.engine.work import Worker, WorkOptions
    from gitorch.engine.work_landing import PumpedGates
    from gitorch.shell.workshop import ShellWorkshop
    from gitorch.shell.worktrees import Worktrees

    repository = here.session.repository
    gates = PumpedGates(here.world.gates)
    world = replace(here.world, gates=gates)
    options = WorkOptions(
        worker=f"{name or _host()}-{world.random.short_id()}",
        target=here.session.target,
        command=words[0] if len(words) == 1 else shlex.join(words) or None,
        capacity=capacity,
        once=once,
        remote=here.session.remote,
        is_self=here.session.is_self,
    )
    workshop = ShellWorkshop(Worktrees(repository.git, repository.common_dir), repository.common_dir, world.clock)
    built = Worker(world, workshop, options, _landing(here, world) if land else None)
    gates.pump = built.pump
    return built


def _landing(here: Opened, world: World) -> Landing:
    from gitorch.cli.commands.land import new_lander
    from gitorch.cli.opening import Opened
    from gitorch.engine.train import Waiting, land_all

    target, inside = here.session.target, Opened(here.session, world)

    def land_ready(done: Callable[[LandResult], None]) -> object:
        return land_all(world, target, lambda: new_lander(inside, target, "land"), Waiting(False, 1.0), done)

    return land_ready


def _host() -> str:
    """The machine's name as a part of a worker's id."""
    name = re.sub(r"[^a-z0-9]+", "-", os.uname().nodename.lower())[:_NAME_LIMIT].strip("-")
    return name or "worker"


def _finished(worker: Worker) -> Answer:
    summary = worker.summary
    data = _data(worker)
    if not summary.taken and not summary.landed:
        return Answer(
            code="nothing",
            message="nothing was ready to be worked on",
            hint="git orch list (or `git orch add TITLE`)",
            data=data,
        )
    return Answer(data=data, text=_text(summary))


def _interrupted(worker: Worker, stop: KeyboardInterrupt) -> Answer:
    left = f"{worker.held} claims run out by themselves" if worker.held else "what was claimed was given back"
    return Answer(
        code="interrupted",
        message=f"{str(stop) or 'interrupted'}; {left}",
        hint="git orch status",
        retryable=True,
        data=_data(worker),
        text=_text(worker.summary),
    )


def _data(worker: Worker) -> dict[str, Any]:
    summary = worker.summary
    return {
        "worker": worker.id,
        "done": [_job(result) for result in summary.done],
        "landed": [{"job": r.job.id, "outcome": r.end.value, "landed": r.landed} for r in summary.landed],
    }


def _job(result: WorkResult) -> dict[str, Any]:
    return {
        "job": result.job,
        "outcome": result.outcome.value,
        "attempt": result.attempt,
        "branch": result.branch,
        "head": result.head,
        "reason": result.reason or None,
        "seconds": round(result.seconds, 3),
        "log": result.log,
        "kept": result.kept,
    }


def _text(summary: WorkSummary) -> str:
    lines = []
    for result in summary.done:
        where = f" as {result.branch} ({result.head[:10]})" if result.head and result.branch else ""
        because = f": {result.reason}" if result.reason else ""
        lines.append(f"{result.job}: {result.outcome.value}{where}{because}")
    lines += [f"{result.job.id}: {result.end.value} on {result.job.target}" for result in summary.landed]
    return "\n".join(lines)
