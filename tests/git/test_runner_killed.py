"""A lander dies while its gate runs. A failure here leaves a gate that writes into the worktree of the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.git.gates import alive
from tests.support import Clone, eventually, make_alone

ROOT = Path(__file__).parents[2]

# Says who it is and then writes into the worktree for ever.
WRITER = (
    'echo $$ >"$OUT/{name}.part"; mv "$OUT/{name}.part" "$OUT/{name}"; while :; do echo x >>written; sleep 0.01; done'
)


def session_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[3])


def living(session: int) -> list[int]:
    """The live processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if session_of(int(path.name)) == session and alive(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found


@dataclass
class Scene:
    """A repository, a worktree for gates, and lander processes that are dead when the test ends."""

    repo: Clone
    tree: Path
    out: Path
    landers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def number_file(self) -> Path:
        return Path(f"{self.tree}.pgid")

    def land(self, *commands: str, **env: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "tests.git.lander", str(self.tree), str(self.repo.path / ".git")]
        lander = subprocess.Popen(
            [*argv, self.repo.git("rev-parse", "main"), *commands],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OUT": str(self.out), **env},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.landers.append(lander)
        return lander

    def pid(self, name: str) -> int:
        """The process id that the gate wrote, once it has."""
        path = self.out / name
        eventually(path.exists, f"the gate started and wrote {name}")
        return int(path.read_text())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    repo = make_alone(tmp_path)
    tree = tmp_path / "tree"
    repo.git("worktree", "add", "-q", "--detach", str(tree))
    out = tmp_path / "out"
    out.mkdir()
    made = Scene(repo, tree, out)
    yield made
    for lander in made.landers:
        lander.kill()
        lander.communicate()
    for path in out.iterdir():
        if path.name.startswith("pid") and alive(int(path.read_text())):
            os.kill(int(path.read_text()), signal.SIGKILL)


def test_kill_9_of_the_lander_takes_the_gate_and_all_it_started_with_it(scene: Scene) -> None:
    background = f"({WRITER.format(name='pid-background')}) >/dev/null 2>&1 &"
    lander = scene.land(background + WRITER.format(name="pid-main"))
    main = scene.pid("pid-main")
    scene.pid("pid-background")
    session = session_of(main)
    assert int(scene.number_file.read_text()) == session
    lander.kill()
    eventually(lambda: not living(session), "every process of the gate's session is dead")
    size = (scene.tree / "written").stat().st_size
    assert (scene.tree / "written").stat().st_size == size
    # The number stays: whoever opens the worktree next sees that nothing of it lives.
    assert scene.number_file.exists()


def test_kill_9_reaches_a_group_that_the_gate_made(scene: Scene) -> None:
    inner = WRITER.format(name="pid-inner").replace('"', '\\"').replace("$", "\\$")
    lander = scene.land(f'true; timeout 300 sh -c "{inner}"; true')
    inner_pid = scene.pid("pid-inner")
    group = int(Path(f"/proc/{inner_pid}/stat").read_text().rpartition(") ")[2].split()[2])
    session = session_of(inner_pid)
    assert group != session, "timeout made no group of its own, so this test shows nothing"
    lander.kill()
    eventually(lambda: not living(session), "the group that timeout made is dead")


def test_a_gate_that_ignores_every_polite_signal_dies_with_its_lander(scene: Scene) -> None:
    lander = scene.land("trap '' TERM HUP INT; kill -TERM 0; " + WRITER.format(name="pid-main"))
    session = session_of(scene.pid("pid-main"))
    lander.kill()
    eventually(lambda: not living(session), "the gate is dead")


def test_a_stopped_lander_that_is_killed_takes_its_gate_with_it(scene: Scene) -> None:
    lander = scene.land(WRITER.format(name="pid-main"))
    session = session_of(scene.pid("pid-main"))
    lander.send_signal(signal.SIGSTOP)
    lander.kill()
    eventually(lambda: not living(session), "the gate is dead")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_lander_that_is_asked_to_end_stops_its_gate_first(scene: Scene, number: signal.Signals) -> None:
    lander = scene.land(WRITER.format(name="pid-main"))
    session = session_of(scene.pid("pid-main"))
    lander.send_signal(number)
    said, _ = lander.communicate(timeout=20)
    assert said == f"interrupted {number.value}\n"
    assert not living(session)
    assert not scene.number_file.exists()


def test_a_second_signal_during_a_slow_clean_up_ends_the_lander_and_still_the_gate(scene: Scene) -> None:
    slow = "trap '' TERM; " + WRITER.format(name="pid-main")
    lander = scene.land(slow)
    session = session_of(scene.pid("pid-main"))
    lander.send_signal(signal.SIGTERM)
    lander.send_signal(signal.SIGTERM)
    said, _ = lander.communicate(timeout=20)
    assert said == f"interrupted {signal.SIGTERM.value}\n"
    eventually(lambda: not living(session), "the gate is dead")


def test_a_crash_at_any_moment_leaves_no_gate_running(scene: Scene) -> None:
    """Killed at each crash point: the process group of the lander dies, as by `kill -9` of all of it."""
    quick = 'echo $$ >"$OUT/pid.part"; mv "$OUT/pid.part" "$OUT/pid-main"; echo x >>written; sleep 0.05'
    trace = scene.out / "trace"
    assert scene.land(quick, ORCH_TEST_TRACE=str(trace)).communicate(timeout=30)[0] == "green \n"
    points = [line.split(" ", 1)[1] for line in trace.read_text().splitlines()]
    unstarted = ("before log", "after log", "before gate start", "before gate number")
    for point in (*unstarted, "after gate start", "before gate clean-up", "after gate clean-up"):
        assert points.count(point) == 1
    (scene.out / "pid-main").unlink()
    for number, point in enumerate(points, start=1):
        lander = scene.land(quick, ORCH_TEST_KILL=str(number))
        assert lander.wait(30) == -signal.SIGKILL, point
        if scene.number_file.exists():
            session = int(scene.number_file.read_text())
            eventually(lambda session=session: not living(session), f"no gate lives after a crash {point}")  # type: ignore[misc]
            scene.number_file.unlink()
        ran = (scene.out / "pid-main").exists()
        assert not (ran and point in unstarted), point
        (scene.out / "pid-main").unlink(missing_ok=True)


def test_a_disk_that_is_full_for_the_log_costs_the_log_and_not_the_verdict(scene: Scene) -> None:
    """A limit on the size of files stands for the full disk: a write fails in the middle of the run."""
    argv = [sys.executable, "-m", "tests.git.lander", str(scene.tree), str(scene.repo.path / ".git")]
    limited = ["/bin/sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *argv, scene.repo.git("rev-parse", "main")]
    done = subprocess.run(
        [*limited, "head -c 1000000 /dev/zero"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("green \n", "")
    (log,) = (scene.repo.path / ".git" / "orch" / "logs").iterdir()
    assert 0 < log.stat().st_size < 1_000_000
