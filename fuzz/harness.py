"""Runs subjects over numbered inputs on all cores. The input of a number is always the same: seed, subject and number
give it again, and `replay` shows it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
import traceback
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random
from types import FrameType

from fuzz.mutate import mutated
from fuzz.readers import Judge, Subject, core_subjects
from fuzz.surroundings import scratch, surrounding_subjects

POOL = 300
CHUNK = 5_000
INPUT_LIMIT_S = 5.0
"""Processor time that REARM inputs may take together: an alarm for each would cost as much as most of them."""

REARM = 64

SLOW_S = 1.0
"""Processor time above which an input is a finding: the longest are some ten thousand bytes, and what takes the square
of that takes longer."""


class TooSlowError(Exception):
    """One input took too long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke a promise."""

    subject: str
    seed: int
    number: int
    data: bytes
    problem: str

    def text(self) -> str:
        shown = repr(self.data) if len(self.data) <= 1_000 else f"{self.data[:1_000]!r}... ({len(self.data)} bytes)"
        replay = f"python -m fuzz --seed {self.seed} --only {self.subject} --replay {self.number}"
        return f"FOUND in {self.subject}:\n{self.problem}\ninput: {shown}\nreplay: {replay}\n"


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one subject."""

    inputs: int = 0
    read: int = 0
    slowest_s: float = 0.0
    spent_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.read += other.read
        self.spent_s += other.spent_s
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.findings += other.findings


@cache
def subjects() -> dict[str, Subject]:
    """All of them, by name."""
    return {subject.name: subject for subject in (*core_subjects(), *surrounding_subjects())}


@cache
def _pool(name: str, seed: int) -> tuple[bytes, ...]:
    """The valid inputs that those of one run are made of."""
    random = Random(f"{seed} {name}")
    return tuple(subjects()[name].seed(random) for _ in range(POOL))


def input_of(name: str, seed: int, number: int, random: Random | None = None) -> bytes:
    """The input of a number."""
    random = random or Random()
    random.seed(zlib.crc32(name.encode()) << 96 | seed << 48 | number)
    return mutated(random, _pool(name, seed))


def run_chunk(name: str, seed: int, numbers: range) -> Tally:
    """Judge the inputs of these numbers; ends at the first finding."""
    tally, random, judge = Tally(), Random(), subjects()[name].judge
    begun_s = time.process_time()
    with _alarm():
        for number in numbers:
            data = input_of(name, seed, number, random)
            started_s = time.perf_counter()
            if number % REARM == 0 or number == numbers.start:
                _set_alarm(INPUT_LIMIT_S)
            try:
                tally.read += judge(data)
            except Exception as problem:
                said = "".join(traceback.format_exception(problem, limit=-6))
                tally.findings.append(Finding(name, seed, number, data, said))
                break
            finally:
                tally.inputs += 1
                took_s = time.perf_counter() - started_s
                tally.slowest_s = max(tally.slowest_s, took_s)
            if took_s > SLOW_S and (took_s := _processor_s(judge, data)) > SLOW_S:
                tally.findings.append(Finding(name, seed, number, data, f"it took {took_s:.2f} s"))
                break
    tally.spent_s = time.process_time() - begun_s
    return tally


def _processor_s(judge: Judge, data: bytes) -> float:
    """How long an input really takes: a clock on the wall also counts what other processes do."""
    _set_alarm(0.0)
    begun_s = time.process_time()
    judge(data)
    return time.process_time() - begun_s


def _set_alarm(seconds: float) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)


@contextmanager
def _alarm() -> Iterator[None]:
    """Processor time that runs out raises TooSlowError; only in a main thread, elsewhere there are no signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def rings(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"an input took more than {INPUT_LIMIT_S} s")

    before = signal.signal(signal.SIGVTALRM, rings)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def shares(count: int, only: Sequence[str]) -> dict[str, int]:
    """How many inputs each subject gets of `count`, by weight."""
    chosen = [subjects()[name] for name in only or subjects()]
    weights = sum(subject.weight for subject in chosen)
    return {subject.name: max(1, count * subject.weight // weights) for subject in chosen}


def chunks(count: int, seed: int, only: Sequence[str]) -> list[tuple[str, int, range]]:
    """The work, in pieces that take turns: an early end has seen something of everything."""
    pieces = [
        (start, name, range(start, min(total, start + CHUNK)))
        for name, total in shares(count, only).items()
        for start in range(0, total, CHUNK)
    ]
    return [(name, seed, numbers) for _, name, numbers in sorted(pieces, key=lambda piece: piece[0])]


def _run(piece: tuple[str, int, range]) -> tuple[str, Tally]:
    return piece[0], run_chunk(*piece)


def run(count: int, seed: int, only: Sequence[str] = (), processes: int = 1) -> dict[str, Tally]:
    """Judge `count` inputs, or as many as there are before the first finding."""
    tallies = {name: Tally() for name in only or subjects()}
    work = chunks(count, seed, only)
    with scratch():
        if processes == 1:
            _gather(map(_run, work), tallies)
        else:
            with multiprocessing.get_context("fork").Pool(processes) as pool:
                _gather(pool.imap_unordered(_run, work), tallies)
    return tallies


def _gather(results: Iterator[tuple[str, Tally]], tallies: dict[str, Tally]) -> None:
    for name, tally in results:
        tallies[name].add(tally)
        if tally.findings:
            return
