"""Who loses a lease between two looks, on the in-memory store."""

from __future__ import annotations

from gitorch.engine.hold import Hold, Taken
from gitorch.engine.leases import break_lease
from sim.people import Here
from tests.simulation.test_claims import play, town


def test_who_gives_up_a_lease_that_others_have_by_now_leaves_it_to_them() -> None:
    made, clone = town()
    other = made.clones[1]
    holds: list[Hold] = []

    def take(here: Here) -> None:
        hold = Hold(here.world, "main", command="gate")
        seen = here.world.store.observe({"main"})
        assert hold.judge(seen, None) is None and hold.take(seen, 60) is Taken.HELD
        holds.append(hold)

    def take_over(here: Here) -> None:
        break_lease(here.world, "main", "it looks dead to me")
        take(here)

    play(made, clone, take)
    play(made, other, take_over)
    mine, theirs = holds

    def give_up(here: Here) -> None:
        mine.world = here.world
        mine.release("not needed any more")

    play(made, clone, give_up)
    lease = made.remote.snapshot(made.remote.frozen).leases["main"].record
    assert lease.held and lease.epoch == 2, "the lease of the other is untouched"
    assert theirs.held is not None and lease.token == theirs.held.record.token
