"""One of many processes that race: `python -m bench.racer claim|push CLONE COUNT`. Says `ready`, waits for a line, does
COUNT claims or pushes, and prints what came of it as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.workload import environment, run


def claims(clone: Path, count: int) -> dict[str, float]:
    """Claim jobs by the Python API, as a program does that keeps its Orch open."""
    from gitorch import Orch
    from gitorch.engine.claims import ClaimEnd

    won = lost = 0
    with Orch.open(clone) as orch:
        # Who it is must differ from round to round no more than workers do: the clone is the worker.
        orch.status()
        begin()
        started = time.perf_counter()
        while won < count:
            result = orch.claim(worker=clone.name)
            lost += result.lost
            if result.end is not ClaimEnd.CLAIMED:
                break
            won += 1
        elapsed_s = time.perf_counter() - started
    return {"done": won, "lost": lost, "seconds": elapsed_s}


def pushes(clone: Path, count: int) -> dict[str, float]:
    """Bare `git push` of one new commit each time, to a ref that is nobody else's."""
    tree = run(clone, "git", "rev-parse", "HEAD^{tree}")
    commits = [run(clone, "git", "commit-tree", "-m", f"{clone.name} {time.time_ns()}", tree) for _ in range(count)]
    begin()
    started = time.perf_counter()
    for commit in commits:
        # A chain of one ref, as a job is: the old value is known, nobody else writes it.
        argv = ["git", "push", "-q", "--force", "origin", f"{commit}:refs/bench/{clone.name}"]
        subprocess.run(argv, cwd=clone, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return {"done": count, "lost": 0, "seconds": time.perf_counter() - started}


def begin() -> None:
    """Wait until all others are ready, too."""
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Race once."""
    what, clone, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps((claims if what == "claim" else pushes)(clone, count)), flush=True)


if __name__ == "__main__":
    main()
