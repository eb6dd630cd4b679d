"""Who puts things in order once nothing goes wrong any more: a worker, a lander and a reaper for each target."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.core.names import BRANCHES
from gitorch.engine.reap import reap
from gitorch.engine.train import Waiting, land_all
from gitorch.engine.work import Worker, WorkOptions
from sim.people import Command, Here, _lander, _told
from sim.workshop import SimWorkshop


def care_for(target: str) -> Iterable[Command]:
    """Commands that are run again and again."""

    def carer_works(here: Here) -> None:
        options = WorkOptions(worker=f"carer-{target}", target=target, command="make it so", capacity=4, once=True)
        Worker(here.world, SimWorkshop(here.clone, here.process), options).run()

    def carer_lands(here: Here) -> None:
        land_all(here.world, target, lambda: _lander(here.world, target, "land"), Waiting(False, 5.0), _told(here))

    def carer_reaps(here: Here) -> None:
        reap(here.world, target, leases=True)

    def carer_mends(here: Here) -> None:
        """A target that is red stops landings until somebody repairs it."""
        ref, remote, commits = BRANCHES + target, here.clone.remote, here.clone.commits
        tip = commits.of(remote.refs[ref])
        if not tip.sound:
            broken = {path: None for path, text in tip.files.items() if "bad" in text.split() or ":" in text}
            remote.apply({ref: commits.make(tip, broken, "Mend the target").oid}, None)

    return (carer_works, carer_mends, carer_lands, carer_reaps)
