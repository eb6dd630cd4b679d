"""`make fuzz-hook`: pushes that nobody thought of, judged by the shell and by Python. Where one takes what the other
refuses, one of them is wrong.

A push begins as one of the vectors of tests/hooks. Then the message, the parents or the tree of something that it
brings are damaged, its parts are dropped, doubled in another place or exchanged, and what the client says of the old
values. The push of a number is always the same: seed and number give it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import pygit2

from fuzz.mutate import mutated
from gitorch.core.admission import Change
from gitorch.core.model import Oid
from tests.hooks import test_vectors
from tests.hooks.vectors import VECTORS
from tests.hooks.world import World

COUNT = 4_000
SHELL = "dash"
assert test_vectors, "which registers all vectors"

_folder: Path | None = None


@dataclass(frozen=True)
class Difference:
    """A push on which the two do not agree."""

    number: int
    vector: str
    python: str
    shell: str
    changes: tuple[Change, ...]

    def text(self, seed: int) -> str:
        lines = "".join(f"  {change.old} {change.new} {change.ref!r}\n" for change in self.changes)
        replay = f"replay: python -m fuzz.hook --seed {seed} --only {self.number}"
        said = f"python {self.python or 'takes it'}, {SHELL} {self.shell or 'takes it'}"
        return f"number {self.number}, from {self.vector}: {said}\n{lines}{replay}\n"


def _scratch() -> Path:
    global _folder  # one for each process
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="orch-fuzz-hook-"))
    return _folder


@cache
def _world(index: int) -> World:
    world = World(_scratch() / f"{index}.git")
    VECTORS[index].build(world)
    return world


def _raw(world: World, oid: Oid) -> tuple[int, bytes]:
    kind, data = world.repo.odb.read(oid)
    return int(kind), data


def _is_there(world: World, oid: Oid) -> bool:
    return pygit2.Oid(hex=oid) in world.repo.odb


def damaged(world: World, oid: Oid, random: Random, pool: list[bytes]) -> Oid:
    """Another object like this one."""
    kind, data = _raw(world, oid)
    head, blank, message = data.partition(b"\n\n")
    choice = random.random()
    if kind != 1 or choice < 0.1:
        data = mutated(random, [data, *pool])
    elif choice < 0.8:
        data = head + blank + mutated(random, [message, *pool] if random.random() < 0.2 else [message])
    else:
        lines = head.split(b"\n")
        parents = [line for line in lines if line.startswith(b"parent ")]
        others = [line for line in lines if not line.startswith(b"parent ")]
        random.shuffle(parents)
        parents = parents[random.randint(0, 1) :] + parents[: random.randint(0, 1)]
        data = b"\n".join([others[0], *parents, *others[1:]]) + blank + message
    try:
        return world.write(kind, data)
    except Exception:  # libgit2 refuses to write what is no object of that kind
        return oid


def push_of(number: int, seed: int) -> tuple[World, str, list[Change]]:
    """The world and the push of a number."""
    random = Random(seed << 32 | number)
    index = random.randrange(len(VECTORS))
    world = _world(index)
    changes = list(world.changes)
    known = [change.new for change in changes if change.new is not None and _is_there(world, change.new)]
    pool = [_raw(world, oid)[1].partition(b"\n\n")[2] for oid in known]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(changes))
        change, what = changes[at], random.random()
        if what < 0.7 and change.new is not None and _is_there(world, change.new):
            changes[at] = replace(change, new=damaged(world, change.new, random, pool))
        elif what < 0.78 and len(changes) > 1:
            del changes[at]
        elif what < 0.86:
            other = random.choice(changes)
            changes[at] = replace(change, new=other.new)
        elif what < 0.92:
            changes[at] = replace(change, new=random.choice((None, world.root, world.empty, change.old)))
        else:
            changes[at] = replace(change, old=random.choice((None, world.root, change.new)))
    # Git itself stops what changes nothing, and what is neither there nor to come.
    return world, VECTORS[index].name, [c for c in changes if c.old != c.new]


def judge(number: int, seed: int) -> tuple[str, Difference | None]:
    """The word of the refusal, and a difference where there is one."""
    world, name, changes = push_of(number, seed)
    if not changes:
        return "", None
    kept, world.changes = world.changes, changes
    try:
        refusal = world.python()
        python, shell = refusal.code if refusal else "", world.shell(SHELL)
    finally:
        world.changes = kept
    differs = bool(python) != bool(shell)
    return python, Difference(number, name, python, shell, tuple(changes)) if differs else None


def _piece(task: tuple[range, int]) -> tuple[dict[str, int], list[Difference]]:
    words: dict[str, int] = {}
    found: list[Difference] = []
    try:
        for number in task[0]:
            try:
                word, difference = judge(number, task[1])
            except Exception:
                # Not itself: errors of libgit2 do not pass from one process to another.
                raise RuntimeError(f"number {number}: {traceback.format_exc()}") from None
            words[word] = words.get(word, 0) + 1
            if difference is not None:
                found.append(difference)
    finally:
        shutil.rmtree(_scratch(), ignore_errors=True)
        _forget()
    return words, found


def _forget() -> None:
    global _folder
    _folder = None
    _world.cache_clear()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.hook", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, help="the push of one number")
    options = parser.parse_args()
    begun_s = time.monotonic()
    if options.only is not None:
        results = [_piece((range(options.only, options.only + 1), options.seed))]
    else:
        size = max(1, options.count // (options.processes * 4))
        tasks = [(range(at, min(at + size, options.count)), options.seed) for at in range(0, options.count, size)]
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            results = pool.map(_piece, tasks, chunksize=1)
    words: dict[str, int] = {}
    for counted, _ in results:
        words = {word: words.get(word, 0) + counted.get(word, 0) for word in {*words, *counted}}
    found = [difference for _, differences in results for difference in differences]
    total, taken = sum(words.values()), words.pop("", 0)
    print(
        f"{total} pushes, seed {options.seed}, {time.monotonic() - begun_s:.0f} s:"
        f" {taken} taken, {total - taken} refused"
    )
    print(", ".join(f"{word} {number}" for word, number in sorted(words.items(), key=lambda row: -row[1])))
    for difference in found[:20]:
        print(difference.text(options.seed))
    print(f"{len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
