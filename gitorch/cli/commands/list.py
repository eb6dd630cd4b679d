"""`git orch list`: jobs in the order in which they are taken."""

from __future__ import annotations

from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

EXAMPLES = ("git orch list --state rework", "git orch list --all --json")


def run(
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only jobs in this state.")] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Only jobs that wait for nothing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Finished jobs too.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """List jobs in the order in which they are taken: priority, then age, then id.

    Finished jobs are left out unless --all or --state asks for them.
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
    with opened(remote=remote) as here:
        snapshot = here.world.store.observe()
        states = states_of(snapshot.jobs)
        jobs = [
            job
            for job in ordered(snapshot.jobs.values())
            if (job.state.value == state if state else everything or job.state not in FINAL)
            and (not ready or derived(job, states) is Derived.READY)
        ]
        data = {"jobs": [job_json(job, states) for job in jobs], "damaged": damage_json(snapshot.damaged)}
        text = jobs_table(jobs, states, here.world.clock.now_ms()) if jobs else "no jobs\n"
        return Answer(data=data, text=text + damage_text(snapshot.damaged))
