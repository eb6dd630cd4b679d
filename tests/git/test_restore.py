"""A remote that was wiped gets its state back from a clone. A failure here means that jobs, leases or verdicts are lost
with it, or that restoring overwrites what somebody made since."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.engine.restore import restore
from gitorch.session import open_session
from tests.git.killing import kill_everywhere
from tests.git.landing import lease, project, project_alone
from tests.git.test_gc import finished, live
from tests.support import Clone, Remote, try_git

pytestmark = pytest.mark.unguarded

STATE = ("refs/orch/", "refs/notes/")


def state(remote: Remote) -> dict[str, str]:
    """All that git orch keeps on the remote, but for workers."""
    return {name: oid for prefix in STATE for name, oid in remote.refs(prefix).items()}


def busy(tmp_path: Path) -> tuple[Remote, Clone]:
    """A remote with an archived job, a landed one, and one that waits for being landed."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    for name in ("one", "two", "three"):
        clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Add {name}")
        clone.orch("submit", name, "--id", name)
    clone.orch("land", "one")
    clone.orch("gc", "--now")
    clone.orch("land", "two")
    return remote, clone


def wipe(remote: Remote) -> None:
    """What happens to people: a mirror push from a clone that never heard of git orch."""
    stranger = remote.clone("stranger")
    stranger.git("push", "-q", "--mirror", "origin")
    assert state(remote) == {}


def delete(remote: Remote, *names: str) -> None:
    for name in names:
        remote.git("update-ref", "-d", name)


def test_after_a_mirror_push_from_another_clone_everything_is_published_again(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    before = state(remote)
    wipe(remote)
    shown = clone.orch("restore", "-n", "--json").json()["data"]
    assert state(remote) == {} and set(shown["restored"]) == set(before)
    assert set(clone.orch("restore", "--json").json()["data"]["restored"]) == set(before)
    assert state(remote) == before
    assert remote.clone("b").orch("land", "three", "--json").json()["data"]["outcome"] == "landed"
    assert clone.orch("restore", "--json").json()["data"]["restored"] == []


def test_ordinary_commands_after_the_wipe_do_not_make_it_final(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    before = state(remote)
    wipe(remote)
    for command in (("status",), ("list", "--all"), ("log", "one"), ("show", "two")):
        clone.orch(*command, check=None)
    assert clone.orch("status").err.count("git orch restore -n") == 1
    run = clone.orch("doctor", check=1)
    assert "the remote lost state that this clone has seen" in run.out and "git orch restore" in run.out
    clone.orch("restore")
    assert state(remote) == before
    assert "lost state" not in clone.orch("doctor").out
    assert "restore" not in clone.orch("status").err


def test_what_was_made_since_the_wipe_stays(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    before = state(remote)
    wipe(remote)
    other = remote.clone("b")
    other.branch("new", {"src/new.txt": "call base\n"}, "New")
    other.orch("submit", "new", "--id", "three")
    other.orch("lease", "acquire", "main")
    made = state(remote)
    clone.orch("restore")
    after = state(remote)
    assert {name: after[name] for name in made} == made, "nothing is overwritten"
    assert {name: oid for name, oid in before.items() if name not in made} == {
        name: oid for name, oid in after.items() if name not in made
    }


def test_a_job_ref_that_somebody_deleted_by_hand_comes_back_and_archived_jobs_do_not(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    remote.clone("b").orch("gc", "--now")  # two: folded without this clone
    before = state(remote)
    clone.orch("status")
    delete(remote, live("three"))
    clone.orch("list")
    assert clone.orch("restore", "--json").json()["data"]["restored"] == [live("three")]
    assert state(remote) == before


def test_two_clones_restore_one_after_another(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    other = remote.clone("b")
    other.orch("status")
    clone.branch("four", {"src/four.txt": "call base\n"}, "Four")
    clone.orch("submit", "four", "--id", "four")
    before = state(remote)
    wipe(remote)
    other.orch("restore")
    assert live("four") not in state(remote), "that clone never saw it"
    clone.orch("restore")
    assert {name: oid for name, oid in state(remote).items() if name != "refs/orch/archive"} == {
        name: oid for name, oid in before.items() if name != "refs/orch/archive"
    }
    assert remote.clone("c").orch("land", "--all", "--json").json()["ok"]


def test_many_refs_are_restored_in_pushes_of_at_most_fifty(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    finished(clone, 70)
    before, log = state(remote), tmp_path / "pushes"
    wipe(remote)
    remote.hook("pre-receive", f'wc -l >> "{log}"\n')
    clone.orch("restore")
    assert [int(line) for line in log.read_text().split()] == [50, len(before) - 50]
    assert state(remote) == before


def test_a_restoration_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    before = state(remote)
    wipe(remote)
    clone.orch("status")

    def work() -> None:
        session = open_session(clone.path)
        restore(session.world(), session.store.remembered(), session.store.complete)
        session.store.forget_gone()
        session.close()

    for step in kill_everywhere(work):
        found = state(remote)
        assert all(before[name] == oid for name, oid in found.items()), f"step {step}"
        if step % 7 == 0:
            delete(remote, *found)
    clone.orch("restore")
    assert state(remote) == before


def test_what_git_has_pruned_is_named_and_the_rest_restored(tmp_path: Path) -> None:
    remote, clone = busy(tmp_path)
    before = state(remote)
    wipe(remote)
    clone.orch("status")
    clone.git("branch", "-D", "three")
    for folder in (clone.path / ".git" / "objects" / before[live("three")][:2],):
        (folder / before[live("three")][2:]).unlink()
    data = clone.orch("restore", "--json").json()["data"]
    assert data["incomplete"] == [live("three")]
    assert state(remote) == {name: oid for name, oid in before.items() if name != live("three")}
    assert lease(clone)["epoch"] == 2


def test_a_repository_that_is_its_own_remote_has_nothing_to_restore_from(tmp_path: Path) -> None:
    alone = project_alone(tmp_path)
    error = alone.orch("restore", "--json", check=2).json()["error"]
    assert "its own remote" in error["message"]


@pytest.mark.parametrize("damage", ["", "nonsense\n", "\x00\xff"])
def test_a_damaged_memory_is_an_empty_memory(tmp_path: Path, damage: str) -> None:
    remote, clone = busy(tmp_path)
    for path in (clone.path / ".git" / "orch" / "last-seen" / "origin").iterdir():
        path.write_bytes(damage.encode("latin-1"))
    before = state(remote)
    assert clone.orch("restore", "--json").json()["data"]["restored"] == []
    assert state(remote) == before
    assert try_git(clone.path, "fsck").status == 0
