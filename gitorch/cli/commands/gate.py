"""`git orch gate`: catch up and test, and leave the merge to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Color, Quiet, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.engine.land import Lander, LandResult

EXITS = ("busy", "lost", "blocked", "conflict", "red")


def run(
    job: Annotated[str, typer.Argument(metavar="JOB|BRANCH", help=JOB_HELP, show_default=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Wait while somebody else holds the lease.")] = False,
    target: Target = None,
    remote: Remote = None,
    quiet: Quiet = False,
    color: Color = None,
    as_json: AsJson = False,
) -> Answer:
    """Catch up and test, and leave the merge to others.

    For hosts where something else moves the target: a forge's button, a protected branch. On green the job's branch
    on the remote is the tested commit, and the lease of the target stays held for one TTL, so that nobody else
    lands in between. Merge the branch, then `git orch settle`. On red or a conflict the lease is freed and the job
    goes to rework. The target is never touched.
    """
    from gitorch.cli.commands.land import choose, new_lander, waiting
    from gitorch.cli.landings import one_landing
    from gitorch.core.queue import states_of
    from gitorch.engine.train import land_when_free

    with opened(remote=remote, target=target, quiet=quiet, gates=True, color=color) as here:
        snapshot = here.world.store.observe({here.session.target})
        chosen = choose(here, snapshot, job, target)
        if chosen is None:
            raise UsageError("there is no such job", hint="git orch list")

        def attempt(lander: Lander) -> LandResult:
            return lander.gate(chosen.id)

        result = land_when_free(
            here.world, lambda: new_lander(here, chosen.target, "gate"), waiting(here, wait), attempt
        )
        states = {**states_of(snapshot), result.job.id: result.job.state}
        return one_landing(result, chosen.target, states, here.session.onto(chosen.target))
