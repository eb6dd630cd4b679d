"""Pushes to targets, to the archive and to the notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pygit2

from gitorch.core.model import Color, JobId, Lease, Oid, State
from gitorch.core.names import branch_ref
from tests.hooks.vectors import A, Build, several, vector
from tests.hooks.world import MAIN, NS, OTHER_TOKEN, World, free, job, lease

LEASE = NS.lease("main")
GATE = Oid("7" * 40)


class Landing:
    """A submitted job whose candidate is green: what a landing begins with. `push` sends it, as it is then."""

    def __init__(self, w: World, *, gate: str = "", local: Oid | None = None) -> None:
        self.w = w
        extra = {".gitorch": gate} if gate else {}
        self.base = w.put(MAIN, w.code("first", **extra))
        self.head = w.code("work", self.base, **extra)
        self.job = job(state=State.SUBMITTED, branch="b", head=self.head)
        w.put(A, w.event(self.job, "submit"))
        w.put(LEASE, w.event(lease(job=JobId("a"), base=self.base, candidate=self.head), "acquire"))
        self.done = replace(self.job, state=State.DONE, landed=self.head)
        self.lease = lease(
            job=JobId("a"),
            base=self.base,
            candidate=self.head,
            tree=self.tree_of(self.head),
            gate=local or w.gate_in_force() or GATE,
            verdict=Color.GREEN,
        )

    def tree_of(self, commit: Oid) -> Oid:
        return Oid(str(self.w.repo[commit].peel(pygit2.Tree).id))

    def push(self, *, word: str = "land", keep: bool = False, new: Oid | None = None) -> None:
        """Target, lease and job."""
        self.w.push(MAIN, new or self.head)
        self.push_lease(word, keep=keep)
        self.push_job()

    def push_lease(self, word: str = "land", *, keep: bool = False) -> None:
        record: Lease = self.lease if keep else free(self.lease)
        self.w.push(LEASE, self.w.event(record, word, self.w.now(LEASE)))

    def push_job(self) -> None:
        self.w.push(A, self.w.event(self.done, "land", self.w.now(A)))


def landing(change: Callable[[Landing], None]) -> Build:
    """A landing, with a change before it is sent."""

    def build(w: World) -> None:
        made = Landing(w)
        change(made)
        made.push()

    return build


def with_lease(**more: object) -> Build:
    return landing(lambda made: setattr(made, "lease", replace(made.lease, **more)))  # type: ignore[arg-type]


@vector("")
def a_landing(w: World) -> None:
    Landing(w).push()


@vector("")
def a_landing_that_keeps_the_lease(w: World) -> None:
    Landing(w).push(keep=True)


@vector("")
def a_landing_under_the_gate_of_the_target(w: World) -> None:
    Landing(w, gate="[orch]\n\tgate = make test\n\tgate = make lint\n").push()


@vector("gate")
def a_landing_under_a_weaker_gate(w: World) -> None:
    Landing(w, gate="[orch]\n\tgate = make test\n", local=w.blob("true\n")).push()


@vector("")
def a_landing_where_the_target_defines_no_gate(w: World) -> None:
    Landing(w, gate="[orch]\n\tgate =\n", local=w.blob("true\n")).push()


@vector("")
def a_landing_of_a_squash(w: World) -> None:
    made = Landing(w)
    squashed = w.commit("Squashed\n", [made.base], made.tree_of(made.head))
    made.done = replace(made.done, landed=squashed)
    made.push(new=squashed)


several(
    "not-green",
    a_landing_without_a_verdict=with_lease(verdict=None),
    a_landing_of_what_is_red=with_lease(verdict=Color.RED),
    a_landing_without_a_gate=with_lease(gate=None),
)
several(
    "untested",
    a_landing_of_another_tree=with_lease(tree=Oid("5" * 40)),
    a_landing_of_no_tree=with_lease(tree=None),
)
several(
    "base",
    a_landing_on_another_base=with_lease(base=Oid("5" * 40)),
    a_landing_without_a_base=with_lease(base=None),
)
several(
    "no-job",
    a_landing_in_the_name_of_no_job=with_lease(job=None),
    a_landing_in_the_name_of_another_job=with_lease(job=JobId("b")),
)


@vector("untested")
def a_commit_on_top_of_what_was_tested(w: World) -> None:
    made = Landing(w)
    more = w.code("more", made.head)
    made.done = replace(made.done, landed=more)
    made.push(new=more)


@vector("no-lease")
def a_push_by_hand(w: World) -> None:
    made = Landing(w)
    w.push(MAIN, made.head)


@vector("no-lease")
def a_push_by_hand_where_nothing_is(w: World) -> None:
    old = w.put(MAIN, w.code("first"))
    w.push(MAIN, w.code("more", old))


@vector("no-landing")
def a_push_with_a_renewal(w: World) -> None:
    made = Landing(w)
    made.push(word="verdict", keep=True)


@vector("no-landing")
def a_push_with_a_lease_that_is_just_acquired(w: World) -> None:
    made = Landing(w)
    taken = replace(made.lease, epoch=2, token=OTHER_TOKEN, holder="bob")
    w.push(MAIN, made.head)
    w.push(LEASE, w.event(taken, "acquire", w.now(LEASE)))
    made.push_job()


@vector("step")
def a_landing_under_the_token_of_another(w: World) -> None:
    made = Landing(w)
    made.lease = replace(made.lease, token=OTHER_TOKEN)
    made.push(keep=True)


@vector("step")
def a_landing_under_a_lease_that_nobody_holds(w: World) -> None:
    made = Landing(w)
    w.put(LEASE, w.event(free(made.lease), "release", w.now(LEASE)))
    made.push()


@vector("stale")
def a_landing_from_a_stale_lease(w: World) -> None:
    made = Landing(w)
    seen = w.now(LEASE)
    assert seen is not None
    w.put(LEASE, w.event(lease(epoch=2, token=OTHER_TOKEN, holder="bob"), "acquire", seen))
    w.push(MAIN, made.head)
    w.push(LEASE, w.event(free(made.lease), "land", seen), old=seen)
    made.push_job()


@vector("parents")
def a_landing_whose_lease_skips_an_event(w: World) -> None:
    made = Landing(w)
    hidden = w.event(made.lease, "verdict", w.now(LEASE))
    w.push(MAIN, made.head)
    w.push(LEASE, w.event(free(made.lease), "land", hidden))
    made.push_job()


@vector("not-fast-forward")
def a_target_that_loses_commits(w: World) -> None:
    made = Landing(w)
    w.push(MAIN, w.code("work"))
    made.push_lease()


@vector("not-fast-forward")
def a_target_that_goes_back(w: World) -> None:
    old = w.code("first")
    w.put(MAIN, w.code("second", old))
    w.push(MAIN, old)


@vector("target-deleted")
def a_deleted_target(w: World) -> None:
    w.put(MAIN, w.code("first"))
    w.push(MAIN, None)


@vector("")
def a_new_target(w: World) -> None:
    w.push(MAIN, w.code("first"))


@vector("target-created")
def a_target_that_comes_back(w: World) -> None:
    w.put(LEASE, w.event(lease(), "acquire"))
    w.push(MAIN, w.code("first"))


@vector("")
def a_branch_beside_the_target(w: World) -> None:
    w.put(branch_ref("maintenance"), w.code("first"))
    w.push(branch_ref("maintenance"), w.code("anything"))
    w.push("refs/tags/main", w.code("tagged"))


@vector("stale")
def a_target_whose_old_value_is_invented(w: World) -> None:
    made = Landing(w)
    w.push(MAIN, made.head, old=None)


def _forge(change: Callable[[Landing], Oid], *, allowed: bool = True) -> Build:
    """A forge merges: the target alone moves, while the lease holds a green candidate."""

    def build(w: World) -> None:
        made = Landing(w)
        new = change(made)
        w.put(LEASE, w.event(made.lease, "verdict", w.now(LEASE)))
        w.forge = allowed
        w.push(MAIN, new)

    return build


def _merged(made: Landing) -> Oid:
    return made.w.commit("Merge\n", [made.base, made.head], made.tree_of(made.head))


def _unjudged(made: Landing) -> Oid:
    made.lease = replace(made.lease, verdict=None)
    return made.head


several(
    "",
    a_forge_fast_forwards=_forge(lambda made: made.head),
    a_forge_merges=_forge(_merged),
    a_forge_squashes=_forge(lambda made: made.w.commit("S\n", [made.base], made.tree_of(made.head))),
)
several("no-lease", a_forge_where_none_is_allowed=_forge(lambda made: made.head, allowed=False))
several("untested", a_forge_adds_something=_forge(lambda made: made.w.code("else", made.head)))
several("not-green", a_forge_is_too_early=_forge(_unjudged))


@vector("no-lease")
def a_forge_without_a_lease(w: World) -> None:
    made = Landing(w)
    w.put(LEASE, w.event(free(made.lease), "release", w.now(LEASE)))
    w.forge = True
    w.push(MAIN, made.head)
