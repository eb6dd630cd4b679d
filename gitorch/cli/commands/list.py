"""`git orch list`: jobs in the order in which they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Job, Snapshot

EXAMPLES = ("git orch list --ready --label parser", "git orch list --state rework", "git orch list --all --json")


def run(
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only jobs in this state.")] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Only jobs that can be claimed or landed now.")] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only jobs with this label.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Finished jobs too, archived ones included.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """List jobs in the order in which they are taken: priority, then age, then id.

    Finished jobs are left out unless --all or --state asks for them; archived ones are read only for --all.
    """
    from gitorch.core.model import Derived, State
    from gitorch.core.queue import derived, states_of
    from gitorch.core.states import FINAL
    from gitorch.render import damage_json, damage_text, job_json, jobs_table, ordered

    names = [known.value for known in State]
    if state is not None and state not in names:
        raise UsageError(
            f"there is no state {state!r}; states are {', '.join(names)}", hint="git orch list --state submitted"
        )
    with opened(remote=remote, bulk=everything) as here:
        snapshot = here.world.store.observe()
        states, holds = states_of(snapshot), here.world.missing_holds
        jobs = [
            job
            for job in [*ordered(snapshot.jobs.values(), states), *(_archived(here, snapshot) if everything else ())]
            if (job.state.value == state if state else everything or job.state not in FINAL)
            and (not ready or derived(job, states, missing_holds=holds) is Derived.READY)
            and (label is None or label in job.labels)
        ]
        damaged = snapshot.damaged
        if as_json:
            shown = [job_json(job, states, missing_holds=holds) for job in jobs]
            shown = [found | {"archived": found["id"] not in snapshot.jobs} for found in shown]
            return Answer(data={"jobs": shown, "damaged": damage_json(damaged)})
        text = jobs_table(jobs, states, here.world.clock.now_ms(), missing_holds=holds) if jobs else "no jobs\n"
        return Answer(text=text + damage_text(damaged))


def _archived(here: Opened, snapshot: Snapshot) -> list[Job]:
    """The archived jobs, those first that were finished last; what is live too was seen half way into the archive."""
    archive = here.world.store.archive()
    found = archive.find(job for job in archive.ids() if job not in snapshot.jobs)
    return sorted((seen.record for seen in found.values()), key=lambda job: (-job.updated_ms, job.id))
