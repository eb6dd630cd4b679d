"""`git orch reap`: return what dead workers hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Quiet, Remote, Target
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.core.model import Job, JobId, State
    from gitorch.engine.reap import ReapReport


def run(
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch until what is held now came back, or its holder showed that it lives.")
    ] = False,
    target: Target = None,
    remote: Remote = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> Answer:
    """Return what dead workers hold.

    Claims of workers of which nothing was seen for their TTL go back to the queue, leases of dead holders come free,
    jobs whose work is on the target already are done, and submitted jobs whose target is gone go to rework. Nothing is
    deleted. Who is dead is judged by what this clone saw change, by its own clock alone: what is seen for the first
    time is never dead, so run it again, or with `--wait`. Workers and landers do the same in passing.
    """
    from gitorch.core.queue import states_of
    from gitorch.engine.reap import reap, watch

    with opened(remote=remote, target=target, quiet=quiet) as here:
        name = here.session.target
        if wait:
            reports = []
            for report in watch(here.world, name, float(here.session.settings.poll_interval_s)):
                reports.append(report)
                for watched in report.watched:
                    here.world.reporter.say(f"watching {watched.what}, held by {watched.holder}")
        else:
            reports = [reap(here.world, name, leases=True)]
        states = states_of(reports[-1].snapshot)
        data, text = _data(reports, states), _text(reports)
        if data["refused"]:
            return Answer(data=data, text=text, code="refused", message=data["refused"][0], hint="git orch doctor")
        return Answer(data=data, text=text)


def _data(reports: list[ReapReport], states: Mapping[JobId, State]) -> dict[str, Any]:
    from gitorch.render import job_json, lease_json

    def jobs(found: list[Job]) -> list[dict[str, Any]]:
        return [job_json(job, states) for job in found]

    return {
        "returned": jobs([job for report in reports for job in report.returned]),
        "landed": jobs([job for report in reports for job in report.landed]),
        "rework": jobs([job for report in reports for job in report.rework]),
        "slots": [number for report in reports for number in report.slots],
        "leases": [lease_json(lease, lease.target) for report in reports for lease in report.leases],
        "refused": [text for report in reports for text in report.refused],
        "watched": [
            {"what": watched.what, "holder": watched.holder, "dead_in_s": round(watched.dead_in_s, 3)}
            for watched in reports[-1].watched
        ],
    }


def _text(reports: list[ReapReport]) -> str:
    from gitorch.core.text import duration, escape

    lines = []
    for report in reports:
        for job in report.returned:
            lines.append(f"returned {job.id}: {job.title} ({job.state.value})\n  {job.reason}")
        lines += [f"done {job.id}: {job.title}\n  its work is on {job.target} already" for job in report.landed]
        lines += [f"rework {job.id}: {job.title}\n  {job.reason}" for job in report.rework]
        lines += [f"freed slot {number}" for number in report.slots]
        lines += [f"freed the lease of {lease.target}, which {lease.holder} held" for lease in report.leases]
    lines = lines or ["nothing is to be returned"]
    for watched in reports[-1].watched:
        lines.append(
            f"{watched.what} is held by {watched.holder}; "
            f"dead if nothing changes for {duration(watched.dead_in_s)} more"
        )
    return "\n".join("\n".join(map(escape, line.split("\n"))) for line in lines)
