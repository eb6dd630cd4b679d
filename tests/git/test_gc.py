"""Archiving on real git: finished jobs move into one ref, and nobody misses them. A failure here means that a job was
lost, or that refs pile up."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.core.model import JobId, Worker
from gitorch.core.plan_queue import Addition, Claim, plan_add, plan_claim, plan_leave, plan_presence
from gitorch.core.states import Event
from gitorch.core.writes import Plan
from gitorch.engine.exchange import publish
from gitorch.engine.gc import collect
from gitorch.session import open_session
from tests.git.killing import kill_everywhere
from tests.git.landing import project
from tests.support import Clone, Remote, eventually

JOBS = "refs/orch/jobs/"
ARCHIVE = "refs/orch/archive"


def live(job: str) -> str:
    """The ref of a live job."""
    return JOBS + job


def finished(clone: Clone, count: int, *, prefix: str = "job") -> list[str]:
    """Jobs that were added and cancelled, by the engine: a process for each would take a minute."""
    ids = [JobId(f"{prefix}-{number:03}") for number in range(1, count + 1)]
    session = open_session(clone.path, bulk=True)
    world = session.world()
    for at in range(0, count, 50):
        batch = ids[at : at + 50]
        publish(world, plan_add(world.context(), [Addition(id=job, title=f"T {job}", target="main") for job in batch]))
        snapshot, context = world.store.observe(), world.context()
        plans = [plan_leave(context, snapshot, snapshot.jobs[job], Event.CANCEL) for job in batch]
        publish(world, Plan(tuple(update for plan in plans for update in plan.updates), "cancel many"))
    session.close()
    return [str(job) for job in ids]


def test_sixty_finished_jobs_fold_in_two_pushes(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    ids = finished(clone, 60)
    log = tmp_path / "pushes"
    remote.hook("pre-receive", f'wc -l >> "{log}"\n')
    report = clone.orch("gc", "--now", "--json").json()["data"]
    assert report["pushes"] == 2 and report["folded"] == ids
    assert [int(line) for line in log.read_text().split()] == [49, 13]
    assert remote.refs(JOBS) == {}


def test_every_command_still_finds_what_is_archived(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    clone.orch("submit", "two", "--id", "two")
    diary = clone.orch("log", "one").out
    clone.orch("gc", "--now")
    assert live("one") not in remote.refs(JOBS)
    for here in (clone, remote.clone("b")):
        assert here.orch("show", "one", "--json").json()["data"]["state"] == "done"
        assert here.orch("log", "one").out == diary
        assert "landed" in here.orch("why", "one").out
        assert "landed" in here.orch("why", "work").out, "by its branch"
        assert here.orch("land", "one", "--json").json()["data"]["outcome"] == "already"
        assert here.orch("settle", "one").status == 0


def test_what_waits_for_an_archived_job_goes_on(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    clone.orch("gc", "--now")
    for here in (clone, remote.clone("b")):
        name = f"by-{here.path.name}"
        here.branch(name, {f"src/{name}.txt": "call base\n"}, name)
        job = here.orch("submit", name, "--after", "one", "--json").json()["data"]
        assert (job["after"], job["derived"]) == (["one"], "ready")
        assert here.orch("land", name, "--json").json()["data"]["outcome"] == "landed"


def test_a_cancelled_job_blocks_from_the_archive_too(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("first", {"src/first.txt": "call base\n"}, "First")
    clone.branch("second", {"src/second.txt": "call base\n"}, "Second")
    clone.orch("submit", "first", "--id", "first")
    clone.orch("submit", "second", "--id", "second", "--after", "first")
    clone.orch("cancel", "first")
    clone.orch("gc", "--now")
    assert list(remote.refs(JOBS)) == [live("second")]
    for here in (clone, remote.clone("b")):
        assert here.orch("show", "second", "--json").json()["data"]["derived"] == "blocked"
        here.orch("land", "second", check=13)


def test_diaries_and_submitted_commits_stay_reachable(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    head = clone.git("rev-parse", "work")
    clone.branch("gone", {"src/gone.txt": "call base\n"}, "Gone")
    given_up = clone.git("rev-parse", "gone")
    clone.orch("submit", "gone", "--id", "gone")
    clone.orch("cancel", "gone")
    tips = list(remote.refs(JOBS).values())
    clone.orch("gc", "--now")
    clone.push("--delete", "gone", "work")
    remote.git("reflog", "expire", "--expire=now", "--all")
    remote.git("gc", "-q", "--prune=now")
    for commit in (*tips, head, given_up):
        remote.git("cat-file", "-e", commit)
    entry = remote.git(
        "cat-file", "blob", f"{ARCHIVE}:{shard(remote.git('ls-tree', '-r', '--name-only', ARCHIVE), 'gone')}"
    )
    lines = entry.split("\n\n")[0].splitlines()
    assert [line.split(" ", 2)[2] for line in lines[1:]] == [
        "submit: Gone by Carl Committer",
        "cancel: Gone by Carl Committer",
    ]


def test_two_that_fold_at_once_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clones = [remote.clone(name) for name in ("a", "b", "c")]
    ids = finished(clones[0], 60)
    tips = remote.refs(JOBS)
    runs = [clone.start_orch("gc", "--now", "--json") for clone in clones]
    folded = [job for run in runs for job in run.wait().json()["data"]["folded"]]
    assert sorted(folded) == sorted(ids), "I3: each is archived, and by one of them"
    assert remote.refs(JOBS) == {}
    assert archived(remote) == ids
    parents = remote.git("rev-list", "--parents", "--first-parent", ARCHIVE).split()
    assert set(tips.values()) <= set(parents)


def test_what_was_made_a_moment_ago_stays_unless_it_is_to_go_now(tmp_path: Path) -> None:
    """The push that made it may have been thought lost, and come a second time."""
    remote, clone = landed(tmp_path)
    clone.git("config", "--unset", "orch.gcGrace")
    finished(clone, 20)
    clone.orch("submit", "two", "--id", "two")
    clone.orch("land", "two")
    run = clone.orch("gc")
    assert remote.ref(ARCHIVE) is None, "in passing neither"
    assert "22 finished jobs kept for now" in run.out and "hint: git orch gc --now" in run.err
    clone.git("config", "orch.gcGrace", "1")
    eventually(lambda: clone.orch("gc", "--json").json()["data"]["kept"] == 0, "a second has passed")
    assert remote.refs(JOBS) == {} and len(archived(remote)) == 22


def test_a_landing_folds_in_passing_what_nobody_waits_for(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    finished(clone, 17)
    clone.branch("three", {"src/three.txt": "call base\n"}, "Three")
    clone.orch("submit", "two", "--id", "two")
    clone.orch("submit", "three", "--id", "three", "--after", "one")
    clone.orch("land", "two")
    assert remote.ref(ARCHIVE) is None, "nineteen are not worth a push, and `three` waits for `one`"
    finished(clone, 2, prefix="more")
    clone.branch("four", {"src/four.txt": "call base\n"}, "Four")
    clone.orch("submit", "four", "--id", "four")
    clone.orch("land", "four", "--json")
    assert set(remote.refs(JOBS)) == {live("one"), live("three")}
    assert len(archived(remote)) == 21
    clone.orch("gc", "--now")
    assert set(remote.refs(JOBS)) == {live("three")}, "asked for explicitly"


def test_landing_everything_folds_in_passing(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    finished(clone, 20)
    clone.orch("submit", "two", "--id", "two")
    run = clone.orch("land", "--all", "--json")
    assert run.json()["ok"] and remote.refs(JOBS) == {}


@pytest.mark.parametrize("how", [("land", "two"), ("land", "--all")])
def test_a_remote_that_allows_no_deletion_lands_all_the_same(tmp_path: Path, how: tuple[str, str]) -> None:
    remote, clone = landed(tmp_path)
    finished(clone, 20)
    before = set(remote.refs(JOBS))
    remote.hook("update", f'case "$3" in {"0" * 40}) echo "no deletion of $1"; exit 1;; esac\n')
    clone.orch("submit", "two", "--id", "two")
    assert clone.orch(*how, "--json").json()["ok"]
    error = clone.orch("gc", "--now", "--json", check=16).json()["error"]
    assert "does not allow that their refs are deleted" in error["message"]
    assert set(remote.refs(JOBS)) == before | {live("two")} and remote.ref(ARCHIVE) is None


def test_a_fold_that_is_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "orch.gcGrace", "0")
    ids = finished(clone, 3)

    def work() -> None:
        session = open_session(clone.path)
        collect(session.world())
        session.close()

    for step in kill_everywhere(work):
        there = [name.removeprefix(JOBS) for name in remote.refs(JOBS)]
        assert sorted([*there, *archived(remote)]) == ids, f"I3: each job is in exactly one place (step {step})"
        if not there:
            ids = sorted([*ids, *finished(clone, 1, prefix=f"step-{step}")])
    assert archived(remote) == ids


@pytest.mark.unguarded
def test_the_refs_of_workers_that_left_or_died_are_dropped(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    beat(clone, "left", present=False)
    beat(clone, "silent", ttl_s=1)
    beat(clone, "alive", ttl_s=300)
    beat(clone, "busy", ttl_s=1)
    claimed(clone, "busy")
    dropped: list[str] = []

    def collected() -> bool:
        dropped.extend(clone.orch("gc", "--now", "--json").json()["data"]["workers"])
        return len(dropped) >= 2

    eventually(collected, "a worker is silent for three TTLs")
    assert dropped == ["left", "silent"]
    assert set(remote.refs("refs/orch/workers/")) == {"refs/orch/workers/alive", "refs/orch/workers/busy"}


def test_nothing_to_fold_costs_one_fetch(tmp_path: Path) -> None:
    remote, clone = landed(tmp_path)
    clone.orch("gc", "--now")
    before, trace = remote.refs(), tmp_path / "trace"
    assert clone.orch("gc", "--now", env={"ORCH_TEST_TRACE": str(trace)}).out.startswith("nothing")
    said = trace.read_text()
    assert said.count("before git fetch") == 1 and "git push" not in said
    assert remote.refs() == before


# -- helpers


def landed(tmp_path: Path) -> tuple[Remote, Clone]:
    """A remote with the landed job `one` of branch `work`; branch `two` is not submitted yet."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "orch.gcGrace", "0")
    clone.branch("work", {"src/work.txt": "call base\n"}, "Work")
    clone.branch("two", {"src/two.txt": "call base\n"}, "Two")
    clone.orch("submit", "work", "--id", "one")
    clone.orch("land", "one")
    return remote, clone


