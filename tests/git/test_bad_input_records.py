"""Refs in the namespace that are not what they should be. A failure here means: something that cannot be read was
guessed at, overwritten, or stopped what has nothing to do with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.git.prepared import submitted
from tests.git.refusals import JOBS, LEASES, assert_no_lease_is_held, record, refuses, shows_safely
from tests.support import Clone, Remote

LEASE = f"{LEASES}/main"
NOTES = "refs/notes/orch"
GOOD_LEASE = """acquire: main

Orch-Format: 1
Record: lease
Event: acquire
Target: main
State: held
Epoch: 3
Holder: somebody
Token: 0123456789abcdef
Ttl: 300
Since: 2026-01-01T00:00:00.000Z
Updated: 2026-01-01T00:00:00.000Z
Nonce: 0123456789abcdef
"""
STAMP = b"A <a@example.org> 1600000000 +0000"


def with_record(tmp_path: Path) -> tuple[Remote, Clone, bytes]:
    """The submitted branch b1 of job one, and the message of its record."""
    remote, clone = submitted(tmp_path, more=1, behind=False)
    return remote, clone, remote.git("log", "-1", "--format=%B", f"{JOBS}/one").encode()


def commit(remote: Remote, message: bytes, tree: str | None = None) -> str:
    """A commit with any bytes as its message."""
    tree = tree or remote.git("hash-object", "-w", "-t", "tree", "--stdin", stdin="")
    data = b"tree %s\nauthor %s\ncommitter %s\n\n%s" % (tree.encode(), STAMP, STAMP, message)
    return remote.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=data)


def other_kind(remote: Remote, kind: str) -> str:
    """An object that is no commit."""
    if kind == "blob":
        return remote.git("hash-object", "-w", "--stdin", stdin="no event")
    if kind == "tree":
        return remote.git("rev-parse", "main^{tree}")
    text = f"object {remote.tip()}\ntype commit\ntag x\ntagger {STAMP.decode()}\n\nx\n"
    return remote.git("mktag", stdin=text)


def test_damage_of_every_kind_is_listed_and_left_alone_and_the_rest_lands(tmp_path: Path) -> None:
    remote, clone, one = with_record(tmp_path)
    bad = {
        **{kind: other_kind(remote, kind) for kind in ("blob", "tree", "tag")},
        "other-id": commit(remote, one),
        "newer": commit(remote, one.replace(b"Orch-Format: 1", b"Orch-Format: 2")),
        "latin": commit(remote, one.replace(b"Id: one", b"Id: latin").replace(b"Add b1", b"Add \xff\xfe")),
        "garbage": commit(remote, b"\x01\x02garbage"),
        "empty": commit(remote, b""),
        "huge": commit(remote, b"x" * 10_000_000 + b"\n\n" + one.replace(b"Id: one", b"Id: huge")),
        "escape": commit(remote, one.replace(b"Id: one", b"Id: escape").replace(b"Add b1", b"\x1b[31mred")),
        "twice": commit(remote, one.replace(b"Id: one", b"Id: twice\nId: twice")),
        "no-state": commit(remote, one.replace(b"Id: one", b"Id: no-state").replace(b"submitted", b"resting")),
        "no-branch": commit(remote, one.replace(b"Id: one", b"Id: no-branch").replace(b"Branch: b1", b"Branch: a..b")),
        "no-target": commit(remote, one.replace(b"Id: one", b"Id: no-target").replace(b": main", b": ../../x")),
        "UPPER": commit(remote, one),
        "deep/er": commit(remote, one),
    }
    for name, oid in bad.items():
        remote.git("update-ref", f"{JOBS}/{name}", oid)
    run = clone.orch("list")
    shows_safely(run)
    shown = clone.orch("list", "--json").json()["data"]
    assert {entry["ref"] for entry in shown["damaged"]} == {f"{JOBS}/{name}" for name in bad}
    assert [job["id"] for job in shown["jobs"]] == ["one"]
    problems = {entry["ref"].removeprefix(f"{JOBS}/"): entry["problem"] for entry in shown["damaged"]}
    assert problems["blob"] == "it is a blob, not an event" and "format 2" in problems["newer"]
    assert "not UTF-8" in problems["latin"] and "too long" in problems["huge"]
    for name in ("blob", "huge"):
        says = f"the job {name} cannot be read, so it is left alone"
        refuses(clone, "submit", "b2", "--id", name, status=1, says=says, hint="doctor", untouched=remote, both=False)
    shows_safely(clone.orch("doctor"))
    clone.orch("land", "--all")
    assert remote.tip() == clone.tip("b1")
    assert {name: remote.ref(f"{JOBS}/{name}") for name in bad} == bad


def test_odd_but_legal_records_of_strangers_are_shown_harmlessly(tmp_path: Path) -> None:
    remote, clone, one = with_record(tmp_path)
    odd = one.replace(b"Id: one", b"Id: odd").replace(b"Title: Add b1", "Title: \u202eevil \u2066x".encode())
    odd = odd.replace(b"Branch: b1", b"Branch: --upload-pack=touch${IFS}pwned").replace(
        b"Attempt", b"After: odd\nAttempt"
    )
    remote.git("update-ref", f"{JOBS}/odd", commit(remote, odd))
    for command in (("list",), ("status",), ("show", "odd"), ("log", "odd")):
        shows_safely(clone.orch(*command))
    run = clone.orch("why", "odd")
    assert "pwned" not in run.err
    refuses(clone, "land", "odd", status=13, says="it is blocked by odd", hint="git orch why odd", untouched=remote)
    clone.orch("land", "--all")
    assert remote.tip() == clone.tip("b1")


@pytest.mark.parametrize("head", ["1" * 40, "blob"])
def test_a_job_whose_head_is_no_commit_does_not_stop_the_others(tmp_path: Path, head: str) -> None:
    remote, clone, one = with_record(tmp_path)
    head = other_kind(remote, "blob") if head == "blob" else head
    broken = re.sub(rb"Head: [0-9a-f]+", b"Head: " + head.encode(), one.replace(b"Id: one", b"Id: broken"))
    broken = broken.replace(b"Created: 2", b"Created: 1")
    remote.git("update-ref", f"{JOBS}/broken", commit(remote, broken))
    says = f"objects that {head[:12]}"
    refuses(clone, "land", "broken", status=1, says=says, hint="git fetch", untouched=remote)
    plan = clone.orch("land", "--all", "-n", "--json").json()["data"]
    assert [step["would"] for step in plan["steps"]] == ["fail", "test and land"]
    refuses(clone, "land", "--all", status=1, says="1 landed, 1 did not; broken", hint="git fetch", both=False)
    assert remote.tip() == clone.tip("b1")
    assert_no_lease_is_held(remote)


@pytest.mark.parametrize("damage", ["blob", "tag", "garbage", "another target", "newer"])
def test_a_lease_that_cannot_be_read_stops_landing_and_is_not_overwritten(tmp_path: Path, damage: str) -> None:
    remote, clone, _ = with_record(tmp_path)
    good = GOOD_LEASE.encode()
    messages = {
        "garbage": b"hello\n",
        "another target": good.replace(b"Target: main", b"Target: other"),
        "newer": good.replace(b"Orch-Format: 1", b"Orch-Format: 7"),
    }
    oid = commit(remote, messages[damage]) if damage in messages else other_kind(remote, damage)
    remote.git("update-ref", LEASE, oid)
    says = f"the lease of main cannot be read, so it is left alone ({LEASE}: "
    hint = "install a newer git orch" if damage == "newer" else "git orch doctor"
    before = remote.refs()
    refuses(clone, "land", "one", status=1, says=says, hint=hint)
    quick = (
        (("lease", "show"),)
        if damage != "blob"
        else (
            ("land", "--all"),
            ("gate", "one"),
            ("lease", "show"),
            ("lease", "acquire"),
            ("lease", "break", "--reason", "x"),
        )
    )
    for command in quick:
        refuses(clone, *command, status=1, says=says, hint=hint, both=False)
    assert remote.refs() == before
    if damage == "blob":
        run = clone.orch("status")
        assert "lease of main: not readable" in run.out and run.err == "hint: git orch doctor\n"
        doctor = clone.orch("doctor", check=1)
        assert f"git fetch origin {LEASE} && git show FETCH_HEAD" in doctor.err


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_notes_that_are_no_notes_stop_landing_and_are_not_overwritten(tmp_path: Path, kind: str) -> None:
    remote, clone, _ = with_record(tmp_path)
    remote.git("update-ref", NOTES, other_kind(remote, kind))
    says = f"the notes with the verdicts cannot be read, so it is left alone ({NOTES}: it is a {kind}, not notes)"
    refuses(clone, "land", "one", status=1, says=says, hint="git orch doctor", untouched=remote, both=kind == "blob")
    if kind == "blob":
        for command in (("verdict", "HEAD"), ("verdict", "HEAD", "green")):
            refuses(clone, *command, status=1, says=says, hint="git orch doctor", untouched=remote, both=False)
        assert clone.orch("status").err == "hint: git orch doctor\n"
        assert clone.ref(NOTES) is None, "damage is not copied to where the user's git looks"
        assert NOTES in clone.orch("doctor", check=1).out


@pytest.mark.unguarded
def test_notes_of_strangers_are_kept_and_believed_only_where_they_are_verdicts(tmp_path: Path) -> None:
    remote, clone, _ = with_record(tmp_path)
    tree = remote.git("rev-parse", "b1^{tree}")
    text = f"2026-13-45 green tree={tree}\ngreen\n\x00\x1b[31m\xff 2026-01-01T00:00:00.000Z green tree={tree} gate=x\n"
    note = remote.git("hash-object", "-w", "--stdin", stdin=text)
    listing = f"100644 blob {note}\t{tree}\n100644 blob {note}\tREADME\n100644 blob {note}\t{tree[:2]}\n"
    notes = commit(remote, b"notes\n", remote.git("mktree", stdin=listing))
    remote.git("update-ref", NOTES, notes)
    landed = clone.orch("land", "one", "--json").json()["data"]
    assert landed["gate"]["cached"] is False, "what is no verdict spares no gate"
    assert text.split("\n")[1] in remote.git("cat-file", "blob", f"{NOTES}:{tree}"), "and is kept"
    assert remote.git("cat-file", "blob", f"{NOTES}:README") and record(remote, f"{JOBS}/one")["State"] == "done"
