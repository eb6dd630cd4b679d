"""What is known of a tree under one gate says nothing about another gate, on the in-memory store."""

from __future__ import annotations

from gitorch.core.gates import Gate
from gitorch.core.model import Color, Oid
from gitorch.core.names import BRANCHES
from gitorch.engine.edit import record_verdict
from gitorch.engine.land import LandResult
from gitorch.engine.submit import SubmitWish, submit
from sim.people import Here, _lander
from tests.simulation.test_claims import play, town


def test_green_under_another_gate_is_not_green_under_this_one() -> None:
    made, clone = town()
    tip = made.remote.refs[BRANCHES + "main"]
    work = made.commits.make(made.commits.of(tip), {"new": "bad"}, "Break it")
    clone.branches["wrong"] = work.oid
    results: list[LandResult] = []

    def command(here: Here) -> None:
        job = submit(here.world, SubmitWish(branch="wrong", target="main")).job
        assert job is not None
        easy = Gate(commands=("true",), digest=Oid("e" * 40), origin="elsewhere")
        made.truth.ran[(work.tree, easy.digest)] = {True}
        record_verdict(here.world, work.tree, easy, Color.GREEN, None)
        results.append(_lander(here.world, "main", "land").land(job.id))

    play(made, clone, command)
    assert len(results) == 1, "the landing came to an end"
    assert made.remote.refs[BRANCHES + "main"] == tip, "nothing landed"
