"""`make fuzz`: prints counts and rates, and the first input that broke a promise; then the exit status is 1.
`make fuzz COUNT=1000000 SEED=7`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import unicodedata

from fuzz.harness import Tally, input_of, run, run_chunk, subjects
from fuzz.surroundings import scratch

COUNT = 5_000_000


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    if options.replay is not None:
        return _replay(options.only[0], options.seed, options.replay)
    python = f"Python {platform.python_version()}, Unicode {unicodedata.unidata_version}"
    print(f"{options.count} inputs, seed {options.seed}, {options.processes} processes, {python}", flush=True)
    begun_s = time.monotonic()
    tallies = run(options.count, options.seed, options.only, options.processes)
    report(tallies, time.monotonic() - begun_s)
    findings = [finding for tally in tallies.values() for finding in tally.findings]
    for finding in findings:
        print(finding.text())
    return 1 if findings else 0


def report(tallies: dict[str, Tally], seconds: float) -> None:
    """A line for each subject, and the sum."""
    print(f"{'subject':14}{'inputs':>10}{'read':>10}{'µs each':>10}{'slowest ms':>12}")
    for name, tally in tallies.items():
        each_us = 1e6 * tally.spent_s / max(1, tally.inputs)
        print(f"{name:14}{tally.inputs:>10}{tally.read:>10}{each_us:>10.0f}{1e3 * tally.slowest_s:>12.1f}")
    total = sum(tally.inputs for tally in tallies.values())
    found = sum(len(tally.findings) for tally in tallies.values())
    print(
        f"{total} inputs in {seconds:.0f} s, {total / max(seconds, 0.001):.0f} a second, {found} findings", flush=True
    )


def _replay(name: str, seed: int, number: int) -> int:
    print(repr(input_of(name, seed, number)))
    with scratch():
        findings = run_chunk(name, seed, range(number, number + 1)).findings
    print(findings[0].problem if findings else "nothing is wrong with it")
    return 1 if findings else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", action="append", default=[], choices=sorted(subjects()))
    parser.add_argument("--replay", type=int, help="the number of one input of the one subject that --only names")
    options = parser.parse_args(argv)
    if options.replay is not None and len(options.only) != 1:
        parser.error("--replay needs exactly one --only")
    return options


if __name__ == "__main__":
    sys.exit(main())
