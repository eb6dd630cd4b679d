"""Recovery on real git: what dead workers hold comes back, what live ones hold does not. A failure here means that work
waits for a person, or that somebody who lives is robbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gitorch.core.model import JobId, Slot, Worker
from gitorch.core.plan import plan_job_event
from gitorch.core.plan_queue import Addition, Claim, plan_add, plan_claim, plan_presence, slot_update
from gitorch.core.states import Event
from gitorch.core.writes import Plan
from gitorch.engine.exchange import publish
from gitorch.engine.reap import reap
from gitorch.engine.world import World
from gitorch.session import open_session
from tests.git.landing import jobs, lease, project, steps
from tests.support import Clone, Remote, eventually

HOUR_MS = 3_600_000
_numbers = count(1)


@contextmanager
def world_of(clone: Clone) -> Iterator[World]:
    session = open_session(clone.path)
    try:
        yield session.world()
    finally:
        session.close()


def do(world: World, plan: Plan) -> None:
    assert publish(world, plan).kind.value == "published"


def claimed(
    clone: Clone,
    *,
    job: str | None = None,
    ttl_s: int = 1,
    kept: bool = False,
    slot: int | None = None,
    off_ms: int = 0,
    times: int = 1,
) -> str:
    """A job that worker `w` has claimed, with a clock that is `off_ms` off; it was claimed and given back before if
    `times` says so."""
    name = JobId(job or f"job-{next(_numbers)}")
    with world_of(clone) as world:
        context = replace(world.context(), now_ms=world.clock.now_ms() + off_ms)
        if job is None:
            do(world, plan_add(context, [Addition(id=name, title=f"Title of {name}", target="main")]))
        for turn in range(times):
            snapshot = world.store.observe()
            context = replace(context, nonce=world.random.token())
            claim = Claim(worker="w", token=world.random.token(), ttl_s=ttl_s, kept=kept, slot=slot)
            do(world, plan_claim(context, snapshot, snapshot.jobs[name], claim))
            if turn + 1 < times:
                seen = world.store.observe().jobs[name]
                do(world, plan_job_event(replace(context, nonce=world.random.token()), seen, Event.RELEASE))
    return str(name)


def beat(clone: Clone, *, off_ms: int = 0) -> None:
    """A sign of life of worker `w`."""
    with world_of(clone) as world:
        context = replace(world.context(), now_ms=world.clock.now_ms() + off_ms)
        worker = Worker(id="w", holder="somebody", present=True, capacity=1, ttl_s=1, since_ms=0, updated_ms=0)
        do(world, plan_presence(context, world.store.observe().workers.get("w"), worker, "beat")[0])


def job(clone: Clone, name: str) -> dict[str, object]:
    found: dict[str, object] = clone.orch("show", name, "--json").json()["data"]
    return found


def reaped(clone: Clone, what: str) -> list[Any]:
    """What `reap` put right, once it did."""
    found: list[Any] = []

    def look() -> bool:
        found.extend(clone.orch("reap", "--json").json()["data"][what])
        return bool(found)

    eventually(look, f"reap finds something {what}")
    return found


def test_a_dead_one_shot_claim_goes_back_to_the_queue(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    name = claimed(clone)
    first = clone.orch("reap", "--json").json()["data"]
    assert first["returned"] == [], "what is seen for the first time is not dead"
    assert first["watched"][0]["what"] == f"job {name}" and 0 < first["watched"][0]["dead_in_s"] <= 1.2
    back = reaped(clone, "returned")[0]
    assert (back["id"], back["state"], back["worker"], back["attempt"]) == (name, "queued", None, 1)
    assert "nothing was heard of worker w for " in str(back["reason"])


def test_waiting_returns_what_is_dead(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    name = claimed(clone)
    run = clone.orch("reap", "--wait")
    assert f"returned {name}: Title of {name} (queued)" in run.out
    assert f"watching job {name}" in run.err
    assert clone.orch("reap", "--wait").out == "nothing is to be returned\n"


def test_a_claim_that_a_dead_worker_kept_goes_back(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    beat(clone)
    name = claimed(clone, kept=True)
    assert reaped(clone, "returned")[0]["id"] == name


@pytest.mark.parametrize("off_ms", [0, 5 * HOUR_MS, -5 * HOUR_MS])
@pytest.mark.parametrize("kept", [False, True])
def test_a_holder_that_shows_that_it_lives_is_not_robbed_whatever_its_clock_says(
    tmp_path: Path, kept: bool, off_ms: int
) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    name = claimed(clone, kept=kept, off_ms=off_ms)
    with world_of(other) as observer, world_of(clone) as holder:
        start_s = observer.clock.boot_s()
        while observer.clock.boot_s() < start_s + 3.0:
            if kept:
                beat(clone, off_ms=off_ms)
            else:
                seen = holder.store.observe().jobs[JobId(name)]
                do(holder, plan_job_event(holder.context(), seen, Event.RENEW))
            assert reap(observer, "main", leases=True).done == 0
    assert job(other, name)["state"] == "claimed"
    assert reaped(other, "returned")[0]["id"] == name, "and once it is silent, it is dead"


@pytest.mark.parametrize("off_ms", [100 * HOUR_MS, -100 * HOUR_MS])
def test_the_times_in_records_decide_nothing(tmp_path: Path, off_ms: int) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    name = claimed(clone, ttl_s=300, off_ms=off_ms)
    clone.orch("reap")
    assert clone.orch("reap", "--json").json()["data"]["returned"] == []
    assert job(clone, name)["state"] == "claimed"
    dead = claimed(clone, ttl_s=1, off_ms=off_ms)
    assert reaped(clone, "returned")[0]["id"] == dead


def test_the_slot_of_a_dead_claim_comes_free_with_it(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    claimed(clone, slot=1)
    reaped(clone, "returned")
    assert slot(clone).held is False
    name = claimed(clone, slot=1)
    assert slot(clone).job == name


@pytest.mark.unguarded
def test_a_slot_that_no_claim_has_comes_free_after_a_while(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "orch.workerTTL", "1")
    holder = claimed(clone, slot=2, ttl_s=300)
    with world_of(clone) as world:
        lost = Slot(number=1, held=True, job=JobId("nobody"), token="ab" * 20, updated_ms=0)
        do(world, Plan((slot_update(world.context(), None, lost, "take"),), "damage"))
    assert clone.orch("reap", "--json").json()["data"]["slots"] == []
    assert reaped(clone, "slots") == [1]
    assert slot(clone, 1).held is False and slot(clone, 2).job == holder


@pytest.mark.unguarded
def test_a_job_whose_attempts_are_used_up_is_failed(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    clone.git("config", "orch.maxAttempts", "2")
    name = claimed(clone, times=2)
    back = reaped(clone, "returned")[0]
    assert (back["id"], back["state"]) == (name, "failed")
    assert str(back["reason"]).endswith("(attempts used up)")


def test_the_lease_of_a_dead_holder_comes_free(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    for here in (clone, other):
        here.git("config", "orch.leaseTTL", "1")
    clone.orch("lease", "acquire", "main", "--holder", "somebody")
    assert other.orch("reap", "--json").json()["data"]["leases"] == []
    assert reaped(other, "leases")[0]["holder"] == "somebody"
    assert (lease(other)["state"], lease(other)["epoch"]) == ("free", 1)
    subject = other.git("log", "-1", "--format=%B", "refs/orch-remotes/origin/state/leases/main")
    assert "break" in subject and "nothing was heard of its holder somebody" in subject


def submitted(tmp_path: Path) -> tuple[Remote, Clone]:
    """Two submitted jobs; main moved since."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    for name in ("one", "two"):
        clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Add {name}")
        clone.orch("submit", name, "--id", name)
    clone.commit({"src/m.txt": "call base\n"}, "main moves")
    clone.push("main")
    return remote, clone


