"""Kill clients at every kind of effect and at random moments, and the server's receive-pack before, in and after its
transaction. After each kill the next command of somebody heals, nothing is lost, nothing is there twice.

`python -m kills [--kills N] [--seed S] [--kind path|ssh]`
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from math import ceil
from multiprocessing import get_context

from kills.killing import share
from kills.world import KINDS

WEIGHTS = {"path": 3, "ssh": 2}


def main(words: list[str]) -> int:
    """Kill as often as asked. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 1))
    options = parser.parse_args(words)
    kinds = options.kind or sorted(KINDS)
    # Most of a kill is waiting, for a lease to die and for a lock to be believed: more at once than there are cores.
    shares = [(kind, options.seed * 1_000 + part) for part in range(-(-options.jobs // len(kinds))) for kind in kinds]
    # Over ssh each takes several times as long.
    weight = {kind: WEIGHTS[kind] / sum(WEIGHTS[kind] for kind, _ in shares) for kind in kinds}
    counts, faults, began_s = Counter[str](), list[str](), time.monotonic()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        numbers = [ceil(options.kills * weight[kind]) for kind, _ in shares]
        for done, found in pool.map(share, *zip(*shares, strict=True), numbers):
            counts.update(done)
            faults += found
    total = sum(number for what, number in counts.items() if what.startswith("killed "))
    for what, number in sorted(counts.items()):
        print(f"{number:6} {what}")
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    print(f"{total} kills in {time.monotonic() - began_s:.0f} s, {len(faults)} faults")
    return 1 if faults or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
