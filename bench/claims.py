"""1,000 ready jobs and 16 racing claimers: how many pushes are wasted, and how many claims a second against as many
writers of bare `git push` on refs of their own, on the same remote, in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.workload import environment, make, run

JOBS = 1_000
RACERS = 16
ROUNDS = 2
EACH = 12


def race(what: str, clones: list[Path], count: int) -> tuple[float, int, int]:
    """All at once: wall time in seconds from the start of all to the end of the last, what was done, what was lost."""
    argv = [sys.executable, "-m", "bench.racer", what]
    children = [
        subprocess.Popen(
            [*argv, str(clone), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for clone in clones
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n", f"{what}: a racer did not start"
    started = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    found = [json.loads(child.communicate()[0]) for child in children]
    elapsed_s = time.perf_counter() - started
    return elapsed_s, sum(one["done"] for one in found), sum(one["lost"] for one in found)


def claiming(where: Path) -> None:
    """Rounds of claims and of pushes in turn, until a good half of the jobs is claimed."""
    seat = make(where / "claims", 1)
    remote = seat.parent / "remote.git"
    fill(seat, JOBS)
    clones = []
    for number in range(RACERS):
        clone = where / "claims" / f"w{number:02d}"
        run(where, "git", "clone", "-q", str(remote), str(clone))
        run(clone, "git", "config", "gc.auto", "0")
        clones.append(clone)
    claims: list[tuple[float, int, int]] = []
    pushes: list[tuple[float, int, int]] = []
    race("push", clones, 1)  # so that the refs of the writers are there from the first round on
    for _ in range(ROUNDS):
        claims.append(race("claim", clones, EACH))
        pushes.append(race("push", clones, EACH))
    held = run(remote, "git", "for-each-ref", "refs/orch/jobs", "--format=%(subject)").count("claim: ")
    won, lost = (sum(one[at] for one in claims) for at in (1, 2))
    assert held == won == ROUNDS * EACH * RACERS, f"{won} claims were won and {held} jobs are claimed"
    rates = [sum(one[1] for one in all_) / sum(one[0] for one in all_) for all_ in (claims, pushes)]
    print(f"\n{JOBS} ready jobs, {RACERS} racing claimers, {won} claims in {ROUNDS} rounds")
    print(f"  pushes of claims that were lost     {100 * lost / (won + lost):8.1f} %   (aim: <= 5)")
    print(f"  claims                              {rates[0]:8.1f} a second")
    print(f"  bare git push, as many writers      {rates[1]:8.1f} a second")
    print(f"  ratio                               {rates[0] / rates[1]:8.2f}     (aim: >= 0.6)")


def fill(clone: Path, jobs: int, prefix: str = "job") -> float:
    """Make jobs from a file, as a program does; milliseconds that it took."""
    lines = "".join(json.dumps({"id": f"{prefix}-{n}", "title": f"Task {n}"}) + "\n" for n in range(jobs))
    path = clone.parent / f"{prefix}.jsonl"
    path.write_text(lines, encoding="utf-8")
    started = time.perf_counter()
    run(clone, str(Path(sys.executable).parent / "git-orch"), "add", "--from", str(path))
    return (time.perf_counter() - started) * 1000
