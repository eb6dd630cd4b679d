"""Signed events: what commands write with orch.requireSigned, and what they refuse of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.landing import project
from tests.git.signing import SshKey, require_signatures, ssh_key
from tests.support import Clone, Remote, try_git


@pytest.fixture
def ada(tmp_path: Path) -> SshKey:
    return ssh_key(tmp_path, "ada")


@pytest.fixture
def eve(tmp_path: Path) -> SshKey:
    return ssh_key(tmp_path, "eve")


@pytest.fixture
def signed(tmp_path: Path, ada: SshKey) -> tuple[Remote, Clone]:
    """A project that only Ada may publish events for, and her clone."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    require_signatures(clone, ada.line)
    ada.use(clone)
    return remote, clone


def work(clone: Clone, branch: str) -> None:
    clone.branch(branch, {f"src/{branch}.txt": "call base\n"}, f"Add {branch}")


def statuses(remote: Remote, tmp_path: Path, key: SshKey) -> set[str]:
    """The letters of git for everything under the namespace, and for the notes."""
    signers = tmp_path / "signers"
    signers.write_text(key.line)
    tips = [oid for ref, oid in remote.refs().items() if ref.startswith(("refs/orch/", "refs/notes/"))]
    out = remote.git(
        "-c", f"gpg.ssh.allowedSignersFile={signers}", "log", "--no-walk", "--format=%G?", *tips
    )  # fmt: skip
    return set(out.split())


