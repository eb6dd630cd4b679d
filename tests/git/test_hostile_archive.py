"""An archive, a graph, notes and a `.gitorch` that somebody else wrote. A failure here means: what cannot be read was
guessed at, written over, or stopped what has nothing to do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.core.archive import branch_path, entry_path
from gitorch.core.model import JobId
from tests.git.hostile import (
    NAMESPACE,
    blob,
    commit,
    everything_goes_on_beside,
    look_briefly,
    look_everywhere,
    message_of,
    nothing_of_theirs_is_lost,
    orch,
    tree_of,
    work_beside,
)
from tests.git.prepared import submitted
from tests.git.refusals import JOBS, record
from tests.support import Remote

pytestmark = pytest.mark.unguarded

ARCHIVE = f"{NAMESPACE}/archive"
NOTES = "refs/notes/orch"
FILE, FOLDER, LINK, MODULE = b"100644", b"40000", b"120000", b"160000"


def other_kind(remote: Remote, kind: str) -> str:
    """An object that is no commit."""
    if kind == "tree":
        return remote.git("rev-parse", "main^{tree}")
    if kind == "tag":
        return remote.git("mktag", stdin=f"object {remote.tip()}\ntype commit\ntag x\ntagger A <a@b> 1 +0000\n\nx\n")
    return blob(remote)


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_an_archive_that_is_no_commit_is_left_alone_and_said(tmp_path: Path, kind: str) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    remote.git("update-ref", ARCHIVE, other_kind(remote, kind))
    with nothing_of_theirs_is_lost(remote, [ARCHIVE]):
        look_briefly(clone)
        for command in (("land", "one"), ("add", "x", "--id", "other"), ("submit", "b2"), ("land", "--all"), ("reap",)):
            assert orch(clone, *command).status == 0, command
        run = orch(clone, "gc", "--now")
        assert run.status == 1, run.said()
        assert "the archive cannot be read, so it is left alone" in run.err and f"it is a {kind}" in run.err
        assert run.err.endswith("hint: git orch doctor\n")
        look_briefly(clone)
    assert record(remote, f"{JOBS}/one")["State"] == "done", "and what is finished stays where it is"


def hostile_archive(remote: Remote) -> str:
    """A tree whose names are meant for somebody who writes files."""
    odd, gone = blob(remote), "1" * 40
    inner = tree_of(
        remote, [(FILE, b"..", odd), (FILE, b".git", odd), (FILE, b"\x1b[31m\xff", odd), (FILE, b"-x", odd)]
    )
    deep = inner
    for _ in range(200):
        deep = tree_of(remote, [(FOLDER, b"d", deep)])
    many = tree_of(remote, [(FILE, b"j%05d" % number, odd) for number in range(10_000)])
    names = [(FOLDER, b"..", inner), (FOLDER, b".git", inner), (FOLDER, b"/", inner), (FOLDER, b"aa", many)]
    names += [(FOLDER, b"deep", deep), (MODULE, b"bb", gone), (LINK, b"cc", odd), (b"040000", b"dd", inner)]
    names += [(FILE, b"ee", odd), (FILE, b"ee", odd), (FOLDER, b"\xff\xfe", inner)]
    return tree_of(remote, names)


def test_an_archive_with_hostile_names_is_read_past_and_kept(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    before = commit(remote, b"not an event\n", tree=hostile_archive(remote))
    remote.git("update-ref", ARCHIVE, before)
    look_everywhere(clone)
    work_beside(remote, clone)
    for command in (("show", "two"), ("why", "b2"), ("log", "two"), ("show", ".."), ("show", "j0"), ("submit", "b1")):
        assert orch(clone, *command).status in (0, 2), command
    chain = remote.git("rev-list", "--first-parent", ARCHIVE).split()
    assert before in chain[1:], "what was there is kept below what was added"
    names = remote.git("ls-tree", "-z", "--name-only", ARCHIVE).split("\0")
    assert {".git", "deep", "aa", "bb", "cc"} <= set(names)


@pytest.mark.parametrize("what", ["entry", "shard", "index"])
def test_an_archive_that_lies_about_one_job_does_so_about_that_job_only(tmp_path: Path, what: str) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    shard, name = (part.encode() for part in entry_path(JobId("liar")))
    top, two, digest = (part.encode() for part in branch_path("b2"))
    odd = blob(remote, b"tip " + b"1" * 40 + b"\n\n" + message_of(remote, f"{JOBS}/one"))
    names = blob(remote, b"liar ../../x \xff\xfe one\n" * 50_000)
    tree = {
        "entry": lambda: tree_of(remote, [(FOLDER, shard, tree_of(remote, [(FILE, name, odd)]))]),
        "shard": lambda: tree_of(remote, [(FILE, shard, odd)]),
        "index": lambda: tree_of(
            remote, [(FOLDER, top, tree_of(remote, [(FOLDER, two, tree_of(remote, [(FILE, digest, names)]))]))]
        ),
    }[what]()
    remote.git("update-ref", ARCHIVE, commit(remote, b"x\n", tree=tree))
    job = (
        message_of(remote, f"{JOBS}/one")
        .replace(b"Id: one", b"Id: waits")
        .replace(b"\nAttempt", b"\nAfter: liar\nAttempt")
    )
    remote.git("update-ref", f"{JOBS}/waits", commit(remote, job))
    with nothing_of_theirs_is_lost(remote, [f"{JOBS}/waits"]):
        look_briefly(clone)
        for command in (("show", "liar"), ("why", "waits"), ("show", "waits"), ("submit", "b2"), ("land", "one")):
            orch(clone, *command)
    assert record(remote, f"{JOBS}/one")["State"] == "done"
    run = orch(clone, "gc", "--now")
    assert run.status in (0, 1) and (run.status == 0 or run.err.splitlines()[-1].startswith("hint: ")), run.said()


@pytest.mark.parametrize("kind", ["blob", "tree", "event of a job", "lies"])
def test_a_graph_that_is_none_stops_edits_of_the_graph_alone(tmp_path: Path, kind: str) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    graph = f"{NAMESPACE}/graph"
    one = message_of(remote, f"{JOBS}/one")
    lie = (
        b"lie\n\nOrch-Format: 1\nRecord: graph\nEvent: after\nJob: nobody\nAfter: nobody x y\nEdits: 999999999999999\n"
    )
    oid = {
        "event of a job": lambda: commit(remote, one),
        "lies": lambda: commit(remote, lie + b"Updated: 9999-12-31T23:59:59.999Z\nNonce: x\n"),
    }.get(kind, lambda: other_kind(remote, kind))()
    remote.git("update-ref", graph, oid)
    with nothing_of_theirs_is_lost(remote, [graph]):
        look_briefly(clone)
        work_beside(remote, clone)
    for name in ("x", "y"):
        assert orch(clone, "add", name, "--id", name).status == 0
    run = orch(clone, "after", "x", "y")
    if kind == "lies":
        assert run.status in (0, 1), run.said()
    else:
        assert run.status == 1 and remote.ref(graph) == oid, run.said()
        assert f"the dependency graph cannot be read, so it is left alone ({graph}: " in run.err


def test_jobs_that_wait_for_each_other_hold_up_nobody_else(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    one = message_of(remote, f"{JOBS}/one").replace(b"State: submitted", b"State: queued")
    names = [f"c{number}" for number in range(20)]
    for name, after in zip(names, [*names[1:], names[0]], strict=True):
        text = one.replace(b"Id: one", b"Id: " + name.encode()).replace(
            b"\nAttempt", b"\nAfter: %s c0 gone\nAttempt" % after.encode()
        )
        remote.git("update-ref", f"{JOBS}/{name}", commit(remote, text))
    everything_goes_on_beside(remote, clone, [f"{JOBS}/{name}" for name in names])
    assert orch(clone, "claim").status == 10, "nothing of it is ready"
    assert orch(clone, "after", "c0", "c1", "--remove").status in (0, 13)


def test_a_notes_tree_of_strangers_is_kept_and_noted_beside(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    tree = remote.git("rev-parse", "b1^{tree}")
    odd, huge = blob(remote, b"\x1b[31m\x00\xff\n" * 100), blob(remote, b"2026-01-01T00:00:00Z green " * 1_500_000)
    inner = tree_of(remote, [(FILE, b"..", odd), (FILE, b"x" * 200, odd), (MODULE, tree[4:].encode(), "1" * 40)])
    entries = [(FOLDER, b"..", inner), (FILE, b"-x", odd), (LINK, b"README", odd), (MODULE, b"module", "1" * 40)]
    entries += [(FILE, tree.encode(), huge), (FOLDER, b"zz", inner), (FILE, b"\xff\xfe\x1b", odd)]
    notes = commit(remote, b"notes\n", tree=tree_of(remote, entries))
    remote.git("update-ref", NOTES, notes)
    look_everywhere(clone)
    work_beside(remote, clone)
    assert notes in remote.git("rev-list", NOTES).split()
    assert remote.git("rev-parse", f"{NOTES}:-x") == odd
    assert int(remote.git("cat-file", "-s", f"{NOTES}:{tree}")) > 40_000_000, "a huge note is added to, not cut"


@pytest.mark.parametrize("mode", [MODULE, LINK, FOLDER])
def test_a_note_that_is_no_file_never_counts_as_a_verdict(tmp_path: Path, mode: bytes) -> None:
    remote, clone = submitted(tmp_path, 1, more=1, behind=False)
    tree = remote.git("rev-parse", "b1^{tree}")
    odd = {MODULE: "1" * 40, LINK: blob(remote), FOLDER: tree_of(remote, [])}[mode]
    notes = commit(remote, b"notes\n", tree=tree_of(remote, [(mode, tree.encode(), odd)]))
    remote.git("update-ref", NOTES, notes)
    look_briefly(clone)
    run = orch(clone, "land", "one")
    assert run.status in (0, 1), run.said()
    assert run.status == 0 or run.err.splitlines()[-1].startswith("hint: "), run.said()
    assert notes in remote.git("rev-list", NOTES).split()


def test_the_configuration_of_a_branch_under_test_decides_nothing(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, 0, more=0, behind=False)
    evil = '[orch]\n\tgate = "touch pwned"\n\tgate = none\n\tnamespace = refs/heads/x\n\trebase = \x1b[31m\n'
    evil += "[alias]\n\torch = !touch pwned\n"
    clone.branch("evil", {".gitorch": evil, "src/evil.txt": "call nothing\n"}, "evil")
    assert orch(clone, "submit", "evil", "--id", "evil").status == 0
    run = orch(clone, "land", "evil")
    assert run.status == 15 and "undefined: nothing" in run.out + run.err, run.said()
    assert record(remote, f"{JOBS}/evil")["State"] == "rework" and remote.refs("refs/heads/x") == {}
    assert orch(clone, "why", "evil").status == 0
    assert not list(tmp_path.rglob("pwned"))
