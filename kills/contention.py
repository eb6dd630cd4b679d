"""Sixteen clones at once on one remote: claims, landings, edits, edges and archiving for a minute; then every history
is read from the refs.

`python -m kills.contention [--clones N] [--seconds S] [--seed N] [--prune WHEN]`

Meanwhile the server packs its refs and collects garbage, again and again: with git's own grace of two weeks, or with
another.

An edit and a claim bear a mark that nobody else uses, so each that was acknowledged must be on its job's chain, once,
and where one had ended before the other began, before it: each chain is a linear order that agrees with real time.
`git orch fsck` judges the rest: parents, one event a commit, legal steps, no cycle, no landing without its lease.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from kills.world import SETTINGS, seal
from tests.git.landing import GATE, PROJECT
from tests.support import Clone, GitFailedError, Remote, git, make_remote, try_git

JOBS = 12
SERIAL = Counter[str]()
LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Done:
    """An operation that was acknowledged: its mark is a trailer of its event."""

    job: str
    mark: str
    began_s: float
    ended_s: float


@dataclass(slots=True)
class Crowd:
    """The clones, and what they were told."""

    remote: Remote
    clones: list[Clone]
    done: list[Done] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main(words: list[str]) -> int:
    """Let them all loose, then judge. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kills.contention", description=__doc__)
    parser.add_argument("--clones", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prune", metavar="WHEN", default="2.weeks.ago", help="of the server's git gc")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="contention-") as name:
        folder = Path(name).resolve()
        seal(folder / "home")
        crowd = gather(folder, options.clones)
        let_loose(crowd, options.seconds, options.seed, options.prune)
        judge(crowd)
    for what, number in sorted(crowd.statuses.items()):
        print(f"{number:6} {what}")
    print(f"{len(crowd.done)} acknowledged edits and claims, each on its chain once and in the order of time")
    for fault in crowd.faults[:20]:
        print(f"FAULT {fault}", file=sys.stderr)
    return 1 if crowd.faults or not crowd.done else 0


def gather(folder: Path, clones: int) -> Crowd:
    """A remote with some jobs, and clones of it."""
    remote = make_remote(
        folder, {**PROJECT, ".gitorch": SETTINGS.replace("leaseTTL = 1\n", "leaseTTL = 60\n"), "gate.sh": GATE}
    )
    made = []
    for number in range(clones):
        git(folder, "clone", "-q", str(remote.path), f"c{number}")
        clone = Clone(folder / f"c{number}", remote.ticks)
        clone.git("config", "orch.pollInterval", "1")
        clone.git("config", "gc.auto", "0")
        made.append(clone)
    for number in range(JOBS):
        made[0].orch("add", f"Job {number}", "--id", f"job-{number}")
    return Crowd(remote, made)


def let_loose(crowd: Crowd, seconds: float, seed: int, prune: str) -> None:
    """All clones at once, and the server's keeper, until the time is over."""
    until_s = time.monotonic() + seconds
    threads = [
        threading.Thread(target=busy, args=(crowd, clone, Random(f"{seed} {number}"), until_s))
        for number, clone in enumerate(crowd.clones)
    ]
    threads.append(threading.Thread(target=keep, args=(crowd, prune, until_s)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def keep(crowd: Crowd, prune: str, until_s: float) -> None:
    """What a server does now and then, without a pause. Either may fail where a push holds a lock."""
    while time.monotonic() < until_s:
        for words in (("pack-refs", "--all", "--prune"), ("gc", "--quiet", f"--prune={prune}")):
            run = try_git(crowd.remote.path, *words)
            crowd.statuses[f"server's {words[0]}: {run.status}"] += 1


def busy(crowd: Crowd, clone: Clone, chance: Random, until_s: float) -> None:
    """One clone: one command after the other."""
    while time.monotonic() < until_s:
        try:
            chance.choice(DOINGS)(crowd, clone, chance)
        except AssertionError as problem:
            crowd.faults.append(str(problem)[:500])
            return


def tell(crowd: Crowd, clone: Clone, *words: str) -> int:
    """Run a command; its status must be one that its users know."""
    run = clone.orch(*words, check=None, timeout_s=120)
    crowd.statuses[f"{words[0]}: {run.status}"] += 1
    assert run.status in (0, 2, 10, 11, 12, 13, 14, 15, 17), f"{words}: {run.said()}"
    return run.status


def marked(crowd: Crowd, clone: Clone, job: str, mark: str, *words: str) -> bool:
    """A command whose event bears a mark; remembered when it was acknowledged."""
    began_s = time.monotonic()
    if tell(crowd, clone, *words) != 0:
        return False
    crowd.done.append(Done(job, mark, began_s, time.monotonic()))
    return True


def serial() -> int:
    with LOCK:
        SERIAL["marks"] += 1
        return SERIAL["marks"]


def edits(crowd: Crowd, clone: Clone, chance: Random) -> None:
    job, mark = f"job-{chance.randrange(JOBS)}", serial()
    marked(crowd, clone, job, f"Priority: {mark}", "edit", job, "--priority", str(mark))


def claims(crowd: Crowd, clone: Clone, chance: Random) -> None:
    job, name = f"job-{chance.randrange(JOBS)}", f"w-{serial()}"
    if marked(crowd, clone, job, f"Worker: {name}", "claim", job, "--worker", name):
        tell(crowd, clone, "release", job)


def links(crowd: Crowd, clone: Clone, chance: Random) -> None:
    one, other = (f"job-{chance.randrange(JOBS)}" for _ in range(2))
    tell(crowd, clone, "after", one, other, *(["--remove"] if chance.random() < 0.6 else []))


def lands(crowd: Crowd, clone: Clone, chance: Random) -> None:
    del chance
    name = f"b{serial()}"
    try_git(clone.path, "fetch", "-q", "origin")
    clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Work {name}", start="origin/main")
    tell(crowd, clone, "submit", name, "--id", name)
    tell(crowd, clone, "land", "--all")


def archives(crowd: Crowd, clone: Clone, chance: Random) -> None:
    del chance
    tell(crowd, clone, "gc", "--now")


DOINGS: tuple[Callable[[Crowd, Clone, Random], None], ...] = (edits, edits, claims, claims, links, lands, archives)


def judge(crowd: Crowd) -> None:
    """Every acknowledged mark on its chain, once, in the order of time; and no fault for fsck."""
    clone = crowd.clones[0]
    tell(crowd, clone, "land", "--all", "--wait")
    run = clone.orch("fsck", check=None, timeout_s=300)
    if run.status != 0:
        crowd.faults.append(f"fsck: {run.said()}")
    by_job = defaultdict(list)
    for done in crowd.done:
        by_job[done.job].append(done)
    for job, all_of_it in by_job.items():
        try:
            crowd.faults += order_faults(chain(crowd.remote, job), all_of_it)
        except GitFailedError as problem:
            crowd.faults.append(str(problem))


def chain(remote: Remote, job: str) -> list[str]:
    """The messages of a job's events, oldest first."""
    text = git(remote.path, "log", "--first-parent", "--reverse", "--format=%B%x00", f"refs/orch/jobs/{job}")
    return [message for message in text.split("\0") if "Nonce:" in message]


def order_faults(messages: list[str], all_of_it: list[Done]) -> list[str]:
    """What is wrong with the places of acknowledged events on a chain."""
    faults, places = [], {}
    for done in all_of_it:
        # The event that brought the mark: the first that has it.
        having = [place for place, message in enumerate(messages) if f"\n{done.mark}\n" in message]
        if not having:
            faults.append(f"{done.job}: {done.mark} was acknowledged, and is not there")
        elif having != list(range(having[0], having[-1] + 1)):
            faults.append(f"{done.job}: {done.mark} went and came back")
        else:
            places[done.mark] = having[0]
    known = sorted((done for done in all_of_it if done.mark in places), key=lambda done: places[done.mark])
    latest: Done | None = None
    for done in known:
        if latest is not None and done.ended_s < latest.began_s:
            faults.append(f"{done.job}: {done.mark} had ended before {latest.mark} began, and comes after it")
        if latest is None or done.began_s > latest.began_s:
            latest = done
    return faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
