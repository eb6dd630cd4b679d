"""Measuring: wall times, interleaved rounds, medians and their ratios."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.workload import environment

PROGRAM = Path(sys.executable).parent / "git-orch"


def timed(where: Path, argv: Sequence[str]) -> float:
    """Wall time of a process that must succeed, in milliseconds."""
    started = time.perf_counter()
    done = subprocess.run(
        argv, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), check=False
    )
    elapsed_ms = (time.perf_counter() - started) * 1000
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} failed: {done.stderr.decode('utf-8', 'replace')}")
    return elapsed_ms


def interleaved(rounds: int, cases: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each case once a round, in turn, so that a noisy moment hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            found[name].append(case())
    return found


def report(title: str, found: dict[str, list[float]], base: str, aims: dict[str, float]) -> None:
    """Medians, and their ratio to the base of the same run."""
    print(f"\n{title}")
    reference = statistics.median(found[base])
    for name, values in found.items():
        middle = statistics.median(values)
        aim = f"   (aim: <= {aims[name]:.1f})" if name in aims else ""
        print(
            f"  {name:<34} {middle:9.1f} ms   x{middle / reference:.2f}{aim}"
            f"   range {min(values):.0f}-{max(values):.0f}"
        )