def merge(clone: Clone, branch: str) -> None:
    """What a person does by hand."""
    clone.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
    clone.push("main")


def test_a_job_that_somebody_merged_by_hand_is_done(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    merge(clone, "one")
    data = clone.orch("reap", "--json").json()["data"]
    assert [found["id"] for found in data["landed"]] == ["one"]
    assert jobs(clone)["one"]["landed"] == clone.git("rev-parse", "one")
    assert jobs(clone)["two"]["state"] == "submitted"
    assert len(steps(remote.path)) == 4, "nothing lands twice (I2)"


def test_a_job_whose_changes_were_picked_by_hand_is_done(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    clone.git("cherry-pick", "one")
    clone.push("main")
    assert [found["id"] for found in clone.orch("reap", "--json").json()["data"]["landed"]] == ["one"]
    assert jobs(clone)["one"]["landed"] == remote.tip()


def test_a_job_in_rework_that_landed_meanwhile_is_done(tmp_path: Path) -> None:
    _remote, clone = submitted(tmp_path)
    clone.branch("red", {"src/red.txt": "call nothing\n"}, "Red")
    clone.orch("submit", "red", "--id", "red")
    clone.orch("land", "red", check=15)
    merge(clone, "red")
    assert [found["id"] for found in clone.orch("reap", "--json").json()["data"]["landed"]] == ["red"]
    assert jobs(clone)["red"]["state"] == "done"
    assert "red" in clone.orch("log", "red").out


def test_a_landing_that_is_on_record_is_found_where_later_work_hides_it(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path)
    before = remote.refs("refs/orch/jobs/")["refs/orch/jobs/one"]
    landed = clone.orch("land", "one", "--json").json()["data"]["landed"]
    clone.git("pull", "-q", "origin", "main")
    clone.commit({"src/one.txt": "call old\n"}, "Change it again")
    clone.push("main")
    remote.git("update-ref", "refs/orch/jobs/one", before)  # as a restoration from an old clone leaves it
    assert clone.orch("reap", "--json").json()["data"]["landed"][0]["landed"] == landed
    assert jobs(clone)["two"]["state"] == "submitted"


def test_what_waits_is_finished_after_what_it_waits_for(tmp_path: Path) -> None:
    _remote, clone = submitted(tmp_path)
    clone.branch("a-three", {"src/three.txt": "call base\n"}, "Three", start="two")
    clone.orch("submit", "a-three", "--id", "a-three", "--after", "two")
    clone.branch("four", {"src/four.txt": "call base\n"}, "Four")
    clone.orch("submit", "four", "--id", "four", "--after", "one")
    merge(clone, "a-three")
    merge(clone, "four")
    data = clone.orch("reap", "--json").json()["data"]
    assert [found["id"] for found in data["landed"]] == ["two", "a-three"], "I6: `four` waits for `one`"
    assert jobs(clone)["four"]["state"] == "submitted"


def test_a_submitted_job_whose_target_is_gone_goes_to_rework(tmp_path: Path) -> None:
    _remote, clone = submitted(tmp_path)
    clone.push("main:refs/heads/release")
    clone.branch("fix", {"src/fix.txt": "call base\n"}, "Fix")
    clone.orch("submit", "fix", "--id", "fix", "--target", "release")
    clone.push("--delete", "release")
    data = clone.orch("reap", "--json").json()["data"]
    assert [(found["id"], found["state"]) for found in data["rework"]] == [("fix", "rework")]
    assert "its target release is not on the remote any more" in data["rework"][0]["reason"]
    clone.push("main:refs/heads/release")
    clone.orch("retry", "fix")
    assert jobs(clone)["fix"]["state"] == "submitted"


@pytest.mark.parametrize("how", [("land", "one"), ("land", "--all")])
def test_a_lander_returns_dead_claims_in_passing(tmp_path: Path, how: tuple[str, str]) -> None:
    _remote, clone = submitted(tmp_path)
    name = claimed(clone)
    with world_of(clone) as world:

        def dead() -> bool:
            found = world.store.observe().jobs[JobId(name)]
            return world.memory.unchanged_s(world.namespace.job(JobId(name)), found.oid) > 1.3

        eventually(dead, "the claim is dead")
    run = clone.orch(*how)
    assert f"{name} is queued again: nothing was heard of worker w" in run.err
    assert job(clone, name)["state"] == "queued"


def test_many_reapers_return_each_claim_once(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clones = [remote.clone(name) for name in ("a", "b", "c")]
    names = [claimed(clones[0]) for _ in range(6)]
    runs = [clone.start_orch("reap", "--wait", "--json") for clone in clones]
    returned = [found["id"] for run in runs for found in run.wait().json()["data"]["returned"]]
    assert sorted(returned) == sorted(names)
    assert {job(clones[0], name)["attempt"] for name in names} == {1}


def test_a_remote_that_says_no_is_reported_and_everything_is_tried(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    name, stuck = claimed(clone), claimed(clone, job=None)
    remote.hook("update", f'case "$1" in */{stuck}) echo "not this one"; exit 1;; esac\n')
    returned: list[str] = []

    def refused() -> bool:
        document = clone.orch("reap", "--json", check=None).json()
        returned.extend(found["id"] for found in document["data"]["returned"])
        return not document["ok"] and document["error"]["code"] == "refused"

    eventually(refused, "the remote refuses one of them")
    eventually(lambda: returned or refused(), "the other is returned")
    assert returned == [name]


def test_nothing_to_return_costs_one_fetch(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    trace = tmp_path / "trace"
    assert clone.orch("reap", env={"ORCH_TEST_TRACE": str(trace)}).out == "nothing is to be returned\n"
    said = trace.read_text()
    assert said.count("before git fetch") == 1 and "git push" not in said


def slot(clone: Clone, number: int = 1) -> Slot:
    with world_of(clone) as world:
        return world.store.observe().slots[number].record
