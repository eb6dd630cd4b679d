"""One kill after another: what is begun, how it is killed, and what must be true afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from kills.world import POINTS, World, killed, make_world, seal, started_and_killed, worlds
from tests.servers.daemons import NotInstalledError, Server
from tests.support import Clone, Run, eventually, git, try_git

A_WORLD = 40
"""Kills in one world before the next one."""

EFFECTS = 160
"""No command here has more points at which it can be killed; how many each has is learned, see World.effects."""

OTHERS_MEET_LOCKS = 0.25
"""How often: whoever meets a lock waits for seconds before believing that nobody works behind it."""

BUSY = 11
HEALED = (0, 10, 14, 15)
"""How a landing may end once nobody is in its way."""


FEW = 12
"""Every command has more points than that."""


class LostError(AssertionError):
    """What must not happen after a kill."""


def share(kind: str, seed: int, kills: int) -> tuple[Counter[str], list[str]]:
    """Kills over one kind of server, in a process of their own: what was killed how often, and the faults. The first
    fault ends it."""
    counts, faults = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name).resolve()
        seal(folder / "home")
        try:
            with worlds(kind, folder) as server:
                kill_many(server, kind, folder, kills, seed, counts)
        except NotInstalledError as problem:
            counts[f"skipped {kind}: {problem}"] += 1
        except AssertionError as problem:
            faults.append(f"{kind}, seed {seed}: {problem}")
    return counts, faults


def kill_many(server: Server, kind: str, folder: Path, wanted: int, seed: int, counts: Counter[str]) -> None:
    """So many kills over one kind of server, in one world after another. Raises LostError."""
    chance = Random(f"{seed} {kind}")
    done, effects = 0, dict[str, int]()
    while done < wanted:
        world = make_world(server, folder / f"{kind}-{done}", chance, effects)
        start = done
        try:
            while done < wanted and done - start < A_WORLD:
                if kill_once(world, kind, counts):
                    done += 1
                    heal(world)
            finish(world)
        except AssertionError as problem:
            raise LostError(f"{problem}\n{world.recently()}") from problem
        shutil.rmtree(world.folder, ignore_errors=True)


def kill_once(world: World, kind: str, counts: Counter[str]) -> bool:
    """Begin one command of somebody and kill it, or its server. Whether anything was killed."""
    clone = world.any()
    name = world.chance.choice(list(COMMANDS))
    words = COMMANDS[name](world, clone)
    how = world.chance.choice(("effect", "effect", "moment", *POINTS))
    if how == "effect":
        step = world.chance.randrange(1, world.effects.get(name, EFFECTS))
        run = world.orch(clone, *words, env={"ORCH_TEST_KILL": str(step)})
        hit = killed(run)
        if not hit:
            world.effects[name] = max(FEW, step)
    elif how == "moment":
        run = started_and_killed(clone, words, world.chance.uniform(0.0, 1.5))
        world.story.append(f"{clone.path.name}: {' '.join(words)}, killed: {run.said()}")
        hit = killed(run)
    else:
        flag = world.arm(how)
        run = world.orch(clone, *words)
        hit = not flag.exists()
        flag.unlink(missing_ok=True)
        world.story.append(f"the server was {'' if hit else 'not '}killed: {how}, locks {world.server_locks()}")
    tell_of_locks(world, run)
    note(world, name, words, run)
    counts[f"killed {name} over {kind}, {how}" if hit else "ended before the kill"] += 1
    return hit


def note(world: World, name: str, words: tuple[str, ...], run: Run) -> None:
    """Remember what somebody was told: a job that was accepted must be there for ever."""
    if run.status == 0 and name in ("submit", "add"):
        world.known.add(words[words.index("--id") + 1])
    if run.status not in (-9, 0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17):
        raise LostError(f"{name} ended with {run.status}: {run.said()}")


def tell_of_locks(world: World, run: Run) -> None:
    """A receive-pack that was killed with its locks taken leaves them (over a path it dies with the client's group):
    whoever comes next must say so, and goes on once they are removed."""
    eventually(lambda: not world.at_work(), "the server's git ends when its client is dead")
    locks = world.server_locks()
    if not locks:
        return
    runs = [] if killed(run) else [run]
    if killed(run) or world.chance.random() < OTHERS_MEET_LOCKS:
        runs.append(world.orch(world.any(), "land", "--all"))
    for run in runs:
        if run.status not in (*HEALED, BUSY) and ".lock': File exists" not in run.err:
            raise LostError(f"nothing is said of {locks[0].name}: {run.said()}")
    for lock in locks:
        lock.unlink()


def heal(world: World) -> None:
    """The next commands of anybody; then everything must be as promised."""
    clone = world.any()
    run = world.orch(clone, "land", "--all", "--wait")
    if run.status not in HEALED:
        raise LostError(f"the next command did not heal: {run.said()}")
    check(world, clone)


def check(world: World, clone: Clone) -> None:
    """No fault, no accepted job lost, none on the target twice."""
    run = world.orch(clone, "fsck", "--json")
    if run.status != 0:
        raise LostError(f"fsck: {run.said()}")
    jobs = clone.orch("list", "--all", "--json").json()["data"]["jobs"]
    states = {job["id"]: job["state"] for job in jobs}
    lost = world.known - states.keys()
    if lost:
        raise LostError(f"jobs were accepted and are gone: {sorted(lost)}")
    landed = [job["landed"] for job in jobs if job["landed"]]
    on_main = git(world.remote.path, "rev-list", "main").split()
    if len(set(landed)) != len(landed) or not set(landed) <= set(on_main):
        raise LostError(f"a landing is not there, or there twice: {landed}")
    subjects = git(world.remote.path, "log", "--format=%s", "main").splitlines()
    twice = [subject for subject, number in Counter(subjects).items() if number > 1]
    if twice:
        raise LostError(f"on main twice: {twice}")


def finish(world: World) -> None:
    """At the end nothing is held, and nothing of ours is in the way or runs on."""
    clone = world.any()
    for _ in range(2):
        world.orch(clone, "reap", "--wait")
        world.orch(clone, "land", "--all", "--wait")
    check(world, clone)
    held = clone.orch("status", "--json").json()["data"]["leases"]
    if any(lease["state"] == "held" for lease in held):
        raise LostError(f"a lease is held for ever: {held}")
    if world.our_locks():
        raise LostError(f"locks stand in the way: {world.our_locks()}")


# -- what people do


def _branch(world: World, clone: Clone) -> str:
    """A new branch with a commit, off what the clone has of main."""
    world.number += 1
    name = f"w{world.number}"
    try_git(clone.path, "fetch", "-q", "origin")
    clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Work {name}", start="origin/main")
    return name


def submit(world: World, clone: Clone) -> tuple[str, ...]:
    name = _branch(world, clone)
    return ("submit", name, "--id", name)


def add(world: World, clone: Clone) -> tuple[str, ...]:
    world.number += 1
    return ("add", f"Do w{world.number}", "--id", f"w{world.number}")


def _submitted(world: World, clone: Clone) -> str:
    """The id of a job that can land."""
    name = _branch(world, clone)
    world.orch(clone, "submit", name, "--id", name)
    world.known.add(name)
    return name


def land(world: World, clone: Clone) -> tuple[str, ...]:
    return ("land", _submitted(world, clone))


def land_all(world: World, clone: Clone) -> tuple[str, ...]:
    _submitted(world, clone)
    _submitted(world, clone)
    return ("land", "--all")


def gate(world: World, clone: Clone) -> tuple[str, ...]:
    return ("gate", _submitted(world, clone))


def claim(world: World, clone: Clone) -> tuple[str, ...]:
    world.number += 1
    name = f"w{world.number}"
    world.orch(clone, "add", f"Do {name}", "--id", name)
    world.known.add(name)
    return ("claim", name)


def work(world: World, clone: Clone) -> tuple[str, ...]:
    claim(world, clone)
    return ("work", "--once", "--", 'echo "call base" > src/$ORCH_JOB.txt; git add -A; git commit -qm "Work $ORCH_JOB"')


def archive(world: World, clone: Clone) -> tuple[str, ...]:
    world.orch(clone, "land", _submitted(world, clone))
    return ("gc", "--now")


def link(world: World, clone: Clone) -> tuple[str, ...]:
    name = claim(world, clone)[1]
    return ("after", name, _submitted(world, clone))


COMMANDS = {
    "submit": submit,
    "add": add,
    "claim": claim,
    "land": land,
    "land --all": land_all,
    "gate": gate,
    "gc": archive,
    "after": link,
    "work": work,
}
