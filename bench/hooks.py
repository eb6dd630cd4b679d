"""What the server's hooks cost: pushes of ordinary branches, landings, claims; and of every ref of a transaction with
`--strict`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from bench.measure import PROGRAM, interleaved, report, timed
from bench.workload import make, run

PUSH_ROUNDS = 60
LANDINGS = 10


def guarding(where: Path) -> None:
    """The same pushes without hooks, with an empty one, with ours, and with `--strict`."""
    names = ("no hook", "an empty hook", "pre-receive", "pre- and post-receive", "--strict")
    clones = {name: make(where / name, LANDINGS) for name in names}
    for name, clone in clones.items():
        remote = clone.parent / "remote.git"
        if name == "an empty hook":
            (remote / "hooks/pre-receive").write_text("#!/bin/sh\nexit 0\n")
            (remote / "hooks/pre-receive").chmod(0o755)
        elif name != "no hook":
            strict = ("--strict",) if name == "--strict" else ()
            run(clone, str(PROGRAM), "hooks", "install", "--server", str(remote), *strict)
        if name == "pre-receive":
            (remote / "hooks/post-receive").unlink()
    numbers = count()
    aims = {"pre-receive": 1.1}
    for title, refs in (("an ordinary push of one branch", 1), ("an ordinary push of 20 branches", 20)):
        cases = {name: _pushing(clone, refs, numbers) for name, clone in clones.items()}
        report(f"{title}, {PUSH_ROUNDS} rounds", interleaved(PUSH_ROUNDS, cases), "no hook", aims)
    found = interleaved(LANDINGS, {name: _landing(clone, count(1)) for name, clone in clones.items()})
    report(f"landing a branch, {LANDINGS} rounds", found, "no hook", {})
    found = interleaved(LANDINGS, {name: _adding(clone) for name, clone in clones.items()})
    report(f"adding a job, {LANDINGS} rounds", found, "no hook", {})


def _pushing(clone: Path, refs: int, numbers: count[int]) -> Callable[[], float]:
    def push() -> float:
        specs = [f"b1:refs/heads/free{next(numbers)}" for _ in range(refs)]
        return timed(clone, ["git", "push", "-q", "origin", *specs])

    return push


def _landing(clone: Path, numbers: count[int]) -> Callable[[], float]:
    def land() -> float:
        branch = f"b{next(numbers)}"
        run(clone, str(PROGRAM), "submit", branch)
        return timed(clone, [str(PROGRAM), "land", branch, "--quiet"])

    return land


def _adding(clone: Path) -> Callable[[], float]:
    return lambda: timed(clone, [str(PROGRAM), "add", "Work"])
