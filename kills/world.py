"""A remote on a server, clones of it, and hooks on the server that kill receive-pack when they are told to."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.git.landing import GATE, PROJECT
from tests.servers.daemons import PathServer, Server
from tests.servers.ssh import Sshd
from tests.support import Clone, Remote, Run, git, make_remote

POINTS = ("before", "in", "answer")
"""Where the server's receive-pack dies: before its transaction, in it with the locks taken, and after it, before the
client heard of it."""

HOOKS = {
    "pre-receive": '[ ! -e ../kill-before ] || { rm ../kill-before; kill -9 "$PPID"; }\n',
    "reference-transaction": '[ "$1" != prepared ] || [ ! -e ../kill-in ] || { rm ../kill-in; kill -9 "$PPID"; }\n',
    "post-receive": '[ ! -e ../kill-answer ] || { rm ../kill-answer; kill -9 "$PPID"; }\n',
}
SETTINGS = "[orch]\n\tgate = ./gate.sh\n\tleaseTTL = 1\n\tworkerTTL = 3\n\tmaxAttempts = 0\n"
PATIENCE_S = 300.0
"""A worker takes all jobs that are left over from kills before, over a slow connection."""

TOLD = 12
KINDS: dict[str, type[Server]] = {"path": PathServer, "ssh": Sshd}


def seal(home: Path) -> None:
    """No configuration, identity or language of this machine."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "ORCH_", "SSH_ASKPASS")):
            del os.environ[name]
    home.mkdir(exist_ok=True)
    os.environ.update(
        HOME=str(home),
        XDG_CONFIG_HOME=str(home / ".config"),
        GIT_CONFIG_GLOBAL=os.devnull,
        GIT_CONFIG_NOSYSTEM="1",
        GIT_TERMINAL_PROMPT="0",
        GIT_AUTHOR_NAME="Ada",
        GIT_AUTHOR_EMAIL="ada@example.org",
        GIT_COMMITTER_NAME="Carl",
        GIT_COMMITTER_EMAIL="carl@example.org",
        LC_ALL="C",
        TZ="UTC",
    )


@dataclass(slots=True)
class World:
    """One remote and three clones. `known` are the jobs that somebody was told of, `effects` below how many points of
    each command it is killed."""

    folder: Path
    remote: Remote
    clones: list[Clone]
    chance: Random
    effects: dict[str, int]
    known: set[str] = field(default_factory=set)
    number: int = 0
    story: list[str] = field(default_factory=list)

    def any(self) -> Clone:
        return self.chance.choice(self.clones)

    def orch(self, clone: Clone, *words: str, env: Mapping[str, str] | None = None) -> Run:
        """`git orch WORDS` in a clone, whatever comes of it; remembered for `recently`."""
        run = clone.orch(*words, check=None, env=env, timeout_s=PATIENCE_S)
        self.story.append(f"{clone.path.name}: {' '.join(words)} {dict(env or {})}: {run.said()}")
        return run

    def recently(self) -> str:
        """What was done last, for the report of a fault."""
        return "\n".join(f"--- before: {line}" for line in self.story[-TOLD:])

    def arm(self, point: str) -> Path:
        """Let the next push's receive-pack die at a point. The file is gone when it did."""
        flag = self.folder / f"kill-{point}"
        flag.touch()
        return flag

    def server_locks(self) -> list[Path]:
        """Locks that a killed receive-pack has left, as any git does: whoever keeps the server removes them."""
        return sorted(self.remote.path.rglob("*.lock"))

    def our_locks(self) -> list[Path]:
        """Locks of ours in clones that stand in the way. (Empty files of the library that locks by flock do not.)"""
        found = [path for clone in self.clones for path in (clone.path / ".git").rglob("*.lock")]
        return [path for path in found if "orch" not in path.parts]

    def at_work(self) -> list[int]:
        """Processes that still run in the remote's repository."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                where = str((entry / "cwd").readlink()) if entry.name.isdigit() else ""
            except OSError:
                continue
            if f"{where}/".startswith(f"{self.remote.path}/") and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        return found


@contextmanager
def worlds(kind: str, folder: Path) -> Iterator[Server]:
    """The server on which worlds are made."""
    with KINDS[kind]().start(folder) as server:
        os.environ.update(server.client_environment())
        yield server


def make_world(server: Server, folder: Path, chance: Random, effects: dict[str, int]) -> World:
    """A fresh remote and its clones."""
    folder.mkdir()
    remote = make_remote(folder, {**PROJECT, ".gitorch": SETTINGS, "gate.sh": GATE})
    for name, script in HOOKS.items():
        remote.hook(name, script)
    clones = []
    for name in ("a", "b", "c"):
        git(folder, "clone", "-q", server.url_of(remote.path), name)
        clone = Clone(folder / name, remote.ticks)
        clone.git("config", "orch.pollInterval", "1")
        clone.git("config", "orch.gcGrace", "0")
        clone.git("config", "orch.claimTTL", "2")
        clone.git("config", "gc.auto", "0")
        clones.append(clone)
    return World(folder, remote, clones, chance, effects)


def started_and_killed(clone: Clone, words: tuple[str, ...], after_s: float) -> Run:
    """A command that is killed some time after it began, unless it ended before."""
    running = clone.start_orch(*words)
    try:
        running.process.wait(after_s)
    except subprocess.TimeoutExpired:
        running.kill()
    return running.wait(30)


def killed(run: Run) -> bool:
    return run.status == -signal.SIGKILL