def archived(remote: Remote) -> list[str]:
    """The ids in the archive, sorted."""
    if remote.ref(ARCHIVE) is None:
        return []
    names = remote.git("ls-tree", "-r", "--name-only", ARCHIVE).splitlines()
    return sorted(name.split("/")[1] for name in names if not name.startswith("by-branch/"))


def shard(names: str, job: str) -> str:
    """The path of a job in the archive."""
    return next(name for name in names.splitlines() if name.endswith(f"/{job}"))


def beat(clone: Clone, name: str, *, present: bool = True, ttl_s: int = 300) -> None:
    """A sign of life of a worker."""
    worker = Worker(id=name, holder="nobody", present=present, capacity=1, ttl_s=ttl_s, since_ms=0, updated_ms=0)
    session = open_session(clone.path)
    world = session.world()
    plan, _ = plan_presence(world.context(), None, worker, "start")
    publish(world, plan)
    session.close()


def claimed(clone: Clone, worker: str) -> None:
    """A job that this worker has claimed."""
    session = open_session(clone.path)
    world = session.world()
    job = JobId("held")
    publish(world, plan_add(world.context(), [Addition(id=job, title="Held", target="main")]))
    snapshot = world.store.observe()
    claim = Claim(worker=worker, token="secret", ttl_s=300, kept=True)
    publish(world, plan_claim(world.context(), snapshot, snapshot.jobs[job], claim))
    session.close()
