"""What tests start warm (see tests/warm.py) is the same as what people start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.git.landing import add_branches, project
from tests.support import Clone
from tests.warm import Forked, warm_start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm starts are for Linux")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone with a branch of two commits and a job for it."""
    clone = project(tmp_path).clone("a")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    return clone


def warm(clone: Clone, *args: str, stdin: bool = False) -> Forked:
    started = warm_start(list(args), clone.path, dict(os.environ), stdin)
    assert started is not None
    return started


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "list --json",
        "show nothing",
        "nonsense",
        "land --nonsense",
        "--version",
        "help land",
        "log b1",
        "",
        "-h",
    ],
)
def test_it_says_and_ends_like_a_start_of_its_own(clone: Clone, words: str) -> None:
    argv = [sys.executable, "-m", "gitorch", *words.split()]
    plain = subprocess.run(argv, cwd=clone.path, capture_output=True, check=False)
    started = warm(clone, *words.split())
    out, err = started.communicate(30)
    assert (started.returncode, err) == (plain.returncode, plain.stderr)
    assert _timeless(out) == _timeless(plain.stdout)


def _timeless(text: bytes) -> bytes:
    """Without the ages, which a second may change."""
    return b" ".join(word for word in text.split() if not word.rstrip(b"s,.").isdigit())


def test_it_reads_its_input_and_dies_of_signals_like_any(clone: Clone) -> None:
    fed = warm(clone, "add", "One", "--id", "one", "--body", "-", stdin=True)
    assert fed.stdin is not None
    fed.stdin.write(b"what is to be done\n")
    fed.stdin.close()
    assert fed.communicate(30)[0] and fed.returncode == 0
    assert "what is to be done" in clone.orch("show", "one").out
    asleep = warm(clone, "add", "Two", "--body", "-", stdin=True)
    assert os.getpgid(asleep.pid) == asleep.pid and asleep.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        asleep.wait(0.05)
    os.killpg(asleep.pid, signal.SIGKILL)
    asleep.communicate(30)
    assert asleep.poll() == -signal.SIGKILL


def test_the_points_of_a_crash_are_those_of_the_start_and_not_of_the_process_that_forks(clone: Clone) -> None:
    killed = warm_start(["add", "One", "--id", "one"], clone.path, {**os.environ, "ORCH_TEST_KILL": "3"}, False)
    assert killed is not None
    killed.communicate(30)
    assert killed.poll() == -signal.SIGKILL
    assert clone.orch("add", "Two", "--id", "two").status == 0


def test_what_would_change_the_imports_is_started_anew(clone: Clone) -> None:
    for name in ("PYTHONUTF8", "LC_ALL", "HOME", "ORCH_TEST_OTHER"):
        assert warm_start(["status"], clone.path, {**os.environ, name: "1"}, False) is None
