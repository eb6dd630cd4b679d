"""Pushes of leases, workers, slots and dependencies."""

from __future__ import annotations

from gitorch.core.model import JobId, Oid
from tests.hooks.vectors import GRAPH, A, B, Build, C, queued, several, vector
from tests.hooks.world import NS, OTHER_TOKEN, World, claimed, free, graph, job, lease, slot, worker

# -- leases


def _lease(before: dict[str, object], word: str, after: dict[str, object], name: str = "acquire") -> Build:
    def build(w: World) -> None:
        old = w.put(NS.lease("main"), w.event(lease(**before), name))
        record = lease(**after)
        w.push(NS.lease("main"), w.event(free(record) if not record.held else record, word, old))

    return build


@vector("")
def a_lease_is_acquired(w: World) -> None:
    w.push(NS.lease("main"), w.event(lease(), "acquire"))


@vector("")
def a_lease_of_a_target_with_a_slash(w: World) -> None:
    w.push(NS.lease("rel/1%0"), w.event(lease(target="rel/1%0"), "acquire"))


@vector("step")
def a_lease_that_begins_at_seven(w: World) -> None:
    w.push(NS.lease("main"), w.event(lease(epoch=7), "acquire"))


@vector("step")
def a_lease_that_begins_with_a_landing(w: World) -> None:
    w.push(NS.lease("main"), w.event(lease(), "land"))


@vector("deletion")
def a_deleted_lease(w: World) -> None:
    w.put(NS.lease("main"), w.event(lease(), "acquire"))
    w.push(NS.lease("main"), None)


THEIRS: dict[str, object] = {"token": OTHER_TOKEN, "holder": "bob"}
several(
    "",
    a_lease_is_renewed=_lease({}, "renew", {}),
    a_lease_is_taken_over=_lease({}, "acquire", {"epoch": 2, **THEIRS}),
    a_lease_is_released=_lease({}, "release", {"held": False}),
    a_lease_is_broken=_lease({}, "break", {"held": False, "reason": "gone"}),
)
several(
    "step",
    an_epoch_that_falls=_lease({"epoch": 5}, "acquire", {"epoch": 4}),
    an_epoch_that_stays_as_it_is_taken_over=_lease({"epoch": 5}, "acquire", {"epoch": 5, **THEIRS}),
    an_epoch_that_jumps=_lease({"epoch": 5}, "acquire", {"epoch": 7, **THEIRS}),
    an_epoch_that_rises_by_a_renewal=_lease({}, "renew", {"epoch": 2}),
    a_foreign_renewal=_lease({}, "renew", THEIRS),
    a_renewal_in_the_name_of_another=_lease({}, "renew", {"holder": "bob"}),
    a_renewal_that_frees=_lease({}, "renew", {"held": False}),
    a_release_that_holds=_lease({}, "release", {}),
    a_verdict_of_another=_lease({}, "verdict", THEIRS),
    a_renewal_of_what_is_free=_lease({"held": False, "holder": None, "token": None}, "renew", {}, "release"),
    a_release_of_what_is_free=_lease(
        {"held": False, "holder": None, "token": None}, "release", {"held": False}, "release"
    ),
)


# -- workers, slots, scratch


@vector("")
def a_worker_starts_beats_and_leaves(w: World) -> None:
    old = w.put(NS.worker("w1"), w.event(worker(), "start"))
    beat = w.put(NS.worker("w1"), w.event(worker(), "beat", old))
    w.push(NS.worker("w1"), w.event(worker(present=False), "leave", beat))


@vector("")
def a_worker_begins_anew(w: World) -> None:
    w.put(NS.worker("w1"), w.event(worker(), "start"))
    w.push(NS.worker("w1"), w.event(worker(), "start", parents=[]))


@vector("")
def a_worker_is_forgotten(w: World) -> None:
    w.put(NS.worker("w1"), w.event(worker(), "start"))
    w.push(NS.worker("w1"), None)


@vector("step")
def a_worker_with_the_holder_of_another(w: World) -> None:
    old = w.put(NS.worker("w1"), w.event(worker(), "start"))
    w.push(NS.worker("w1"), w.event(worker(holder="bob"), "beat", old))


@vector("step")
def a_worker_that_leaves_and_stays(w: World) -> None:
    old = w.put(NS.worker("w1"), w.event(worker(), "start"))
    w.push(NS.worker("w1"), w.event(worker(), "leave", old))


@vector("")
def a_claim_with_its_slot(w: World) -> None:
    old = queued(w)
    w.push(A, w.event(claimed(job(), slot=1), "claim", old))
    w.push(NS.slot(1), w.event(slot(), "take"))


@vector("slot")
def a_claim_with_the_slot_of_another(w: World) -> None:
    old = queued(w)
    w.push(A, w.event(claimed(job(), slot=1), "claim", old))


@vector("slot")
def a_slot_without_a_claim(w: World) -> None:
    w.push(NS.slot(1), w.event(slot(), "take"))


@vector("slot")
def a_slot_for_another_token(w: World) -> None:
    old = queued(w)
    w.push(A, w.event(claimed(job(), slot=1), "claim", old))
    w.push(NS.slot(1), w.event(slot(token=OTHER_TOKEN), "take"))


def _taken(w: World) -> Oid:
    w.put(A, w.event(claimed(job(), slot=1), "claim", queued(w)))
    return w.put(NS.slot(1), w.event(slot(), "take"))


