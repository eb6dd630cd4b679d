"""`python -m sim`: many seeds on all cores, or one seed again.

A seed decides everything: who acts, what goes wrong, in which order. So a failure is a number; `--seed NUMBER` shows it
again, with what was said and done last.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from sim.town import Failure, Report, Town, run_seed

STEPS = 8_000
"""Steps of trouble in one seed; calming down afterwards takes some thousands more."""


def main(words: list[str] | None = None) -> int:
    """Run what was asked for. Returns the exit status: 1 when a promise was broken."""
    options = _parser().parse_args(words)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of what a seed decides.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "sim", *(sys.argv[1:] if words is None else words)])
    if options.seed is not None:
        return replay(options.seed, options.steps)
    seeds = range(options.first, options.first + options.seeds)
    return run_many(seeds, options.steps, options.jobs, stop=options.stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone, and show what happened")
    parser.add_argument("--seeds", type=int, default=60, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of trouble in each")
    parser.add_argument("--stop", action="store_true", help="stop at the first seed that fails")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser


def run_many(seeds: Iterable[int], steps: int, jobs: int, *, stop: bool = False) -> int:
    """Many seeds, and a summary; with `stop`, no further than the first that fails."""
    began_s = time.monotonic()
    total, failures, states = Counter[str](), list[Failure](), Counter[str]()
    for done in _results(seeds, steps, jobs):
        if isinstance(done, Failure):
            failures.append(done)
            print(f"seed {done.seed}: {done.what}\n  again: make sim SEED={done.seed} STEPS={steps}", flush=True)
            if stop:
                break
            continue
        total.update(seeds=1, steps=done.steps, changes=done.changes, killed=done.killed, hours=int(done.virtual_s))
        states.update(done.jobs)
    minutes = (time.monotonic() - began_s) / 60
    print(
        f"{total['seeds']} seeds, {total['steps']:,} steps ({total['steps'] / minutes:,.0f} a minute), "
        f"{total['changes']:,} changes checked, {total['killed']:,} processes killed, "
        f"{total['hours'] / 3600:,.0f} virtual hours"
    )
    print("jobs: " + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items())))
    if failures:
        print(f"{len(failures)} seeds broke a promise: {', '.join(str(failure.seed) for failure in failures)}")
    return 1 if failures else 0


def _results(seeds: Iterable[int], steps: int, jobs: int) -> Iterator[Report | Failure]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[Report | Failure]] = [pool.submit(run_seed, seed, steps) for seed in seeds]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def replay(seed: int, steps: int) -> int:
    """One seed with all that is known about it."""
    town = Town(seed)
    try:
        report = town.live(steps)
    except Exception as problem:
        traceback.print_exc()
        print(f"\nthe last changes before {town.kernel.now_s:.3f} s, step {town.kernel.steps:,}:")
        for change in list(town.remote.past)[-25:]:
            by = change.by.name if change.by is not None else "by hand"
            names = ", ".join(sorted(change.after))
            print(f"  {change.at_s:10.3f} {by}: {change.plan.reason if change.plan else names}")
        print("\nwhat was said last:")
        for clone in town.clones:
            for line in clone.said[-8:]:
                print(f"  {clone.name}: {line}")
        print(f"\n{type(problem).__name__}: {problem}")
        return 1
    print(f"seed {seed}: {report.steps:,} steps, {report.changes:,} changes, {report.virtual_s:,.0f} virtual seconds")
    print(f"jobs: {dict(report.jobs)}; killed: {report.killed}; trace {report.trace}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
