"""`git orch claim`: take a job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.engine.claims import ClaimResult

EXITS = ("nothing", "busy", "blocked")
EXAMPLES = (
    "git orch claim                the next job that is ready",
    "git orch claim fix-parser",
    "git orch claim --wait --json | jq -r .data.token",
)

_CODES = {"nothing": "nothing", "busy": "busy", "full": "busy", "blocked": "blocked"}


def run(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="This job, instead of the next one that is ready.", show_default=False),
    ] = None,
    worker: Annotated[
        str | None, typer.Option("--worker", metavar="W", help="Who works, for others to read: a-z, 0-9, dashes.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until there is something to claim.")] = False,
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Take a job, so that nobody else does.

    Of any number who try, one gets it. The claim is its token: it is kept for later commands of this worktree
    (`submit`, `done`, `release`, `fail`), and given in the JSON document for ORCH_TOKEN elsewhere. It lives for
    `orch.claimTTL` since its last event, then others may return the job to the queue. `git orch work` claims and runs
    by itself.
    """
    from gitorch.engine.claims import ClaimEnd, ClaimWish, claim

    with opened(remote=remote, target=target) as here:
        name = worker_id(here, worker)
        pause_s = 0.2
        while True:
            wish = ClaimWish(worker=name, target=here.session.target, ttl_s=here.session.settings.claim_ttl_s, job=job)
            result = claim(here.world, wish)
            if result.end is ClaimEnd.CLAIMED or not wait:
                return _answer(result, here)
            here.world.reporter.say(f"{result.reason}; waiting")
            here.world.clock.sleep(min(pause_s, float(here.session.settings.poll_interval_s)))
            pause_s *= 1.5


def worker_id(here: Opened, wanted: str | None) -> str:
    """The id of this worker: as given, or one that nobody else has. Raises UsageError for one that refs cannot hold."""
    import re

    from gitorch.core.model import WORKER_ID

    if wanted is not None:
        if not WORKER_ID.fullmatch(wanted):
            raise UsageError(
                "a worker's name is 1 to 100 lower-case letters, digits and dashes, not beginning with a dash",
                hint="git orch claim --worker ada-laptop",
            )
        return wanted
    plain = re.sub(r"[^a-z0-9]+", "-", here.world.holder.partition(":")[0].lower()).strip("-")[:60] or "worker"
    return f"{plain}-{os.getpid()}-{here.world.random.short_id()}"


def _answer(result: ClaimResult, here: Opened) -> Answer:
    from gitorch.core.queue import states_of
    from gitorch.core.text import duration
    from gitorch.engine.claims import ClaimEnd
    from gitorch.render import job_json

    job = result.job
    data = job_json(job, states_of(result.snapshot)) if job is not None else None
    if result.end is ClaimEnd.CLAIMED and job is not None and data is not None:
        target = job.branch or here.session.onto(job.target)
        after = f"git orch submit BRANCH --job {job.id}" if job.lands else f"git orch done {job.id}"
        text = f"claimed {job.id}: {job.title}\n  attempt {job.attempt}, start from {target}"
        text += f"\n  last time: {job.reason}" if job.reason else ""
        return Answer(data=data | {"token": result.token}, text=text, hint=f"{after} (or git orch release {job.id})")
    why = f"git orch why {job.id}" if job is not None else "git orch status"
    hints = {
        ClaimEnd.NOTHING: "git orch status",
        ClaimEnd.FULL: "git orch claim --wait (it waits for a place)",
        ClaimEnd.BLOCKED: why,
        ClaimEnd.BUSY: f"{why} (the claim counts as dead in {duration(result.dead_in_s)} unless it moves)",
    }
    return Answer(
        data=data,
        code=_CODES[result.end.value],
        message=result.reason,
        hint=hints[result.end],
        retryable=result.end in (ClaimEnd.BUSY, ClaimEnd.FULL, ClaimEnd.NOTHING),
        extra={"waits_for": list(result.waits_for), "worker": job.worker if job else None},
    )
