"""A failure here means that two processes share a private worktree, that one is not repaired, or that something of the
user's was touched."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.core.model import Oid
from gitorch.shell.checkout import GateWorktree
from gitorch.shell.worktrees import Kind, delete_tree, is_written_to
from tests.git.disks import run_on_small_disk
from tests.git.gate_files import FILES, assert_exactly, everything, oid
from tests.git.killing import group_of, kill_everywhere
from tests.git.rebases import (
    bystanders,
    worktrees,
)
from tests.support import Clone, eventually, git, make_alone


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, FILES)


@pytest.fixture
def gate(repo: Clone) -> Iterator[GateWorktree]:
    gate = GateWorktree.take(worktrees(repo.path))
    yield gate
    gate.release()


# Whose place it is


def test_a_busy_place_is_passed_over_and_a_released_one_is_used_again(repo: Clone) -> None:
    here = worktrees(repo.path)
    first, second, other = here.take(Kind.GATE), here.take(Kind.GATE), here.take(Kind.CATCH_UP)
    assert [place.path.name for place in (first, second, other)] == ["gate-1", "gate-2", "catchup-1"]
    assert first.path.parent == repo.path / ".git" / "orch" / "worktrees"
    thread = threading.Thread(target=first.release)
    thread.start()
    thread.join()
    assert worktrees(repo.path).take(Kind.GATE).path == first.path


NOBODY = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())

HOLDER = """
import signal, sys
from pathlib import Path
from gitorch.shell.worktrees import Kind
from tests.git.rebases import worktrees
place = worktrees(Path(sys.argv[1])).take(Kind.GATE)
print(place.path.name, flush=True)
signal.pause()
"""


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_the_place_of_a_killed_process_is_free_at_once(repo: Clone) -> None:
    with group_of(sys.executable, "-c", HOLDER, str(repo.path)) as holder:
        assert line(holder) == "gate-1"
        second = worktrees(repo.path).take(Kind.GATE)
        assert second.path.name == "gate-2"
    assert worktrees(repo.path).take(Kind.GATE).path.name == "gate-1"
    second.release()


def test_a_place_is_not_free_while_something_of_its_killed_owner_may_still_write_there(repo: Clone) -> None:
    """As when the kernel, out of memory, kills one process of many."""
    script = '"$0" -c "$1" "$2" & sleep 1000 & wait %1; echo gone; wait'
    dying = HOLDER.replace("signal.pause()", "signal.raise_signal(9)")
    with group_of("sh", "-c", script, sys.executable, dying, str(repo.path)) as group:
        assert (line(group), line(group)) == ("gate-1", "gone")
        place = worktrees(repo.path).take(Kind.GATE)
        assert place.path.name == "gate-2"
        place.release()
    assert worktrees(repo.path).take(Kind.GATE).path.name == "gate-1"


def gate_of(repo: Clone, process: subprocess.Popen[str]) -> Path:
    """Record a process as the gate that ran last in the first place."""
    path = repo.path / ".git/orch/worktrees/gate-1"
    path.parent.mkdir(parents=True)
    Path(f"{path}.pgid").write_text(f"{process.pid}\n")
    return path


def test_a_place_where_an_orphaned_gate_still_runs_is_passed_over(repo: Clone) -> None:
    with group_of("sleep", "1000") as orphan:
        path = gate_of(repo, orphan)
        assert is_written_to(path)
        place = worktrees(repo.path).take(Kind.GATE)
        assert place.path.name == "gate-2"
        place.release()
    assert worktrees(repo.path).take(Kind.GATE).path == path


def test_zombies_write_nothing(repo: Clone) -> None:
    with group_of("true") as zombie:
        path = gate_of(repo, zombie)
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert worktrees(repo.path).take(Kind.GATE).path == path


@pytest.mark.parametrize("number", ["", "x", "0", "1", "-1", "999999999", "12 13"])
def test_a_number_that_names_no_group_keeps_nobody_away(repo: Clone, number: str) -> None:
    path = repo.path / ".git/orch/worktrees/gate-1"
    path.parent.mkdir(parents=True)
    Path(f"{path}.pgid").write_text(number)
    assert worktrees(repo.path).take(Kind.GATE).path == path


def test_a_git_directory_that_cannot_be_written_is_one_sentence(repo: Clone) -> None:
    (repo.path / ".git/orch").write_text("in the way")
    with pytest.raises(OrchError, match=r"cannot work in .*orch/worktrees"):
        worktrees(repo.path).take(Kind.GATE)


# What is not ours


def test_the_users_files_index_refs_and_configuration_stay_byte_for_byte(repo: Clone) -> None:
    repo.git("sparse-checkout", "set", "folder")
    repo.git("config", "submodule.recurse", "true")
    repo.git("config", "core.splitIndex", "true")
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit", "fsmonitor-watchman"):
        repo.hook(hook, f"touch {shlex.quote(str(repo.path))}/{hook}-ran; exit 1\n")
    repo.write({"folder/inner": "dirty\n", "untracked": "x"})
    before = bystanders(repo.path)
    gate = GateWorktree.take(worktrees(repo.path))
    for _ in range(2):
        gate.checkout(oid(repo))
        assert everything(gate.path) == {*FILES, "folder/"}
        assert gate.inspect(oid(repo)) == ""
    gate.release()
    assert bystanders(repo.path) == before
    assert not list((repo.path / ".git/worktrees/gate-1").glob("sharedindex.*"))


def test_a_sparse_checkout_of_the_users_is_no_matter_of_gates(repo: Clone) -> None:
    repo.git("config", "core.sparseCheckout", "true")
    (repo.path / ".git/info/sparse-checkout").write_text("/folder/\n")
    gate = GateWorktree.take(worktrees(repo.path))
    for _ in range(2):
        gate.checkout(oid(repo))
        assert everything(gate.path) == {*FILES, "folder/"}
    gate.release()


def test_a_directory_that_another_repository_took_for_a_worktree_is_taken_back(repo: Clone, tmp_path: Path) -> None:
    gate = GateWorktree.take(worktrees(repo.path))
    other = make_alone(tmp_path, {"other": "x\n"}, name="other")
    other.git("worktree", "add", "-q", "--detach", str(gate.path))
    before = bystanders(other.path)
    gate.checkout(oid(repo))
    assert_exactly(gate, repo, oid(repo))
    assert bystanders(other.path) == before
    gate.release()


def test_worktrees_of_the_users_own_are_left_alone(repo: Clone, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "--detach", "--lock", str(tmp_path / "gate-1"))
    repo.git("worktree", "add", "-q", "-b", "mine", str(tmp_path / "elsewhere" / "gate-1"))
    gate = GateWorktree.take(worktrees(repo.path))
    gate.checkout(oid(repo))
    shutil.rmtree(gate.path)
    gate.checkout(oid(repo))
    gate.release()
    listed = repo.git("worktree", "list", "--porcelain")
    assert listed.count("worktree ") == 4
    for path in (tmp_path / "gate-1", tmp_path / "elsewhere" / "gate-1"):
        assert f"worktree {path}\n" in listed
        assert git(path, "status", "--porcelain") == ""


def test_pruning_worktrees_does_not_take_ours_away(repo: Clone, gate: GateWorktree) -> None:
    gate.checkout(oid(repo))
    away = gate.path.with_name("away")
    gate.path.rename(away)
    repo.git("worktree", "prune", "--expire=now")
    away.rename(gate.path)
    assert_exactly(gate, repo, oid(repo))


def test_a_copied_or_moved_repository_has_worktrees_of_its_own(repo: Clone, tmp_path: Path) -> None:
    gate = GateWorktree.take(worktrees(repo.path))
    gate.checkout(oid(repo))
    gate.release()
    copy = Clone(Path(shutil.copytree(repo.path, tmp_path / "copy", symlinks=True)))
    other = Oid(copy.commit({"file": "copy\n"}, "copy"))
    for path in (copy.path, tmp_path / "moved"):
        if not path.exists():
            copy.path.rename(path)
        theirs = GateWorktree.take(worktrees(path))
        theirs.checkout(other)
        assert_exactly(theirs, Clone(path), other)
        assert Clone(path).git("worktree", "list", "--porcelain").count("worktree ") == 2
        theirs.release()
    assert_exactly(gate, repo, oid(repo))


# Faults and crashes


def test_folders_that_a_gate_made_unwritable_are_deleted() -> None:
    # Not tmp_path: its parents are closed to whom we become.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "place")
        (path / "cache/inner").mkdir(parents=True)
        (path / "cache/inner/file").write_text("x")
        (path / "cache/link").symlink_to(folder)
        Path(folder).chmod(0o777)
        for entry in (path, *path.rglob("*")):
            os.chown(entry, *NOBODY, follow_symlinks=False)
        (path / "cache/inner").chmod(0o500)
        (path / "cache").chmod(0)

        def delete() -> None:
            if os.geteuid() == 0:  # whom no permission stops
                os.setuid(NOBODY[0])
            delete_tree(path)

        assert list(kill_everywhere(delete)) == [1, 2]
        assert list(Path(folder).iterdir()) == []


def test_a_missing_commit_is_an_error_and_the_next_checkout_succeeds(repo: Clone, gate: GateWorktree) -> None:
    for _ in range(2):
        with pytest.raises(OrchError):
            gate.checkout(Oid("1" * 40))
        gate.checkout(oid(repo))
        assert_exactly(gate, repo, oid(repo))


def test_a_filter_that_fails_is_an_error_and_the_next_checkout_succeeds(repo: Clone, gate: GateWorktree) -> None:
    good = oid(repo)
    repo.git("config", "filter.broken.smudge", "false")
    repo.git("config", "filter.broken.clean", "cat")
    repo.git("config", "filter.broken.required", "true")
    bad = Oid(repo.commit({".gitattributes": "new filter=broken\n", "new": "x\n", "file": "y\n"}, "bad"))
    with pytest.raises(OrchError, match="smudge filter"):
        gate.checkout(bad)
    gate.checkout(good)
    assert_exactly(gate, repo, good)


FULL = """
import shutil, subprocess, sys
from pathlib import Path
from gitorch.core.model import Oid
from gitorch.shell.checkout import GateWorktree
from gitorch.shell.worktrees import DiskFullError
from tests.git.disks import FILL
from tests.git.rebases import worktrees
source, small, *commits = sys.argv[1:]
repo = shutil.copytree(source, small + "/repo", symlinks=True)
gate = GateWorktree.take(worktrees(Path(repo)))
gate.checkout(Oid(commits[0]))
subprocess.run([*FILL, small + "/ballast"], check=True)
try:
    gate.checkout(Oid(commits[1]))
