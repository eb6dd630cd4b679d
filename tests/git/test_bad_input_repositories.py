"""Repositories of every shape: empty, shallow, bare, linked, half there, not there. A failure here means: git orch
looked at the wrong repository, or gave up without saying what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.git.landing import add_branches, lease, project
from tests.git.prepared import submitted
from tests.git.refusals import assert_no_lease_is_held, job_of, one_document, refuses, states
from tests.support import Clone, Remote, git, try_git


def empty_remote(tmp_path: Path) -> Remote:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "empty.git")
    return Remote(tmp_path / "empty.git")


def test_a_repository_without_commits_says_that_one_is_needed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    clone = Clone(tmp_path / "empty")
    refuses(clone, "submit", status=2, says="main is the target itself", hint="git switch -c", untouched=clone)
    refuses(clone, "submit", "x", status=2, says="no branch 'x'", hint="git branch --all", untouched=clone, both=False)
    refuses(clone, "land", status=10, says="nothing is ready", hint="git orch submit", untouched=clone, both=False)
    refuses(clone, "verdict", "HEAD", status=2, says="'HEAD' is no commit", hint="git fetch", both=False)
    for command in ("init", "status"):
        run = clone.orch(command)
        assert "does not exist" in run.out and run.err == "hint: git commit (nothing is committed here yet)\n"
    assert clone.refs() == {}
    clone.commit({"a": "a"}, "first")
    assert "hint: git orch init" in clone.orch("init").err


@pytest.mark.unguarded
def test_an_empty_remote_says_how_to_make_the_target(tmp_path: Path) -> None:
    remote = empty_remote(tmp_path)
    clone = remote.clone("a")
    hint = "git commit (nothing is committed here yet), then git push origin HEAD:refs/heads/main"
    assert f"hint: {hint}\n" == clone.orch("status").err
    clone.commit({"a": "a"}, "first")
    clone.git("switch", "-q", "-c", "b1")
    assert clone.orch("status").err == "hint: git push origin HEAD:refs/heads/main\n"
    refuses(clone, "submit", status=2, says="no branch 'main' to land on", hint="--target BRANCH", untouched=remote)
    refuses(clone, "land", status=10, says="nothing is ready", hint="git orch submit", untouched=remote, both=False)
    clone.push("HEAD:refs/heads/main")
    assert "nothing to land" in clone.orch("submit").out


def test_a_shallow_clone_lands_what_it_can_and_names_the_cure_for_the_rest(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, behind=False)
    for number in range(2):
        clone.commit({f"src/m{number}.txt": "call base\n"}, "main moves")
    clone.push("main")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{remote.path}", "shallow")
    shallow = Clone(tmp_path / "shallow", remote.ticks)
    says, hint = "this clone is shallow", "git fetch --unshallow"
    refuses(shallow, "land", "b1", status=1, says=says, hint=hint, untouched=remote)
    refuses(shallow, "land", "--all", status=1, says=says, hint=hint, untouched=remote, both=False)
    shallow.branch("own", {"src/own.txt": "call base\n"}, "made here")
    shallow.orch("submit", "own")
    shallow.orch("land", "own")
    assert remote.tip() == shallow.tip("own")
    shallow.git("fetch", "-q", "--unshallow")
    shallow.orch("land", "b1")
    assert job_of(remote, "b1")["Landed"] == remote.tip()


def test_a_single_branch_clone_lands_branches_that_it_never_fetched(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1, behind=False)
    clone.push("b2")
    single = remote.clone("single", "--single-branch")
    single.orch("land", "b1")
    single.orch("submit", "b2")
    single.orch("land", "b2")
    assert {"src/b1.txt", "src/b2.txt"} <= set(remote.files())
    assert set(single.refs("refs/heads")) == {"refs/heads/main"}


def test_two_linked_worktrees_are_two_holders(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.git("worktree", "add", "-q", "../linked", "b1")
    linked = Clone(tmp_path / "linked")
    linked.orch("submit")
    linked.orch("land")
    assert remote.tip() == clone.tip("b1")
    clone.orch("submit", "b2")
    linked.orch("lease", "acquire")
    refuses(clone, "lease", "release", status=2, says="no token", hint="git orch lease show main")
    refuses(clone, "land", "b2", status=11, says="the lease of main is held by", hint="--wait")
    linked.orch("lease", "release")
    clone.orch("land", "b2")
    assert_no_lease_is_held(remote)


def test_a_bare_clone_lands_and_submits_by_name(tmp_path: Path) -> None:
    remote, clone = submitted(tmp_path, more=1, behind=False)
    clone.push("b2")
    git(tmp_path, "clone", "-q", "--bare", str(remote.path), "bare.git")
    bare = Clone(tmp_path / "bare.git")
    bare.orch("land", "b1")
    bare.orch("submit", "b2")
    bare.orch("land", "b2")
    assert {"src/b1.txt", "src/b2.txt"} <= set(remote.files())


def test_a_bare_repository_is_its_own_remote(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.push("b1")
    inside = Clone(remote.path)
    inside.orch("submit", "b1")
    inside.orch("land", "b1")
    assert remote.tip() == clone.tip("b1")
    assert clone.orch("list", "--all", "--json").json()["data"]["jobs"][0]["state"] == "done"


def test_any_folder_of_a_checkout_will_do(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.write({"deep/er/file": "untracked"})
    for folder, command in (("deep/er", ("submit", "b1")), ("src", ("land",)), (".git", ("status",))):
        Clone(clone.path / folder).orch(*command)
    assert remote.tip() == clone.tip("b1")
    assert (clone.path / "deep/er/file").read_text() == "untracked"


def test_outside_of_a_repository_every_command_says_so(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    here = Clone(nowhere)
    refuses(here, "land", status=2, says="this is not a git repository", hint="git init")
    for command in (("submit",), ("init",), ("doctor",), ("status",), ("lease", "show")):
        run = here.orch(*command, "--json", check=2)
        assert one_document(run, 2)["error"]["message"] == "this is not a git repository"
    assert list(nowhere.iterdir()) == []
    here.orch("version")
    here.orch("help", "land")


def test_git_dir_and_work_tree_of_the_caller_are_honoured_and_nothing_else_of_git(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.git("switch", "-q", "b1")
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Clone(tmp_path / "elsewhere")
    env = {"GIT_DIR": str(clone.path / ".git"), "GIT_WORK_TREE": str(clone.path)}
    elsewhere.orch("submit", env=env)
    misleading = {"GIT_INDEX_FILE": "nowhere", "GIT_OBJECT_DIRECTORY": "nowhere", "GIT_NAMESPACE": "n"}
    clone.orch("land", env=misleading)
    assert remote.tip() == clone.tip("b1")
    for value in ("/nowhere", ""):
        refuses(clone, "status", status=2, says="not a git repository", hint="git init", env={"GIT_DIR": value})


def test_git_that_cannot_read_a_repository_is_quoted(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    broken = {"GIT_CONFIG_COUNT": "many"}
    refuses(clone, "status", status=2, says="git does not work here: bogus count", hint="git status", env=broken)
    with (clone.path / ".git/config").open("a") as file:
        file.write("[orch\n")
    refuses(
        clone, "land", status=2, says="git does not work here: bad config line", hint="git status", untouched=remote
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a repository to somebody else takes root")
def test_a_repository_of_somebody_else_is_left_to_gits_judgement(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    for path in (clone.path, clone.path / ".git"):
        os.chown(path, 12_345, 12_345)
    refuses(clone, "status", status=2, says="dubious ownership", hint="git status")


def test_without_git_every_command_says_so(tmp_path: Path) -> None:
    clone = project(tmp_path).clone("a")
    refuses(clone, "status", status=1, says="git could not be started", hint="git --version", env={"PATH": "/nowhere"})
    clone.orch("--version", env={"PATH": "/nowhere"})


def test_the_wrong_remote_is_refused_and_odd_ones_work(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 3)
    for value in ("nothing", "-x", "https://example.org/x"):
        clone.git("config", "orch.remote", value)
        refuses(clone, "land", status=2, says="there is no remote named", hint="git remote -v", both=value == "nothing")
    clone.git("config", "--unset", "orch.remote")
    clone.git("remote", "rename", "origin", "team/upstream")
    clone.orch("submit", "b1")
    clone.orch("land", "b1")
    clone.git("remote", "add", "second", str(remote.path))
    says = "several remotes and none is named origin"
    refuses(clone, "submit", "b2", status=2, says=says, hint="git orch init --remote NAME", untouched=remote)
    clone.orch("init", "--remote", "second")
    clone.orch("submit", "b2")
    assert lease(clone)["epoch"] == 1, "two names for one remote see the same"
    clone.git("config", "remote.second.mirror", "true")
    clone.git("config", "remote.second.push", "refs/heads/*:refs/heads/copy/*")
    before = set(remote.refs("refs/heads"))
    clone.orch("land", "b2")
    assert set(remote.refs("refs/heads")) == before, "what the configuration adds to a push is not pushed"


def test_a_clone_that_fetches_everything_over_itself_still_lands(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.git("config", "remote.origin.fetch", "+refs/*:refs/*")
    clone.git("checkout", "-q", "--detach")
    clone.orch("submit", "b1")
    clone.git("fetch", "-q", "--prune")
    clone.orch("land", "b1")
    clone.git("fetch", "-q", "--prune")
    assert states(remote) == {"done"}
    run = clone.orch("doctor", check=1)
    assert "+refs/*:refs/*" in run.out and "--unset" not in run.err
    assert try_git(remote.path, "fsck", "--strict").status == 0
