"""`make bench`: prints ratios. Machines are noisy: rounds are interleaved and the median counts; below x1.15 a
difference means nothing."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.workload import environment, make, run

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).parent / "git-orch"
BRANCHES = 20
ROUNDS = 5
START_ROUNDS = 40


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


def start_up(where: Path) -> None:
    """What a command costs before it does anything."""
    clone = make(where / "start", 1)
    python = sys.executable
    cases: dict[str, Callable[[], float]] = {
        "python -c pass": lambda: timed(clone, [python, "-c", "pass"]),
        "git orch --version": lambda: timed(clone, [str(PROGRAM), "--version"]),
        "git orch --help": lambda: timed(clone, [str(PROGRAM), "--help"]),
        "git orch land --help": lambda: timed(clone, [str(PROGRAM), "land", "-h"]),
        "git orch list": lambda: timed(clone, [str(PROGRAM), "list"]),
    }
    aims = {"git orch --version": 2.0}
    report("start-up, against a bare Python", interleaved(START_ROUNDS, cases), "python -c pass", aims)


def landing(where: Path) -> None:
    """20 independent branches with the gate `true`: handing in, and landing all of them in one process."""
    names = [f"b{i}" for i in range(1, BRANCHES + 1)]
    found: dict[str, list[float]] = {"baseline": [], "git orch land --all": [], "git orch submit (one)": []}
    for number in range(ROUNDS):
        clone = make(where / f"baseline{number}", BRANCHES)
        found["baseline"].append(timed(clone, ["sh", str(HERE / "baseline.sh"), str(clone), "true", *names]))
        require_landed(clone)
        clone = make(where / f"orch{number}", BRANCHES)
        submits = [timed(clone, [str(PROGRAM), "submit", name]) for name in names]
        found["git orch submit (one)"].append(statistics.median(submits))
        found["git orch land --all"].append(timed(clone, [str(PROGRAM), "land", "--all", "--quiet"]))
        require_landed(clone)
        shutil.rmtree(where / f"baseline{number}")
        shutil.rmtree(where / f"orch{number}")
    aims = {"git orch land --all": 1.5}
    report(f"landing {BRANCHES} branches, gate `true`, {ROUNDS} rounds", found, "baseline", aims)


def require_landed(clone: Path) -> None:
    """A benchmark of something that did not happen would be worthless."""
    landed = run(clone.parent / "remote.git", "git", "rev-list", "--count", "main")
    assert landed == str(BRANCHES + 1), f"{landed} commits on main instead of {BRANCHES + 1}"


def one_landing(where: Path) -> None:
    """One branch, a process of its own: what a person waits for."""
    found: dict[str, list[float]] = {"baseline, one branch": [], "git orch land, one branch": []}
    for number in range(ROUNDS * 2):
        clone = make(where / f"one{number}", 2)
        run(clone, "git", "push", "-q", "origin", "b2:main")
        found["baseline, one branch"].append(timed(clone, ["sh", str(HERE / "baseline.sh"), str(clone), "true", "b1"]))
        clone = make(where / f"other{number}", 2)
        run(clone, "git", "push", "-q", "origin", "b2:main")
        run(clone, str(PROGRAM), "submit", "b1")
        found["git orch land, one branch"].append(timed(clone, [str(PROGRAM), "land", "b1", "--quiet"]))
    report("landing one branch", found, "baseline, one branch", {})


def main() -> None:
    """Everything, in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="git-orch-bench-") as folder:
        where = Path(folder)
        print(f"{run(where, 'git', 'version')}, Python {sys.version.split()[0]}")
        start_up(where)
        landing(where)
        one_landing(where)


if __name__ == "__main__":
    main()
