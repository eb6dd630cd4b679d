"""`git orch settle`: finish a job whose tested tree reached the target."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote, Target
from gitorch.cli.outcome import Answer

EXITS = ("nothing", "blocked")


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Finish a job whose tested tree reached the target by other hands.

    After `git orch gate`, when the branch has been merged by a forge's button, or in any other way that gave the
    target the tested tree (a merge commit and a squash count too): marks the job done, notes the landing, frees the
    lease. Without JOB, the job that the lease names.
    """
    from gitorch.engine.settle import SettleEnd, settle
    from gitorch.render import job_json, lease_json

    with opened(remote=remote, target=target) as here:
        name = here.session.target
        result = settle(here.world, name, job)
        done = result.job
        data = {"job": job_json(done, {}), "landed": result.landed, "lease": lease_json(result.lease, name)}
        match result.end:
            case SettleEnd.SETTLED:
                return Answer(data=data, text=f"settled {done.id}: {done.title}\n  on {name} as {result.landed}")
            case SettleEnd.ALREADY:
                return Answer(data=data, text=f"{done.id} is done already, landed as {done.landed}")
            case SettleEnd.NOT_YET:
                return Answer(
                    data=data,
                    code="nothing",
                    message=f"the tested tree of {done.id} has not arrived on {name} yet",
                    hint=f"merge {done.branch or 'the branch'}, then git orch settle {done.id}",
                    retryable=True,
                )
            case SettleEnd.BLOCKED:
                waits = ", ".join(result.waits_for[:5]) or "what is gone"
                return Answer(
                    data=data,
                    code="blocked",
                    message=f"the tested tree of {done.id} is on {name}, but the job waits for {waits} since",
                    hint=f"git orch why {done.id} (or git orch after {done.id} DEP --remove, then settle it again)",
                    extra={"waits_for": list(result.waits_for)},
                )
            case _:
                tip = (result.tip or "")[:12]
                return Answer(
                    data=data,
                    code="failed",
                    message=f"{name} moved to {tip}, which is not the tested tree of {done.id}",
                    hint=f"git orch gate {done.id} tests it again on the new tip",
                )