except DiskFullError as error:
    print("full:", error.message, error.hint)
Path(small, "ballast").unlink()
gate.checkout(Oid(commits[1]))
print("reason:", gate.inspect(Oid(commits[1])), sum(path.stat().st_size for path in gate.path.glob("large*")))
"""


def test_a_full_disk_is_said_to_be_full_and_the_next_checkout_succeeds(repo: Clone, tmp_path: Path) -> None:
    first = oid(repo)
    second = repo.commit({f"large{number}": f"{number}" * 200_000 for number in range(5)}, "large")
    run = run_on_small_disk(
        tmp_path / "small", 12_000, FULL, str(repo.path), str(tmp_path / "small"), str(first), second
    )
    said = [*run.out.splitlines(), "", ""]
    assert said[0].startswith("full: the disk is full: cannot write in "), run.said()
    assert said[1] == "reason:  1000000"


@pytest.mark.parametrize("there", [False, True], ids=["while it is made", "while it is there"])
def test_killed_at_any_step_the_next_checkout_is_exact(repo: Clone, there: bool) -> None:
    commits = [oid(repo), Oid(repo.commit({"file": "other\n", "new/file": "x\n", "tool": None}, "second"))]
    before = bystanders(repo.path)

    def checkout(commit: Oid) -> GateWorktree:
        gate = GateWorktree.take(worktrees(repo.path))
        gate.checkout(commit)
        return gate

    if there:
        checkout(commits[0]).release()
    steps = 0
    for step in kill_everywhere(lambda: checkout(commits[1])):
        steps = step
        gate = checkout(commits[0])
        assert_exactly(gate, repo, commits[0])
        assert gate.path.name == "gate-1"
        gate.release()
        if not there:
            repo.git("worktree", "remove", "--force", "--force", str(gate.path))
    assert steps >= 8
    assert bystanders(repo.path) == before
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 2


CHECKOUT = """
import sys
from pathlib import Path
from gitorch.core.model import Oid
from gitorch.shell.checkout import GateWorktree
from tests.git.rebases import worktrees
GateWorktree.take(worktrees(Path(sys.argv[1]))).checkout(Oid(sys.argv[2]))
"""


def test_killed_in_the_middle_of_writing_files_the_next_checkout_is_exact(repo: Clone, tmp_path: Path) -> None:
    first, begun = oid(repo), tmp_path / "begun"
    files = {
        "file": "half\n",
        ".gitattributes": "slow filter=slow\n",
        "slow": "x\n",
        "zebra": "z\n",
        "folder/inner": "y",
    }
    second = Oid(repo.commit(files, "second"))
    repo.git("config", "filter.slow.smudge", f"touch {shlex.quote(str(begun))}; sleep 1000")
    for _ in range(2):
        with group_of(sys.executable, "-c", CHECKOUT, str(repo.path), second):
            eventually(begun.exists, "the checkout began")
        begun.unlink()
        gate = GateWorktree.take(worktrees(repo.path))
        gate.checkout(first)
        assert_exactly(gate, repo, first)
        gate.release()


def test_a_worktree_that_was_half_made_is_made_anew(repo: Clone) -> None:
    gate = GateWorktree.take(worktrees(repo.path))
    gate.checkout(oid(repo))
    registered = repo.path / ".git/worktrees/gate-1"
    for names in (["gitdir"], ["gitdir", "HEAD"], ["HEAD", "commondir", "index", "orch-index"]):
        for name in names:
            (registered / name).unlink()
        shutil.rmtree(gate.path)
        gate.checkout(oid(repo))
        assert_exactly(gate, repo, oid(repo))
        assert [path.name for path in (repo.path / ".git/worktrees").iterdir()] == ["gate-1"]
    gate.release()


BUSY_GIT = """#!/bin/sh
case " $* " in *" worktree add "*)
    echo x >> {count}
    if [ "$(wc -l < {count})" -le {failures} ]; then
        echo "fatal: could not lock config file .git/config.lock: File exists" >&2
        exit 128
    fi ;;