@vector("")
def a_slot_that_an_older_claim_has_left_is_freed(w: World) -> None:
    old = _taken(w)
    w.put(A, w.event(claimed(job(attempt=1), slot=2, token=OTHER_TOKEN), "claim", queued(w)))
    w.push(NS.slot(1), w.event(slot(held=False, job=None, token=None), "free", old))


@vector("")
def a_renewal_of_a_claim_that_has_a_slot(w: World) -> None:
    _taken(w)
    w.push(A, w.event(claimed(job(), slot=1), "renew", w.now(A)))


@vector("slot")
def a_slot_is_freed_under_its_claim(w: World) -> None:
    old = _taken(w)
    w.push(NS.slot(1), w.event(slot(held=False, job=None, token=None), "free", old))


@vector("")
def a_slot_is_freed_with_its_claim(w: World) -> None:
    old = _taken(w)
    w.push(NS.slot(1), w.event(slot(held=False, job=None, token=None), "free", old))
    w.push(A, w.event(job(attempt=1), "release", w.now(A)))


@vector("step")
def a_slot_is_taken_twice(w: World) -> None:
    old = _taken(w)
    w.push(NS.slot(1), w.event(slot(job=JobId("b")), "take", old))


@vector("deletion")
def a_deleted_slot(w: World) -> None:
    _taken(w)
    w.push(NS.slot(1), None)


@vector("")
def a_scratch_ref_comes_and_goes(w: World) -> None:
    old = w.put(NS.scratch("x"), w.commit())
    w.push(NS.scratch("y"), w.commit("probe\n"))
    w.push(NS.scratch("x"), w.commit("more\n", [old]))


@vector("")
def a_scratch_ref_is_deleted(w: World) -> None:
    w.put(NS.scratch("x"), w.commit())
    w.push(NS.scratch("x"), None)


@vector("scratch")
def a_scratch_ref_with_files(w: World) -> None:
    w.push(NS.scratch("x"), w.code("a whole project"))


@vector("scratch")
def a_scratch_ref_with_a_history(w: World) -> None:
    w.push(NS.scratch("x"), w.commit("x\n", [w.code("history")]))


# -- dependencies


@vector("")
def a_job_after_another(w: World) -> None:
    queued(w)
    w.push(B, w.event(job("b", after=(JobId("a"),)), "add"))


@vector("")
def jobs_after_each_other_in_one_push(w: World) -> None:
    w.push(A, w.event(job("a", after=(JobId("b"),)), "add"))
    w.push(B, w.event(job("b", after=(JobId("nobody"),)), "add"))


@vector("cycle")
def a_job_after_itself(w: World) -> None:
    w.push(A, w.event(job("a", after=(JobId("a"),)), "add"))


@vector("cycle")
def two_jobs_after_each_other(w: World) -> None:
    w.push(A, w.event(job("a", after=(JobId("b"),)), "add"))
    w.push(B, w.event(job("b", after=(JobId("a"),)), "add"))


def _waits(w: World, name: str, *after: str, edits: int = 1) -> None:
    """The push that makes a job wait for others, with the graph."""
    words = tuple(JobId(word) for word in after)
    w.push(NS.job(JobId(name)), w.event(job(name, after=words), "edit", w.now(NS.job(JobId(name)))))
    w.push(GRAPH, w.event(graph(name, edits, *after), "edges", w.now(GRAPH)))


@vector("")
def a_later_edge(w: World) -> None:
    queued(w), queued(w, "b")
    _waits(w, "a", "b")


@vector("cycle")
def a_later_edge_that_closes_a_cycle(w: World) -> None:
    queued(w), queued(w, "b", after=(JobId("c"),)), queued(w, "c", after=(JobId("a"),))
    _waits(w, "a", "b")


@vector("")
def a_diamond(w: World) -> None:
    queued(w), queued(w, "b", after=(JobId("a"),)), queued(w, "c", after=(JobId("a"),))
    w.push(NS.job(JobId("d")), w.event(job("d", after=(JobId("b"), JobId("c"))), "add"))


@vector("")
def a_cycle_that_damage_pretends(w: World) -> None:
    queued(w)
    w.put(B, w.commit("x\n\nAfter: a\n"))
    w.put(C, w.blob("After: a\n"))
    w.put("refs/orch/jobs/D", w.event(job("a", after=(JobId("a"),)), "add"))
    w.push(NS.job(JobId("e")), w.event(job("e", after=(JobId("a"), JobId("b"), JobId("c"))), "add"))


@vector("graph")
def a_later_edge_without_the_graph(w: World) -> None:
    queued(w)
    w.push(A, w.event(job(after=(JobId("b"),)), "edit", w.now(A)))


@vector("graph")
def a_later_edge_with_another_one_in_the_graph(w: World) -> None:
    queued(w)
    w.push(A, w.event(job(after=(JobId("b"),)), "edit", w.now(A)))
    w.push(GRAPH, w.event(graph("a", 1, "c"), "edges"))


@vector("graph")
def a_graph_without_its_job(w: World) -> None:
    w.push(GRAPH, w.event(graph("a", 1, "c"), "edges"))


@vector("step")
def a_graph_that_counts_otherwise(w: World) -> None:
    queued(w)
    _waits(w, "a", "b", edits=2)
