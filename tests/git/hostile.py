"""A stranger with the right to push, where no hook guards the remote: what they put there, and every command beside it.

The stranger writes into the bare repository itself, so that nothing on the way refuses what some server would accept.
Chains that bite their own tail are not among it: a commit names its parents by a digest of them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.git.planted import put
from tests.git.refusals import JOBS, record, shows_safely
from tests.support import THOROUGH, Clone, Remote, Run

NAMESPACE = JOBS.removesuffix("/jobs")
STAMP = b"A <a@example.org> 1600000000 +0000"

MEMORY = 2 * 1024**3
"""Bytes of address space that one command may take; most of that is mapped and never touched."""

TIMEOUT_S = 120.0

LOOKS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("list", "--all"),
    ("show", "one"),
    ("log",),
    ("log", "one"),
    ("why", "one"),
    ("graph",),
    ("lease", "show"),
    ("fsck",),
    ("doctor",),
)

MAY_FIND_FAULT = ("fsck", "doctor")


def orch(clone: Clone, *args: str) -> Run:
    """`git orch ARGS` within bounds of time and memory. It ends in an orderly way: no fault of its own, no traceback,
    nothing that a terminal would take for a command."""
    done = subprocess.run(
        [sys.executable, "-m", "gitorch", *args],
        cwd=clone.path,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        check=False,
    )
    out, err = (data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))
    run = Run(done.returncode, out, err)
    said = f"git orch {' '.join(args)}: {run.said()[:5_000]}"
    assert run.status not in (70, -9, -11) and "Traceback" not in out + err, said
    assert "a fault of git orch" not in err, said
    shows_safely(run)
    if "--json" in args:
        assert json.loads(out)["schema"] == 1, said
    return run


def look_everywhere(clone: Clone) -> None:
    """Every command that only reads, as text or as JSON (as both, when there is time): each answers, and only what
    looks for faults finds some."""
    for number, command in enumerate(LOOKS):
        forms = (command, (*command, "--json"))
        for args in forms if THOROUGH else (forms[number % 2],):
            run = orch(clone, *args)
            allowed = (0, 1) if command[0] in MAY_FIND_FAULT else (0,)
            assert run.status in allowed, f"git orch {' '.join(args)}: {run.said()[:5_000]}"


def work_beside(remote: Remote, clone: Clone) -> None:
    """The commands that write, on other jobs than the stranger's: all of it works as if nobody else were there."""
    for args in (
        ("submit", "b2", "--id", "two"),
        ("add", "Something else", "--id", "other"),
        ("claim", "other"),
        ("release", "other"),
        ("cancel", "other"),
        ("land", "one"),
        ("gc", "--now"),
        ("reap",),
        ("land", "--all"),
    ):
        run = orch(clone, *args)
        assert run.status == 0, f"git orch {' '.join(args)}: {run.said()[:5_000]}"
    assert remote.tip() == remote.ref("refs/heads/b2"), "both landed"
    assert remote.ref(f"{JOBS}/other") is None, "what is finished was archived"


@contextmanager
def nothing_of_theirs_is_lost(remote: Remote, names: list[str]) -> Iterator[None]:
    """Refs of the stranger are what they were. What is a proper event of a proper job may be built upon, landed and
    archived like any other; then it is reachable."""
    before = {name: remote.ref(name) for name in names}
    assert None not in before.values(), before
    yield
    changed = {name: oid for name, oid in before.items() if oid is not None and remote.ref(name) != oid}
    kept = set(remote.git("rev-list", "--all").split()) if changed else set()
    assert {name: oid for name, oid in changed.items() if oid not in kept} == {}, "I8"


def everything_goes_on_beside(remote: Remote, clone: Clone, names: list[str]) -> None:
    """Look, work, look again."""
    with nothing_of_theirs_is_lost(remote, names):
        look_everywhere(clone)
        work_beside(remote, clone)
        assert record(remote, f"{JOBS}/two")["State"] == "done"
        look_briefly(clone)


def look_briefly(clone: Clone) -> None:
    """Those that read the most."""
    commands = (("status",), ("list", "--all", "--json"), ("fsck",), ("log",), ("doctor", "--json"))
    for command in commands if THOROUGH else commands[:3]:
        assert orch(clone, *command).status in ((0, 1) if command[0] in MAY_FIND_FAULT else (0,)), command


def commit(
    remote: Remote, message: bytes, *, tree: str | None = None, parents: tuple[str, ...] = (), **odd: bytes
) -> str:
    """A commit of any bytes; `stamp` and `headers` go into its head."""
    tree = tree or remote.git("hash-object", "-w", "-t", "tree", "--stdin", stdin="")
    stamp, headers = odd.get("stamp", STAMP), odd.get("headers", b"")
    lines = b"".join(b"parent %s\n" % parent.encode() for parent in parents)
    data = b"tree %s\n%sauthor %s\ncommitter %s\n%s\n%s" % (tree.encode(), lines, stamp, stamp, headers, message)
    return remote.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=data)


def tree_of(remote: Remote, entries: list[tuple[bytes, bytes, str]]) -> str:
    """A tree of any entries (mode, name, id), in any order."""
    data = b"".join(mode + b" " + name + b"\x00" + bytes.fromhex(oid) for mode, name, oid in entries)
    return remote.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=data)


def blob(remote: Remote, data: bytes = b"not ours") -> str:
    return remote.git("hash-object", "-w", "--stdin", stdin=data)


def message_of(remote: Remote, ref: str) -> bytes:
    return remote.git("log", "-1", "--format=%B", ref).encode()


def put_loose(remote: Remote, name: str, oid: str) -> None:
    """A ref as a file: where `update-ref` says no."""
    path = remote.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(oid + "\n")


__all__ = [
    "NAMESPACE",
    "STAMP",
    "blob",
    "commit",
    "everything_goes_on_beside",
    "look_briefly",
    "look_everywhere",
    "message_of",
    "nothing_of_theirs_is_lost",
    "orch",
    "put",
    "put_loose",
    "tree_of",
    "work_beside",
]