def test_everything_that_is_published_is_signed(signed: tuple[Remote, Clone], tmp_path: Path, ada: SshKey) -> None:
    remote, clone = signed
    work(clone, "one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    clone.orch("add", "Two", "--id", "two")
    clone.orch("claim", "two")
    clone.orch("gc", "--now")
    assert statuses(remote, tmp_path, ada) == {"G"}
    assert "no fault" in clone.orch("fsck").out
    shown = clone.orch("log", "two", "--show-signature", "--json").json()["data"]["events"]
    assert [event["signature"]["principal"] for event in shown] == [ada.principal] * 2
    assert f"good: {ada.principal}" in clone.orch("log", "--show-signature").out


@pytest.mark.unguarded
def test_a_branch_that_a_stranger_submits_does_not_land(signed: tuple[Remote, Clone], ada: SshKey, eve: SshKey) -> None:
    remote, clone = signed
    other = remote.clone("b")
    eve.use(other)
    work(other, "evil")
    other.orch("submit", "evil")
    work(clone, "good")
    clone.orch("submit", "good")
    before = remote.tip()
    run = clone.orch("land", "evil", "--json", check=16).json()["error"]
    assert "is signed by key SHA256:" in run["message"] and "not, or no longer, an allowed signer" in run["message"]
    assert "git orch log" in run["hint"] and remote.tip() == before
    everything = clone.orch("land", "--all", check=None)
    assert remote.tip() == clone.git("rev-parse", "good"), everything.said()
    found = clone.orch("fsck", check=1)
    assert "not, or no longer, an allowed signer" in found.out


@pytest.mark.unguarded
def test_an_unsigned_event_on_top_of_signed_ones_is_seen(signed: tuple[Remote, Clone]) -> None:
    remote, clone = signed
    clone.orch("add", "Work", "--id", "work")
    other = remote.clone("b")
    other.git("config", "orch.sign", "false")
    other.orch("edit", "work", "--title", "Else")
    clone.orch("edit", "work", "--title", "Honest")
    run = clone.orch("claim", "work", check=16)
    assert "(edit) is not signed" in run.err
    passed = clone.orch("claim", check=10)
    assert "work is passed over" in passed.err
    bad = clone.orch("log", "work", "--show-signature").out
    assert "bad: is not signed" in bad


@pytest.mark.unguarded
def test_who_may_submit_and_land_can_be_limited(tmp_path: Path, ada: SshKey, eve: SshKey) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    require_signatures(clone, ada.line, eve.line, more=f"\tmaySubmit = {ada.principal}\n")
    ada.use(clone)
    eve.use(other)
    other.git("fetch", "-q")
    work(other, "theirs")
    other.orch("submit", "theirs")
    run = clone.orch("land", "theirs", check=16)
    assert f"is signed by {eve.principal}, who is not in orch.maySubmit" in run.err
    assert f"bad: is signed by {eve.principal}, who is not in orch.maySubmit" in (
        clone.orch("log", "theirs", "--show-signature").out
    )


@pytest.mark.unguarded
def test_an_expired_key_signs_no_more_whatever_date_it_writes(tmp_path: Path, ada: SshKey, eve: SshKey) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    require_signatures(clone, ada.line, eve.limited('valid-before="20200101Z"'))
    ada.use(clone)
    eve.use(other)
    other.git("fetch", "-q")
    work(other, "late")
    dates = {"GIT_AUTHOR_DATE": "2019-06-01T00:00:00Z", "GIT_COMMITTER_DATE": "2019-06-01T00:00:00Z"}
    other.orch("submit", "late", env=dates)
    assert "no longer, an allowed signer" in clone.orch("land", "late", check=16).err


@pytest.mark.unguarded
def test_a_verdict_of_somebody_who_may_not_record_one_spares_no_gate(tmp_path: Path, ada: SshKey, eve: SshKey) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    require_signatures(clone, ada.line, eve.line, more=f"\tmayVerdict = {ada.principal}\n")
    ada.use(clone)
    eve.use(other)
    clone.branch("red", {"src/red.txt": "call nothing\n"}, "Add red")
    clone.orch("submit", "red")
    assert clone.orch("land", "red", "--json", check=15).json()["data"]["gate"]["verdict"] == "red"
    claim_green(other)
    before = remote.tip()
    clone.orch("retry", "red")
    clone.orch("land", "red", check=15)
    assert remote.tip() == before
    claim_green(clone)
    clone.orch("retry", "red")
    assert clone.orch("land", "red", "--json").json()["data"]["gate"]["cached"] is True


def claim_green(clone: Clone) -> None:
    """Note a green verdict on the last tree that was red, signed as this clone signs."""
    clone.git("fetch", "-q", "origin", "+refs/notes/orch:refs/notes/orch")
    tree = red_tree(clone)
    line = clone.git("notes", "--ref=orch", "show", tree).splitlines()[0].replace(" red ", " green ")
    old = clone.git("rev-parse", "refs/notes/orch")
    clone.git("notes", "--ref=orch", "append", "-m", line, tree)
    new = clone.git("commit-tree", "-S", "-p", old, "-m", "claim", "refs/notes/orch^{tree}")
    clone.git("update-ref", "refs/notes/orch", new)
    clone.git("push", "-q", "--no-verify", "origin", "refs/notes/orch")


def red_tree(clone: Clone) -> str:
    clone.git("fetch", "-q", "origin")
    return clone.git("rev-parse", "origin/red^{tree}")


def test_who_cannot_sign_is_told_how(signed: tuple[Remote, Clone]) -> None:
    remote, _ = signed
    other = remote.clone("b")
    other.git("config", "gpg.format", "ssh")
    other.git("config", "user.signingKey", "/nowhere/key")
    before = remote.refs()
    run = other.orch("add", "Work", check=2)
    assert "an event must be signed, and git could not" in run.err and "git config user.signingKey" in run.err
    assert remote.refs() == before


def test_signers_may_be_named_by_the_clone(tmp_path: Path, ada: SshKey, eve: SshKey) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    (tmp_path / "signers").write_text(ada.line)
    clone.git("config", "orch.requireSigned", "true")
    clone.git("config", "orch.signers", str(tmp_path / "signers"))
    ada.use(clone)
    work(clone, "one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    (tmp_path / "signers").write_text(eve.line)
    work(clone, "two")
    clone.orch("submit", "two")
    assert "allowed signer" in clone.orch("land", "two", check=16).err
    (tmp_path / "signers").unlink()
    assert "orch.signers" in clone.orch("land", "two", check=2).err


def test_without_a_list_of_signers_it_is_said(tmp_path: Path, ada: SshKey) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "orch.requireSigned", "true")
    ada.use(clone)
    work(clone, "one")
    clone.orch("submit", "one")
    run = clone.orch("land", "one", check=2)
    assert "has no .gitorch-signers" in run.err
    assert try_git(remote.path, "rev-parse", "main").out.strip() == remote.tip()
