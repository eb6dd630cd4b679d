"""`git orch doctor` on configuration that works against git orch, in clones and in remotes on this machine: each is
found, and what it says to type cures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.doctoring import about, findings, type_in
from tests.git.landing import project, project_alone
from tests.support import Clone, Remote, git

NO_IDENTITY = {"GIT_COMMITTER_NAME": "", "GIT_COMMITTER_EMAIL": ""}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Remote, Clone]:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "user.email", "ada@example.org")
    return remote, clone


@pytest.mark.parametrize(
    ("key", "value", "words", "level"),
    [
        ("remote.origin.mirror", "true", "is configured as a mirror", "problem"),
        ("remote.origin.fetch", "+refs/*:refs/*", "the fetch refspec +refs/*:refs/*", "problem"),
        ("remote.origin.fetch", "+refs/orch/*:refs/orch/*", "the fetch refspec", "problem"),
        ("remote.origin.fetch", "+refs/x/*:refs/orch-remotes/x/*", "the fetch refspec", "problem"),
        ("remote.backup.fetch", "+refs/*:refs/*", "of backup lets a plain `git fetch` overwrite", "problem"),
        ("remote.origin.push", "+refs/*:refs/*", "the push refspec", "problem"),
        ("remote.origin.push", "refs/orch/jobs/*", "the push refspec", "problem"),
        ("remote.origin.push", "+refs/notes/*:refs/notes/*", "the push refspec", "problem"),
        ("remote.origin.push", "+it's:refs/orch/jobs/it's", "the push refspec", "problem"),
        ("push.pushOption", "orch.bypass=always", "go around the rules", "problem"),
        ("notes.rewriteRef", "refs/notes/*", "notes.rewriteRef", "warning"),
        ("core.notesRef", "refs/notes/orch", "core.notesRef", "warning"),
    ],
)
def test_configuration_of_a_clone_that_works_against_us_is_found_and_cured_by_the_hint(
    pair: tuple[Remote, Clone], key: str, value: str, words: str, level: str
) -> None:
    _, clone = pair
    clone.git("config", "--add", key, value)
    found = about(clone, words)
    assert found["level"] == level, found
    type_in(clone, found["hint"])
    assert about(clone, words)["level"] == "none"
    assert clone.git("config", "--get-all", "remote.origin.fetch").startswith("+refs/heads/*:refs/remotes/origin/*")
    clone.git("fetch", "--quiet")


def test_a_clone_that_mirrors_everything_fetches_branches_again_when_it_did_what_it_was_told(
    pair: tuple[Remote, Clone],
) -> None:
    _, clone = pair
    clone.git("config", "remote.origin.fetch", "+refs/*:refs/*")
    clone.git("config", "fetch.prune", "true")
    found = about(clone, "lets a plain `git fetch` overwrite and delete local refs")
    assert about(clone, "pruning is set for fetches")["level"] == "none", "here it is not without effect"
    type_in(clone, found["hint"])
    assert clone.git("config", "--get-all", "remote.origin.fetch") == "+refs/heads/*:refs/remotes/origin/*"


def test_the_cure_is_for_the_file_that_has_the_entry(pair: tuple[Remote, Clone], tmp_path: Path) -> None:
    _, clone = pair
    other = tmp_path / "more config"
    other.write_text("[notes]\n\trewriteRef = refs/notes/*\n")
    clone.git("config", "include.path", str(other))
    type_in(clone, about(clone, "notes.rewriteRef")["hint"])
    assert about(clone, "notes.rewriteRef")["level"] == "none"
    assert "rewriteRef" not in other.read_text()


def test_what_the_environment_configures_is_cured_there(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "remote.origin.mirror", "GIT_CONFIG_VALUE_0": "true"}
    run = clone.orch("doctor", env=env, check=1)
    assert "leave remote.origin.mirror out of the environment" in run.err


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("push.followTags", "true", "carry no tags all the same"),
        ("push.recurseSubmodules", "on-demand", "do not look at submodules"),
        ("push.default", "matching", "git orch never does"),
        ("fetch.prune", "true", "pruning is set"),
    ],
)
def test_configuration_that_is_often_asked_about_and_does_nothing(
    pair: tuple[Remote, Clone], key: str, value: str, words: str
) -> None:
    _, clone = pair
    clone.git("config", key, value)
    assert about(clone, words)["level"] == "ok"


def test_refspecs_of_ordinary_clones_are_no_trouble(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("config", "--add", "remote.origin.fetch", "+refs/pull/*/head:refs/pull/*")
    clone.git("config", "--add", "remote.origin.fetch", "^refs/orch/*")
    clone.git("config", "--add", "remote.origin.push", "refs/heads/*:refs/heads/*")
    clone.git("config", "--add", "remote.origin.push", "HEAD")
    clone.git("config", "--add", "remote.origin.push", ":")
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}


@pytest.mark.parametrize(
    ("key", "value"), [("remote.origin.pushurl", "/elsewhere"), ("url./elsewhere.pushInsteadOf", "/")]
)
def test_pushes_to_another_place_are_worth_a_warning(pair: tuple[Remote, Clone], key: str, value: str) -> None:
    _, clone = pair
    clone.git("config", key, value)
    assert about(clone, "is pushed to another place")["level"] == "warning"


@pytest.mark.unguarded
@pytest.mark.parametrize(
    ("key", "value", "words", "level"),
    [
        ("transfer.hideRefs", "refs/orch", "hides refs/orch (transfer.hideRefs)", "problem"),
        ("receive.hideRefs", "refs/orch/jobs", "hides refs/orch/jobs", "problem"),
        ("uploadpack.hideRefs", "^refs/notes/", "hides ^refs/notes/", "problem"),
        ("receive.advertiseAtomic", "false", "does not offer all-or-nothing pushes", "problem"),
        ("receive.denyNonFastForwards", "true", "refuses rewritten branches", "warning"),
    ],
)
def test_configuration_of_a_server_that_works_against_us_is_found_and_cured_by_the_hint(
    pair: tuple[Remote, Clone], key: str, value: str, words: str, level: str
) -> None:
    remote, clone = pair
    remote.git("config", key, value)
    found = about(clone, words)
    assert found["level"] == level and found["hint"].startswith(f"git -C {remote.path} config"), found
    type_in(clone, found["hint"])
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}


def test_what_a_server_hides_and_shows_again_is_no_trouble(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    for value in ("refs/orch", "!refs/orch", "refs/orchard", "refs/pull"):
        remote.git("config", "--add", "transfer.hideRefs", value)
    assert {one["level"] for one in findings(clone, status=0)} == {"ok"}


def test_a_server_that_keeps_its_branches_is_no_place_for_a_namespace_of_branches(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.git("config", "receive.denyDeletes", "true")
    assert about(clone, "lets nobody delete refs")["level"] == "none", "git means branches"
    clone.git("config", "orch.namespace", "refs/heads/orch")
    assert about(clone, "lets nobody delete refs")["level"] == "problem"


def test_a_remote_that_somebody_works_in_refuses_its_own_branch(tmp_path: Path) -> None:
    theirs = project_alone(tmp_path)
    git(tmp_path, "clone", "-q", str(theirs.path), "a")
    clone = Clone(tmp_path / "a", theirs.ticks)
    found = about(clone, "has main checked out")
    assert found["level"] == "problem"
    type_in(clone, found["hint"])
    assert about(clone, "has main checked out")["level"] == "none"
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    assert theirs.tip() == clone.git("rev-parse", "one")


@pytest.mark.parametrize("url", ["../remote.git", "../remote", "file://TMP/remote.git", "file://TMP/%72emote.git"])
def test_a_remote_on_this_machine_is_looked_at_by_whatever_name(tmp_path: Path, url: str) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("remote", "set-url", "origin", url.replace("TMP", str(tmp_path)))
    clone.orch("hooks", "install", "--server", str(remote.path))
    inside = Clone(clone.path / "src")
    assert about(inside, "the hook pre-receive on the remote")["what"].endswith("is current")


def test_in_a_repository_of_ones_own_any_fetch_may_write_the_state(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.git("config", "orch.remote", ".")
    clone.git("config", "remote.backup.url", str(tmp_path / "backup"))
    clone.git("config", "remote.backup.fetch", "+refs/*:refs/*")
    found = about(clone, "the fetch refspec +refs/*:refs/* of backup")
    assert found["level"] == "problem"
    type_in(clone, found["hint"])
    assert about(clone, "the fetch refspec")["level"] == "none"


def test_a_clone_without_identity_is_told(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("config", "--unset", "user.email")
    assert about(clone, "is configured; events carry")["level"] == "none", "the environment has one"
    said = clone.orch("doctor", env=NO_IDENTITY).out
    assert "no name is configured" in said and "no mail address is configured" in said
    clone.git("config", "user.name", "Ada")
    clone.git("config", "user.email", "ada@example.org")
    assert "is configured; events carry" not in clone.orch("doctor", env=NO_IDENTITY).out


def test_a_shallow_clone_is_told(tmp_path: Path) -> None:
    remote = project(tmp_path)
    first = remote.clone("a")
    first.push(f"{first.commit({'x': 'x'}, 'More')}:refs/heads/more")
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=more", f"file://{remote.path}", "b")
    clone = Clone(tmp_path / "b")
    found = about(clone, "this clone is shallow")
    assert found["level"] == "warning"
    type_in(clone, found["hint"])
    assert about(clone, "this clone is shallow")["level"] == "none"


def test_what_configuration_says_is_shown_without_what_a_terminal_obeys(pair: tuple[Remote, Clone]) -> None:
    _, clone = pair
    clone.git("config", "--add", "remote.origin.fetch", "+refs/\x1b[31m/*:refs/orch/*")
    run = clone.orch("doctor", check=1)
    assert "\x1b" not in run.out + run.err and "\\x1b[31m" in run.out
    assert "config --edit" in run.err
