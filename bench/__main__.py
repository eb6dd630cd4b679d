"""`make bench`: prints ratios. Machines are noisy: rounds are interleaved and the median counts; below x1.15 a
difference means nothing. `make bench PART=claims` runs one part."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.claims import claiming
from bench.hooks import guarding
from bench.measure import PROGRAM, interleaved, report, timed
from bench.scale import adding_and_looking, pushing_beside_the_archive
from bench.workload import make, run

HERE = Path(__file__).parent
BRANCHES = 20
ROUNDS = 5
START_ROUNDS = 40


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


PARTS: dict[str, Callable[[Path], None]] = {
    "start": start_up,
    "land": landing,
    "one": one_landing,
    "claims": claiming,
    "many": adding_and_looking,
    "archive": pushing_beside_the_archive,
    "hooks": guarding,
}


def main() -> None:
    """The parts that are named, or all, in a directory that is removed afterwards."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        sys.exit(f"no part {unknown[0]}: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="git-orch-bench-") as folder:
        where = Path(folder)
        print(f"{run(where, 'git', 'version')}, Python {sys.version.split()[0]}")
        for name in wanted:
            PARTS[name](where)


if __name__ == "__main__":
    main()
