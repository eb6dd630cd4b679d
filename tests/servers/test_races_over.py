"""Compare-and-swap over real servers: by git alone, and by those who race through `git orch` (I3, I4)."""

from __future__ import annotations

from itertools import count

import pytest

from tests.git.test_claims import (
    test_of_many_who_race_for_one_job_one_gets_it_and_the_others_are_told_who as claim_race,
)
from tests.servers import ALL
from tests.servers.conftest import ServedRemote
from tests.support import Clone, Run, try_git

RACERS = 8 if ALL else 3
ROUNDS = 20 if ALL else 2
REF = "refs/orch/scratch/a"
OTHER = "refs/orch/scratch/b"

_numbers = count()


def commit(clone: Clone) -> str:
    """A commit that nobody else has."""
    return clone.git("commit-tree", "-m", f"{clone.path.name} {next(_numbers)}", "HEAD^{tree}")


def push(clone: Clone, *updates: tuple[str, str, str]) -> int:
    """One push, all or nothing, of (ref, expected old value or nothing, new value or nothing); its exit status."""
    leases = [f"--force-with-lease={ref}:{old}" for ref, old, _ in updates]
    return try_git(
        clone.path, "push", "-q", "--atomic", *leases, "origin", *(f"{new}:{ref}" for ref, _, new in updates)
    ).status


@pytest.fixture
def pair(remote: ServedRemote) -> tuple[Clone, Clone]:
    return remote.clone("a"), remote.clone("b")


def test_a_ref_is_created_once(remote: ServedRemote, pair: tuple[Clone, Clone]) -> None:
    first = commit(pair[0])
    assert push(pair[0], (REF, "", first)) == 0
    assert push(pair[1], (REF, "", commit(pair[1]))) != 0
    assert remote.ref(REF) == first


def test_an_update_from_a_stale_value_changes_nothing(remote: ServedRemote, pair: tuple[Clone, Clone]) -> None:
    first, second = commit(pair[0]), commit(pair[0])
    assert push(pair[0], (REF, "", first)) == 0
    assert push(pair[0], (REF, first, second)) == 0
    assert push(pair[1], (REF, first, commit(pair[1]))) != 0
    assert remote.ref(REF) == second


def test_of_two_updates_one_of_which_is_stale_neither_happens(remote: ServedRemote, pair: tuple[Clone, Clone]) -> None:
    first, second = commit(pair[0]), commit(pair[0])
    assert push(pair[0], (REF, "", first), (OTHER, "", first)) == 0
    assert push(pair[0], (REF, first, second)) == 0
    before = remote.refs()
    mine = commit(pair[1])
    assert push(pair[1], (OTHER, first, mine), (REF, first, mine)) != 0
    assert push(pair[1], (REF, first, mine), (OTHER, first, mine)) != 0
    assert remote.refs() == before


def test_a_deletion_is_guarded(remote: ServedRemote, pair: tuple[Clone, Clone]) -> None:
    first, second = commit(pair[0]), commit(pair[0])
    assert push(pair[0], (REF, "", first)) == 0
    assert push(pair[0], (REF, first, second)) == 0
    assert push(pair[1], (REF, first, "")) != 0
    assert remote.ref(REF) == second
    assert push(pair[1], (REF, second, "")) == 0
    assert remote.ref(REF) is None


def test_notes_are_swapped_like_every_ref(remote: ServedRemote, pair: tuple[Clone, Clone]) -> None:
    notes = "refs/notes/orch"
    for clone in pair:
        clone.git("notes", "--ref=orch", "add", "-m", clone.path.name, "HEAD")
    mine, theirs = (str(clone.ref(notes)) for clone in pair)
    assert push(pair[0], (notes, "", mine)) == 0
    assert push(pair[1], (notes, "", theirs)) != 0
    assert push(pair[1], (notes, mine, theirs)) == 0
    assert remote.ref(notes) == theirs


def race(clones: list[Clone], *args: str) -> list[Run]:
    """The same command in all clones at once."""
    return [running.wait() for running in [clone.start_orch(*args) for clone in clones]]


def test_of_many_who_claim_a_job_one_gets_it(remote: ServedRemote) -> None:
    if ALL:
        claim_race(remote)
        return
    clones = [remote.clone(f"c{i}") for i in range(RACERS)]
    clones[0].orch("add", "The only one", "--id", "only")
    runs = race(clones, "claim", "only", "--json")
    assert sorted(run.status for run in runs) == [0] + [11] * (RACERS - 1), [run.said() for run in runs]


def test_of_many_who_make_the_same_job_one_does(remote: ServedRemote) -> None:
    clones = [remote.clone(f"c{i}") for i in range(RACERS)]
    racing = [clone.start_orch("add", f"By {clone.path.name}", "--id", "same") for clone in clones]
    runs = [running.wait() for running in racing]
    assert sorted(run.status for run in runs) == [0] + [2] * (RACERS - 1), [run.said() for run in runs]
    winner = next(clone for clone, run in zip(clones, runs, strict=True) if run.status == 0)
    assert clones[0].orch("show", "same", "--json").json()["data"]["title"] == f"By {winner.path.name}"


def test_of_many_who_want_the_lease_one_has_it(remote: ServedRemote) -> None:
    clones = [remote.clone(f"c{i}") for i in range(RACERS)]
    for _ in range(ROUNDS):
        runs = race(clones, "lease", "acquire", "main")
        assert sorted(run.status for run in runs) == [0] + [11] * (RACERS - 1), [run.said() for run in runs]
        holder = next(clone for clone, run in zip(clones, runs, strict=True) if run.status == 0)
        holder.orch("lease", "release", "main")
