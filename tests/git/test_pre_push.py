"""The client's pre-push hook: pushes by hand stay away from the state of git orch, all others pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.git.landing import add_branches, project
from tests.support import Clone, Remote, try_git

HOOK = Path(__file__).parents[2] / "hooks" / "pre-push"


def hooked(tmp_path: Path) -> tuple[Remote, Clone]:
    """A remote with a submitted job, and a clone with the hook."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.orch("submit", "b1")
    clone.hook("pre-push", HOOK.read_text().partition("\n")[2])
    return remote, clone


def test_a_mirror_push_is_stopped_before_it_deletes_the_state(tmp_path: Path) -> None:
    remote, clone = hooked(tmp_path)
    before = remote.refs()
    run = try_git(clone.path, "push", "--mirror", "origin")
    assert run.status != 0 and "only git orch may write" in run.err
    assert remote.refs() == before


@pytest.mark.parametrize("spec", [":refs/orch/jobs/{job}", "main:refs/orch/jobs/mine", "main:refs/orch-remotes/x/y"])
def test_a_stray_refspec_is_stopped(tmp_path: Path, spec: str) -> None:
    remote, clone = hooked(tmp_path)
    before = remote.refs()
    job = next(name for name in before if name.startswith("refs/orch/jobs/")).rsplit("/", 1)[1]
    assert try_git(clone.path, "push", "origin", spec.format(job=job)).status != 0
    assert remote.refs() == before


def test_ordinary_pushes_and_git_orch_itself_pass(tmp_path: Path) -> None:
    remote, clone = hooked(tmp_path)
    clone.push("b2")
    clone.orch("land", "b1")
    assert try_git(clone.path, "push", "-q", "origin", "refs/notes/orch").status == 0
    assert try_git(clone.path, "push", "-q", "origin", ":refs/notes/orch").status != 0
    assert remote.ref("refs/notes/orch") is not None


def test_a_target_is_not_pushed_by_hand_wherever_its_name_is_known_from(tmp_path: Path) -> None:
    remote, clone = hooked(tmp_path)
    by_hand = ("push", "origin", "b1:main")
    assert try_git(clone.path, "push", "--dry-run", *by_hand[1:]).status == 0, "nothing says that it is a target"
    clone.orch("land", "b1")
    before = remote.refs("refs/heads")
    clone.git("fetch", "-q", "origin")
    for known in ("lease", "config"):
        if known == "config":
            clone.git("config", "orch.target", "main")
        run = try_git(clone.path, "push", "origin", "+b2:main")
        assert run.status != 0 and "git orch submit" in run.err, known
        assert try_git(clone.path, "push", "origin", ":main").status != 0, known
    assert remote.refs("refs/heads") == before


@pytest.mark.unguarded
def test_the_gitorch_of_the_remotes_main_branch_names_targets_and_a_new_one_may_be_made(tmp_path: Path) -> None:
    remote, clone = hooked(tmp_path)
    clone.git("switch", "-q", "main")
    clone.commit({".gitorch": "[orch]\n\ttarget = release\n"}, "Name a target")
    clone.git("push", "-q", "origin", "main", "main:release")
    assert try_git(clone.path, "push", "origin", "b1:release").status != 0
    assert remote.tip("release") == remote.tip("main")


@pytest.mark.unguarded
def test_without_a_known_main_branch_the_gitorch_of_the_branch_itself_is_asked(tmp_path: Path) -> None:
    """A clone that was made while the remote was empty has no `origin/HEAD`."""
    remote, clone = hooked(tmp_path)
    clone.git("switch", "-q", "main")
    clone.commit({".gitorch": "[orch]\n\ttarget = main\n"}, "Name a target")
    clone.git("push", "-q", "origin", "main")
    clone.git("remote", "set-head", "origin", "--delete")
    before = remote.tip()
    run = try_git(clone.path, "push", "origin", "+b1:main")
    assert run.status != 0 and "moves only by landing" in run.err
    assert remote.tip() == before


def test_it_is_plain_posix_shell() -> None:
    assert subprocess.run(["dash", "-n", str(HOOK)], check=False).returncode == 0