esac
exec {git} "$@"
"""


@pytest.mark.parametrize(("failures", "tries"), [(3, 4), (1000, 20)])
def test_making_a_worktree_waits_for_lock_files_of_others_but_not_for_ever(
    repo: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, tries: int
) -> None:
    """The git of this test is a wrapper that finds the lock taken a few times."""
    real, wrapper, count = shutil.which("git"), tmp_path / "bin" / "git", tmp_path / "count"
    wrapper.parent.mkdir()
    wrapper.write_text(BUSY_GIT.format(count=count, failures=failures, git=real))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    gate = GateWorktree.take(worktrees(repo.path))
    if failures < tries:
        gate.checkout(oid(repo))
        assert_exactly(gate, repo, oid(repo))
    else:
        with pytest.raises(OrchError, match="could not lock config file"):
            gate.checkout(oid(repo))
    assert len(count.read_text().splitlines()) == tries
    gate.release()


def test_many_at_once_make_worktrees_of_their_own(repo: Clone) -> None:
    commits = [oid(repo), *(Oid(repo.commit({f"new{n}": "x\n"}, f"{n}")) for n in range(5))]
    together = threading.Barrier(6)

    def work(commit: Oid) -> str:
        gate = GateWorktree.take(worktrees(repo.path))
        gate.checkout(commit)
        assert_exactly(gate, repo, commit)
        together.wait(60)
        gate.release()
        return gate.path.name

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, commits)) == [f"gate-{n}" for n in range(1, 7)]


@pytest.mark.parametrize("name", ["with spaces", 'it\'s "quoted"', "new\nline", "ümläut", "-dash", "\udcff"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    repo = make_alone(tmp_path, FILES, name=f"{name}/repo")
    gate = GateWorktree.take(worktrees(repo.path))
    for _ in range(2):
        gate.checkout(oid(repo))
        assert_exactly(gate, repo, oid(repo))
    gate.release()


def test_a_bare_repository_and_a_linked_worktree_have_worktrees_for_gates(repo: Clone, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo.path), "bare.git")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    for path, where in ((tmp_path / "bare.git", "orch"), (tmp_path / "linked", "../alone/.git/orch")):
        gate = GateWorktree.take(worktrees(path))
        assert gate.path == (path / where / "worktrees/gate-1").resolve()
        gate.checkout(oid(repo))
        assert_exactly(gate, repo, oid(repo))
        gate.release()
