"""Refs that somebody else put into the namespace. A failure here means: one stranger stops everybody, or loses what is
theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.hostile import (
    NAMESPACE,
    STAMP,
    blob,
    commit,
    everything_goes_on_beside,
    look_everywhere,
    message_of,
    nothing_of_theirs_is_lost,
    orch,
    put_loose,
)
from tests.git.prepared import submitted
from tests.git.refusals import JOBS
from tests.support import Clone, Remote, try_git

pytestmark = pytest.mark.unguarded


def prepared(tmp_path: Path) -> tuple[Remote, Clone, bytes]:
    """Job one is submitted, b2 is not; and the message of the job's last event."""
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    return remote, clone, message_of(remote, f"{JOBS}/one")


def many_commits(remote: Remote, tmp_path: Path, count: int) -> tuple[str, ...]:
    """Commits without parents, written by one process."""
    tree = remote.git("hash-object", "-w", "-t", "tree", "--stdin", stdin="")
    paths = [tmp_path / f"commit{number}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(b"tree %s\nauthor %s\ncommitter %s\n\n%d\n" % (tree.encode(), STAMP, STAMP, number))
    listed = "".join(f"{path}\n" for path in paths)
    return tuple(remote.git("hash-object", "-w", "-t", "commit", "--stdin-paths", stdin=listed).split())


def test_events_of_odd_shapes_are_no_obstacle(tmp_path: Path) -> None:
    remote, clone, one = prepared(tmp_path)

    def as_job(name: str, old: bytes = b"", new: bytes = b"") -> bytes:
        return one.replace(b"Id: one", b"Id: " + name.encode()).replace(old, new)

    parents = many_commits(remote, tmp_path, 2_000)
    planted = {
        "nul": commit(remote, as_job("nul", b"Add b1", b"Add\x00b1")),
        "nul-above": commit(remote, b"a\x00b\n\n" + as_job("nul-above")),
        "many-parents": commit(remote, as_job("many-parents"), parents=parents),
        "no-parent": commit(remote, as_job("no-parent"), parents=("1" * 40,)),
        "no-tree": commit(remote, as_job("no-tree"), tree="2" * 40),
        "no-date": commit(remote, as_job("no-date"), stamp=b"A <a@b>"),
        "odd-date": commit(remote, as_job("odd-date"), stamp=b"A <a@b> 99999999999999999999 +9999"),
        "odd-name": commit(remote, as_job("odd-name"), stamp="\u202e\x1b[31mA\x9b <a\x07@b> 1 +0000".encode()),
        "no-name": commit(remote, as_job("no-name"), stamp=b""),
        "encoded": commit(remote, as_job("encoded"), headers=b"encoding UTF-16\n"),
        "escaping": commit(remote, as_job("escaping"), headers=b"encoding ISO-2022-JP\ngpgsig x\n y\n"),
        "above": commit(remote, b"\x1b]0;x\x07 \xe2\x80\xae\xff\n\n\x1b[2J\n\n" + as_job("above")),
        "blanks": commit(remote, b" " * 300_000 + b"x\n\n" + as_job("blanks")),
        "extra": commit(remote, as_job("extra", b"Nonce:", "X: \u202e\u2066\nY: \u2028\nNonce:".encode())),
        "overlong": commit(remote, as_job("overlong", b"Add b1", b"x" * 900_000)),
        "bidi": commit(remote, as_job("bidi", b"Add b1", "--force \u202e\u2066 \u200b".encode())),
    }
    for name, oid in planted.items():
        put_loose(remote, f"{JOBS}/{name}", oid)
    # A fetch brings nothing of a remote that misses objects: there the stranger has damaged the remote itself.
    for name in ("no-parent", "no-tree"):
        (remote.path / JOBS / name).unlink()
        del planted[name]
    everything_goes_on_beside(remote, clone, [f"{JOBS}/{name}" for name in planted])


@pytest.mark.parametrize("hole", ["parent", "tree", "tip"])
def test_a_remote_that_lacks_objects_of_a_ref_is_reported_as_gits_own_sentence(tmp_path: Path, hole: str) -> None:
    remote, clone, one = prepared(tmp_path)
    message = one.replace(b"Id: one", b"Id: hole")
    oid = {
        "parent": lambda: commit(remote, message, parents=("1" * 40,)),
        "tree": lambda: commit(remote, message, tree="2" * 40),
        "tip": lambda: "3" * 40,
    }[hole]()
    put_loose(remote, f"{JOBS}/hole", oid)
    for command in (("status",), ("land", "one"), ("gc", "--now")):
        run = orch(clone, *command)
        assert run.status in (0, 1, 17), run.said()
        assert run.status == 0 or run.err.splitlines()[-1].startswith("hint: "), run.said()
    (remote.path / JOBS / "hole").unlink()
    assert orch(clone, "land", "one").status in (0, 2)


def test_names_that_are_nobodys_are_left_alone(tmp_path: Path) -> None:
    remote, clone, one = prepared(tmp_path)
    job, tip = commit(remote, one), str(remote.tip())
    big = blob(remote, b"big " * 8_000_000)
    names = {
        f"{NAMESPACE}/Jobs/x": job,
        f"{NAMESPACE}/jobs/ONE": job,
        f"{NAMESPACE}/jobs/-x": job,
        f"{NAMESPACE}/jobs/--upload-pack=touch${{IFS}}pwned": job,
        f"{NAMESPACE}/jobs/a/b": job,
        f"{NAMESPACE}/jobs/\u202eevil": job,
        f"{NAMESPACE}/jobs/{'x' * 200}": job,
        f"{NAMESPACE}/jobs/big": big,
        f"{NAMESPACE}/archives": tip,
        f"{NAMESPACE}/archive2/x": blob(remote),
        f"{NAMESPACE}/graph2": tip,
        f"{NAMESPACE}/leases/a/b": tip,
        f"{NAMESPACE}/leases/%zz": tip,
        f"{NAMESPACE}/leases/rel%2F1": tip,
        f"{NAMESPACE}/leases/-b": big,
        f"{NAMESPACE}/slots/0": tip,
        f"{NAMESPACE}/slots/999999": tip,
        f"{NAMESPACE}/slots/1000000": tip,
        f"{NAMESPACE}/slots/x": tip,
        f"{NAMESPACE}/workers/nobody": tip,
        f"{NAMESPACE}/workers/-w": tip,
        f"{NAMESPACE}/scratch/left": tip,
        f"{NAMESPACE}/notes": tip,
        f"{NAMESPACE}/deep/{'d/' * 60}x": tip,
        "refs/notes/orch2": tip,
    }
    for name, oid in names.items():
        remote.git("update-ref", name, oid)
    everything_goes_on_beside(remote, clone, list(names))
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("folder", ["jobs", "leases", "workers", "slots"])
def test_a_ref_in_place_of_a_folder_is_said_and_not_removed(tmp_path: Path, folder: str) -> None:
    remote, clone, _ = prepared(tmp_path)
    name = f"{NAMESPACE}/{folder}"
    for ref in remote.refs(f"{NAMESPACE}/{folder}/"):
        remote.git("update-ref", "-d", ref)
    remote.git("update-ref", name, str(remote.tip()))
    with nothing_of_theirs_is_lost(remote, [name]):
        for command in (("status",), ("list",), ("doctor",), ("fsck",), ("log",)):
            run = orch(clone, *command)
            assert run.status in (0, 1), run.said()
        assert name in orch(clone, "list", "--json").out
        if folder in ("jobs", "leases"):
            run = orch(clone, "submit", "b2") if folder == "jobs" else orch(clone, "land", "one")
            assert run.status in (1, 11, 16), run.said()
            assert run.err.splitlines()[-1].startswith("hint: "), run.said()
            assert folder in run.err, run.said()


def test_branches_that_look_like_options_or_hide_are_no_obstacle(tmp_path: Path) -> None:
    remote, clone, one = prepared(tmp_path)
    tip = str(remote.tip())
    branches = ("-b", "--force", "main2", "b1x", "HEAD2", "@", "\u202emain", "x" * 200, "orch/jobs/one")
    for branch in branches:
        remote.git("update-ref", f"refs/heads/{branch}", tip)
    for number, target in enumerate(("-b", "--force", "nowhere")):
        job = one.replace(b"Id: one", b"Id: t%d" % number).replace(b"Target: main", b"Target: " + target.encode())
        remote.git("update-ref", f"{JOBS}/t{number}", commit(remote, job.replace(b"Add b1", b"--help")))
    # A target of that name is one like any other: what is for it lands there.
    theirs = [f"refs/heads/{branch}" for branch in branches if branch not in ("-b", "--force")]
    with nothing_of_theirs_is_lost(remote, theirs):
        look_everywhere(clone)
        for command in (("land", "t0"), ("land", "--all"), ("show", "t0"), ("why", "t1"), ("log", "t2")):
            orch(clone, *command)
        for args in (
            ("land", "--all", "--target=-b", "-n"),
            ("lease", "show", "--", "-b"),
            ("status", "--target=--force"),
        ):
            orch(clone, *args)
    assert try_git(remote.path, "merge-base", "--is-ancestor", "b1", "main").status == 0
