"""`git orch doctor`: what it probes on real remotes, what it warns about, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.doctoring import about, findings
from tests.git.landing import project, project_alone
from tests.support import Clone, Remote, try_git


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Remote, Clone]:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "user.email", "ada@example.org")
    return remote, clone


def test_a_sound_remote_keeps_every_promise_and_is_left_as_it_was(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    before = remote.refs()
    found = findings(clone, "--remote-race", status=0)
    assert {one["level"] for one in found} == {"ok"}
    said = " / ".join(one["what"] for one in found)
    for words in (
        "creates refs in the namespace",
        "refuses to create what exists",
        "compares before it swaps",
        "pushes all or nothing",
        "deletes with a guard",
        "takes refs below refs/notes",
        "of 8 pushes at once one won, in each of 6 races",
    ):
        assert words in said
    assert remote.refs() == before


def test_its_document_names_versions_and_what_each_finding_is_about(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    data = clone.orch("doctor", "--json").json()["data"]
    assert set(data["versions"]) == {"git_orch", "git", "pygit2", "libgit2", "python"}
    assert all(value[0].isdigit() for value in data["versions"].values()), data["versions"]
    assert [one["check"] for one in data["findings"] if one["check"] in ("versions", "state")][:2] == [
        "versions",
        "state",
    ]
    assert {one["check"] for one in data["findings"]} == {"versions", "hooks", "state", "remote"}


def test_in_a_guarded_remote_too(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.orch("hooks", "install", "--server", str(remote.path))
    clone.orch("hooks", "install")
    before = remote.refs()
    found = findings(clone, "--remote-race", status=0)
    said = " / ".join(one["what"] for one in found)
    assert "the hook pre-receive on the remote is current" in said
    assert "the hook pre-push in this clone is current" in said
    assert remote.refs() == before


def test_an_edited_hook_is_worth_a_warning(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.orch("hooks", "install", "--server", str(remote.path))
    with (remote.path / "hooks/pre-receive").open("a") as hook:
        hook.write("# mine\n")
    found = about(clone, "the hook pre-receive on the remote is edited")
    assert found["level"] == "warning" and found["hint"] == f"git orch hooks install --server {remote.path}"


@pytest.mark.unguarded
def test_where_the_namespace_is_refused_another_is_proposed(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    script = "while read old new ref; do case $ref in refs/heads/*) ;; *) echo no >&2; exit 1 ;; esac; done\n"
    remote.hook("pre-receive", script)
    before = remote.refs()
    found = findings(clone, status=1)
    proposed = next(one for one in found if "refs/heads/orch" in one["what"])
    assert proposed["hint"] == "git config orch.namespace refs/heads/orch"
    assert remote.refs() == before
    clone.git(*proposed["hint"].split()[1:])
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}
    clone.orch("add", "Work")
    assert remote.refs("refs/heads/orch/jobs")


@pytest.mark.unguarded
def test_notes_that_are_refused_are_found(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.hook("pre-receive", "while read old new ref; do case $ref in refs/notes/*) exit 1 ;; esac; done\n")
    assert about(clone, "fails where it takes refs below refs/notes")["level"] == "problem"
    assert not remote.refs("refs/orch")


@pytest.mark.unguarded
def test_where_notes_cannot_be_deleted_the_probe_leaves_one_ref_and_no_more(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    script = "while read old new ref; do case $new:$ref in 0000*:refs/notes/*) exit 1 ;; esac; done\n"
    remote.hook("pre-receive", script)
    for _ in range(2):
        assert about(clone, "lets nobody delete there")["level"] == "ok"
        assert list(remote.refs("refs/notes")) == ["refs/notes/git-orch-probe"]


def test_a_password_in_the_url_is_nowhere_to_be_seen(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("remote", "set-url", "origin", "http://ada:s3cr3t@127.0.0.1:1/x.git")
    run = clone.orch("doctor", "--remote-race", check=1)
    assert "s3cr3t" not in run.out + run.err


def test_in_a_repository_of_ones_own_everything_is_checked_too(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.git("config", "user.email", "ada@example.org")
    before = clone.refs()
    assert {one["level"] for one in findings(clone, "--remote-race", status=0)} == {"ok"}
    assert clone.refs() == before
    assert try_git(clone.path, "fsck").status == 0
