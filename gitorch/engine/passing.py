"""What a command does for everybody on its way out: returns what dead workers hold, folds what is finished.

It costs nothing where there is nothing to do, and whatever goes wrong with it is said and forgotten: what the command
was started for has happened already.
"""

from __future__ import annotations

from gitorch.core.errors import OrchError
from gitorch.core.model import Snapshot
from gitorch.engine.gc import collect_in_passing
from gitorch.engine.reap import reap
from gitorch.engine.world import World

FRESH_S = 1.0
"""A look that is older than this says nothing of who lives: what was seen then may have moved long since."""


def tidy_up(world: World, target: str, snapshot: Snapshot | None, *, age_s: float = 0.0) -> None:
    """Do both on the last snapshot of a command, which is `age_s` old; None when it has none."""
    if snapshot is None:
        return
    try:
        fresh = snapshot if age_s <= FRESH_S else world.store.observe({target})
        report = reap(world, target, fresh)
    except OrchError as problem:
        world.reporter.say(f"what dead workers hold was not returned: {problem.message}")
        return
    for job in report.returned:
        world.reporter.say(f"{job.id} is {job.state.value} again: {job.reason}")
    collect_in_passing(world, report.snapshot)
