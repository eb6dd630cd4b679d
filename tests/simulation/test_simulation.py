"""The simulation itself: the same seed does the same, many seeds keep the promises. More of them: `make sim`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sim.kernel import QUIET
from sim.town import Report, Town, run_seed


def replayed(seed: int) -> str:
    """What the command says of one seed, in a process of its own."""
    argv = [sys.executable, "-m", "sim", "--seed", str(seed), "--steps", "1500"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    return done.stdout


def test_a_seed_decides_everything() -> None:
    assert replayed(3) == replayed(3) != replayed(4)


@pytest.mark.parametrize("seed", range(6))
def test_promises_hold_while_everything_goes_wrong(seed: int) -> None:
    report = run_seed(seed, 2_500)
    assert isinstance(report, Report), report
    assert report.changes > 100 and report.jobs.get("done", 0) > 5, "nothing happened: the simulation is too quiet"


def test_in_a_quiet_world_everything_lands() -> None:
    report = Town(1, QUIET).live(2_500)
    assert report.jobs.get("done", 0) > 10
