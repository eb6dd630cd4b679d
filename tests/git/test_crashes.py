"""`kill -9` of the whole process group at every step that writes, and at random moments. Whatever was begun, the next
command of anybody finishes it or takes it back: nothing lands twice, nothing is lost, no lease stays held, no person is
needed (I2, I3, I7).

The steps are enumerated by a traced run, not listed by hand. By default the moments after every eighth step that writes
are tried, with the same clone or another one going on in turn; with ORCH_KILL_ALL=1 (`make kill-steps`) every step is
tried both ways, reading ones too, and the random part is longer.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.git.landing import jobs, landed_jobs, lease, project, steps
from tests.support import Clone, Remote, eventually, git

THOROUGH = bool(os.environ.get("ORCH_KILL_ALL"))
PARTS = 2 if not THOROUGH else 8
"""Each command's steps are spread over so many tests, so that they run in parallel."""


def scenario(tmp_path: Path) -> tuple[Remote, Clone, Clone]:
    """A remote on which main has moved past b1 and b2; b1 is submitted. Leases live for a second."""
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    for clone in (a, b):
        clone.git("config", "orch.leaseTTL", "1")
        clone.git("config", "orch.pollInterval", "1")
    a.branch("b1", {"src/b1.txt": "call base\n"}, "Add b1")
    a.branch("b2", {"src/b2.txt": "call base\n"}, "Add b2")
    a.branch("red", {"src/red.txt": "call nothing\n"}, "Call nothing")
    a.branch("clash", {"shared.txt": "one\ntwo by clash\nthree\n"}, "Clash")
    a.commit({"shared.txt": "one\ntwo by main\nthree\n"}, "main moves")
    a.push("main")
    a.orch("submit", "b1", "--id", "b1")
    return remote, a, b


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario, made once and copied for each kill."""
    return tmp_path_factory.mktemp("template")


class World:
    """A copy of the scenario."""

    def __init__(self, template: Path, where: Path) -> None:
        if not (template / "remote.git").exists():
            scenario(template)
        shutil.copytree(template, where, symlinks=True)
        self.where = where
        self.remote = Remote(where / "remote.git")
        self.a, self.b = Clone(where / "a"), Clone(where / "b")
        for clone in (self.a, self.b):
            clone.git("remote", "set-url", "origin", str(self.remote.path))

    def remove(self) -> None:
        shutil.rmtree(self.where)


SHARE = 4
"""One step in so many is tried by default: all of them take half an hour on two cores."""

READING = frozenset(
    {
        *("cat-file", "config", "diff-tree", "for-each-ref", "log", "ls-files", "merge-base", "rev-list", "rev-parse"),
        *("show-ref", "status", "symbolic-ref", "worktree list"),
    }
)
"""Git commands that change nothing."""

COMMANDS = {
    "land": ("land", "b1"),
    "land-red": ("land", "red"),
    "land-clash": ("land", "clash"),
    "land-all": ("land", "--all"),
    "gate": ("gate", "b1"),
    "submit": ("submit", "b2", "--id", "b2"),
    "lease": ("lease", "acquire", "main"),
}


def prepare(world: World, name: str) -> None:
    """What a command needs beforehand."""
    if name in ("land-red", "land-all"):
        world.a.orch("submit", "red", "--id", "red")
    if name in ("land-clash", "land-all"):
        world.a.orch("submit", "clash", "--id", "clash")


def steps_of(template: Path, tmp_path: Path, name: str) -> list[int]:
    """The points of a run of the command at which it is to be killed, by number."""
    world = World(template, tmp_path / "count")
    prepare(world, name)
    trace = tmp_path / "trace"
    world.a.orch(*COMMANDS[name], check=None, env={"ORCH_TEST_TRACE": str(trace)})
    world.remove()
    points = [line.split(" ", 1)[1] for line in trace.read_text().splitlines()]
    assert "after git push" in points, "a command that writes pushes"
    writing = [number for number, point in enumerate(points, 1) if writes(point)]
    # Another offset for each command: together they cover each kind of step.
    return list(range(1, len(points) + 1)) if THOROUGH else writing[list(COMMANDS).index(name) % SHARE :: SHARE]


def writes(point: str) -> bool:
    """Whether something may have changed since the point before. What nobody knows counts as a change."""
    when, _, what = point.partition(" ")
    return when == "after" and what.removeprefix("git ") not in READING


def finish(world: World, name: str, *, same: bool) -> None:
    """The next commands of somebody: nothing special, what anybody would type."""
    clone = world.a if same else world.b
    if name == "submit":
        # A submission that was not acknowledged is repeated by whoever made it.
        world.a.orch("submit", "b2", "--id", "b2", check=None)
    run = clone.orch("land", "--all", "--wait", check=None)
    assert run.status in (0, 10, 14, 15), run.said()


def check(world: World, name: str) -> None:
    """Nothing twice, nothing lost, nothing held."""
    found = {str(job["id"]): job["state"] for job in jobs(world.b).values()}
    expected = {"b1": "done"}
    if name == "submit":
        expected["b2"] = "done"
    if name in ("land-red", "land-all"):
        expected["red"] = "rework"
    if name in ("land-clash", "land-all"):
        expected["clash"] = "rework"
    assert found == expected
    assert lease(world.b)["state"] == "free"
    world.b.git("fetch", "-q")
    landed = landed_jobs(world.b)
    assert sorted(landed) == sorted(job for job, state in expected.items() if state == "done")
    # Two commits were there before: one step of main for each landing, no more and no merges.
    assert len(steps(world.remote.path)) == 2 + len(landed)
    assert world.remote.git("rev-list", "--merges", "main") == ""
    left = [ref for ref in world.remote.refs() if not ref.startswith(("refs/heads/", "refs/notes/"))]
    assert set(left) == {"refs/orch/leases/main", *(f"refs/orch/jobs/{job}" for job in expected)}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_at_any_step_is_healed_by_the_next_command(name: str, part: int, template: Path, tmp_path: Path) -> None:
    moments = steps_of(template, tmp_path, name)
    for turn, step in enumerate(moments[part :: PARTS if THOROUGH else 2 * PARTS]):
        for same in (True, False) if THOROUGH else ((turn + part) % 2 == 0,):
            world = World(template, tmp_path / f"kill-{step}-{same}")
            prepare(world, name)
            killed = world.a.orch(*COMMANDS[name], check=None, env={"ORCH_TEST_KILL": str(step)})
            assert killed.status == -9, f"step {step}: {killed.said()}"
            finish(world, name, same=same)
            check(world, name)
            world.remove()


@pytest.mark.parametrize("seed", range(40 if THOROUGH else 3))
def test_a_kill_at_a_random_moment_is_healed_by_the_next_command(seed: int, template: Path, tmp_path: Path) -> None:
    chance = random.Random(seed)
    world = World(template, tmp_path / "random")
    prepare(world, "land-all")
    started = time.monotonic()
    world.a.orch("land", "--all", "-n")
    one_run_s = time.monotonic() - started
    for _ in range(3):
        running = world.a.start_orch("land", "--all", "--wait")
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(chance.uniform(0.0, 2.5 * one_run_s))
        running.kill()
        running.process.communicate()
    finish(world, "land-all", same=chance.random() < 0.5)
    check(world, "land-all")


def test_a_re_drive_in_the_same_clone_after_a_kill_behind_the_gate_runs_it_no_second_time(
    template: Path, tmp_path: Path
) -> None:
    world = World(template, tmp_path / "w")
    trace, log = tmp_path / "trace", tmp_path / "runs"
    probe = World(template, tmp_path / "probe")
    probe.a.orch("land", "b1", env={"ORCH_TEST_TRACE": str(trace)})
    names = [line.split(" ", 1)[1] for line in trace.read_text().splitlines()]
    step = names.index("after a verdict is remembered") + 1
    world.a.orch("land", "b1", check=-9, env={"ORCH_TEST_KILL": str(step), "GATE_LOG": str(log)})
    assert len(log.read_text().split()) == 1
    landed = world.a.orch("land", "b1", "--json", env={"GATE_LOG": str(log)}).json()["data"]
    assert landed["gate"]["cached"] is True
    assert len(log.read_text().split()) == 1
    check(world, "land")


def test_the_same_worktree_goes_on_at_once_and_does_not_wait_for_its_own_dead_lease(
    template: Path, tmp_path: Path
) -> None:
    world = World(template, tmp_path / "w")
    world.a.git("config", "orch.leaseTTL", "300")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = world.a.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: log.exists() and log.read_text(), "the gate starts")
    running.kill()
    running.process.communicate()
    hold.unlink()
    assert lease(world.b)["state"] == "held"
    world.b.orch("land", "b1", check=11)
    world.a.orch("land", "b1", timeout_s=30)
    check(world, "land")


def test_a_killed_lander_takes_its_gate_with_it(template: Path, tmp_path: Path) -> None:
    world = World(template, tmp_path / "w")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = world.a.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: log.exists() and log.read_text(), "the gate starts")
    running.kill()
    running.process.communicate()

    def gates() -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                environ = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if f"GATE_HOLD={hold}".encode() in environ:
                found.append(entry.name)
        return found

    eventually(lambda: not gates(), "the gate dies with its lander")


def test_an_interrupted_lander_frees_its_lease(template: Path, tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        world = World(template, tmp_path / f"w{int(number)}")
        world.a.git("config", "orch.leaseTTL", "300")
        hold, log = tmp_path / f"hold{int(number)}", tmp_path / f"runs{int(number)}"
        hold.touch()
        running = world.a.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
        eventually(log.exists, "the gate starts")
        running.process.send_signal(number)
        end = running.wait(30)
        assert end.status == 130, end.said()
        assert lease(world.b)["state"] == "free"
        world.b.orch("land", "b1", env={"GATE_LOG": str(log)})
        check(world, "land")


def test_nothing_of_ours_is_left_behind_in_a_clone_that_was_killed_often(template: Path, tmp_path: Path) -> None:
    world = World(template, tmp_path / "w")
    points = steps_of(template, tmp_path, "land")
    for step in points[:: max(1, len(points) // 6)]:
        world.a.orch("land", "b1", check=None, env={"ORCH_TEST_KILL": str(step)})
    world.a.orch("land", "--all", "--wait", check=None)
    check(world, "land")
    assert git(world.a.path, "status", "--porcelain") == ""
    assert git(world.a.path, "fsck", "--no-dangling", "--no-progress") == ""
    locks = [path for path in (world.a.path / ".git").rglob("*.lock") if "orch" not in path.parts]
    assert locks == []
