"""Which of the ready jobs a worker tries: in order when alone, its own among others, few collisions on old views."""

from __future__ import annotations

from gitorch.core.schedule import SPREAD, pick
from tests.records import a_job

READY = [a_job(f"j{number:04}") for number in range(2_000)]


def test_nothing_is_picked_of_nothing_and_who_is_alone_takes_the_first() -> None:
    assert pick([], "w") is None
    assert pick(READY, "w") is READY[0]


def test_workers_that_know_each_other_never_want_the_same_job() -> None:
    workers = [f"w{number}" for number in range(16)]
    wanted = [pick(READY, worker, [other for other in workers if other != worker]) for worker in workers]
    assert len({job.id for job in wanted if job}) == 16
    assert all(job in READY[: 16 * SPREAD] for job in wanted)


def test_a_priority_goes_before_every_spread() -> None:
    ready = [a_job("urgent", priority=9), *READY]
    for lost in range(5):
        assert pick(ready, "w", ["other"], lost) is ready[0]


def test_after_lost_races_workers_that_do_not_know_each_other_spread_ever_further() -> None:
    first, later = ({pick(READY, f"w{n}", (), lost).id for n in range(200)} for lost in (1, 4))  # type: ignore[union-attr]
    assert 1 < len(first) < len(later)
    assert pick(READY[:1], "w", (), 60) is READY[0]
