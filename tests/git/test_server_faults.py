"""What goes wrong below git, on the server and on the machine: locks that nobody holds, full disks, a lander that
stands still, garbage collection, a clone that is deleted under a running command. A failure here means: work was lost,
a command hung or said nothing that helps, or a lease stayed held."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from pathlib import Path

import pytest

from tests.git.disks import FILL, run_on_small_disk
from tests.git.landing import add_branches, gate_runs, jobs, landed_jobs, lease, project, project_alone
from tests.git.refusals import assert_no_lease_is_held, message_and_hint
from tests.git.working import COMMIT, send, state, worker_clone
from tests.support import Clone, Remote, eventually, try_git


def scene(tmp_path: Path, branches: int = 1) -> tuple[Remote, Clone]:
    """A remote, and a clone with branches that are submitted."""
    remote = project(tmp_path)
    clone = remote.clone("a")
    for name in add_branches(clone, branches):
        clone.orch("submit", name, "--id", name)
    return remote, clone


# -- locks


@pytest.mark.parametrize("pushed", ["edit", "land", "gc"])
def test_a_lock_that_a_killed_git_left_on_the_server_is_named_and_lost_time_is_short(
    tmp_path: Path, pushed: str
) -> None:
    remote, clone = scene(tmp_path, 2)
    clone.orch("cancel", "b2")
    remote.git("pack-refs", "--all")
    lock, words = {
        "edit": ("refs/orch/jobs/b1.lock", ("edit", "b1", "--priority", "3")),
        "land": ("refs/heads/main.lock", ("land", "b1")),
        "gc": ("packed-refs.lock", ("gc", "--now")),
    }[pushed]
    path = remote.path / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    before = remote.refs("refs/heads")
    run = clone.orch(*words, check=17)
    message, hint = message_and_hint(run)
    assert "the remote has not been able to write for" in message and f"{path.name}': File exists" in message, (
        run.said()
    )
    assert "remove it there, then run the same command again" in hint
    assert remote.refs("refs/heads") == before
    path.unlink()
    clone.orch(*words)
    assert_no_lease_is_held(remote)


def fails_to_take_its_own_lease(tmp_path: Path) -> tuple[Remote, Clone]:
    """A clone whose `gate` left the lease held, and whose `land` met a lock that is gone by now."""
    remote, clone = scene(tmp_path)
    clone.orch("gate", "b1")
    lock = remote.path / "refs/orch/leases/main.lock"
    lock.touch()
    clone.orch("land", "b1", check=17)
    lock.unlink()
    return remote, clone


def test_a_push_that_fails_does_not_make_a_worktree_forget_the_lease_that_it_holds(tmp_path: Path) -> None:
    """The lease that `gate` left held is one's own for the landing, also at the second attempt."""
    _, clone = fails_to_take_its_own_lease(tmp_path)
    assert lease(clone)["state"] == "held"
    clone.orch("land", "b1")


def test_a_lease_that_was_not_taken_again_can_still_be_given_back(tmp_path: Path) -> None:
    remote, clone = fails_to_take_its_own_lease(tmp_path)
    clone.orch("lease", "renew")
    clone.orch("lease", "release")
    assert_no_lease_is_held(remote)


# -- disks

_ON_FULL_REMOTE = """
import json, os, shutil, subprocess, sys
remote, copy, clone, fill, commands = sys.argv[1:]
shutil.copytree(copy, remote, dirs_exist_ok=True)
subprocess.run([*json.loads(fill), remote + "/fill"], check=True)
said = []
for words in json.loads(commands):
    run = subprocess.run([sys.executable, "-m", "gitorch", *words], cwd=clone, capture_output=True, text=True)
    said.append([run.returncode, run.stderr])
refs = subprocess.run(["git", "-C", remote, "for-each-ref"], capture_output=True, text=True).stdout
os.unlink(remote + "/fill")
for words in json.loads(commands):
    run = subprocess.run([sys.executable, "-m", "gitorch", *words], cwd=clone, capture_output=True, text=True)
    said.append([run.returncode, run.stderr])
subprocess.run([sys.executable, "-m", "gitorch", "fsck"], cwd=clone, check=True, stdout=2)
json.dump({"said": said, "refs": refs}, sys.stdout)
"""


def test_a_remote_whose_disk_is_full_refuses_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    remote, clone = scene(tmp_path)
    clone.branch("late", {"src/late.txt": "call base\n"}, "Late")
    clone.orch("add", "To do", "--id", "todo")
    commands = [["add", "New", "--id", "new"], ["claim", "todo"], ["submit", "late", "--id", "late"], ["land", "b1"]]
    copy, before = tmp_path / "copy.git", remote.git("for-each-ref")
    remote.path.rename(copy)
    run = run_on_small_disk(
        *(remote.path, 4096, _ON_FULL_REMOTE),
        *(str(remote.path), str(copy), str(clone.path), json.dumps(FILL), json.dumps(commands)),
    )
    assert run.status == 0, run.said()
    found = run.json()
    for status, err in found["said"][: len(commands)]:
        assert (status, "Traceback" in err) == (16, False), err
        assert "No space left on device" in err and "hint: look at the disk" in err
    assert found["refs"].strip() == before, "nothing is written by halves"
    assert [status for status, _ in found["said"][len(commands) :]] == [0] * len(commands), found


_IN_FULL_CLONE = """
import json, os, shutil, subprocess, sys
place, copy, fill, commands = sys.argv[1:]
shutil.copytree(copy, place + "/clone", symlinks=True)
said = []
def run(words):
    call = [sys.executable, "-m", "gitorch", *words]
    run = subprocess.run(call, cwd=place + "/clone", capture_output=True, text=True)
    said.append([run.returncode, run.stderr])
for words in json.loads(commands):
    subprocess.run([*json.loads(fill), place + "/fill"], check=True)
    run(words)
    os.unlink(place + "/fill")
    run(words)
json.dump(said, sys.stdout)
"""


def test_a_clone_whose_disk_is_full_says_so_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    """The first of each pair of commands meets a full disk; what it could do without it, it may have done."""
    remote, clone = scene(tmp_path)
    clone.branch("late", {"src/late.txt": "call base\n"}, "Late")
    clone.orch("add", "To do", "--id", "todo")
    commands = [["add", "New", "--id", "new"], ["claim", "todo"], ["submit", "late", "--id", "late"]]
    commands.append(["land", "--all"])
    copy = tmp_path / "copy"
    clone.path.rename(copy)
    run = run_on_small_disk(
        *(clone.path, 8192, _IN_FULL_CLONE),
        *(str(clone.path), str(copy), json.dumps(FILL), json.dumps(commands)),
    )
    assert run.status == 0, run.said()
    for (full, err), (free, err_then) in zip(run.json()[::2], run.json()[1::2], strict=True):
        assert "Traceback" not in err + err_then
        assert full != 0 or free in (0, 10), (err, err_then)
        assert full == 0 or "disk" in err or "No space left" in err, err
        assert free in (0, 2, 10), err_then
    other = remote.clone("b")
    assert other.orch("fsck").status == 0
    assert {name: state(other, name) for name in ("b1", "late", "new", "todo")} == {
        "b1": "done",
        "late": "done",
        "new": "queued",
        "todo": "claimed",
    }


# -- standing still


def test_a_lander_that_stands_still_past_its_lease_changes_nothing_when_it_wakes_up(tmp_path: Path) -> None:
    """I5: its gate ends green meanwhile, and another has landed."""
    remote, clone = scene(tmp_path, 2)
    clone.git("config", "orch.leaseTTL", "2")
    other = worker_clone(remote, "b", leaseTTL="2")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log) and lease(other)["state"] == "held", "the gate starts")
    send(running, signal.SIGSTOP)
    other.orch("land", "b2", "--wait")
    hold.unlink()
    before = remote.refs()
    send(running, signal.SIGCONT)
    run = running.wait()
    assert run.status == 12, run.said()
    assert remote.refs() == before, "I5"
    assert jobs(other)["b1"]["state"] == "submitted"
    clone.orch("land", "b1")
    clone.git("fetch", "-q")
    assert landed_jobs(clone) == ["b2", "b1"]
    assert_no_lease_is_held(remote)


# -- a worktree that is half made


@pytest.mark.parametrize("alone", [False, True])
def test_a_worktree_that_was_half_made_by_a_killed_landing_is_forgotten(tmp_path: Path, alone: bool) -> None:
    """Git writes an id of zeros before the real one, and stumbles over it at every fetch of the clone."""
    clone = project_alone(tmp_path) if alone else project(tmp_path).clone("a")
    (branch,) = add_branches(clone, 1)
    half_made(clone, "gate-1", "git orch keeps this for gates (gate-1)")
    clone.orch("submit", branch, "--id", "b1")
    clone.orch("land", "b1")
    assert "0000000" not in clone.git("worktree", "list")


def test_a_worktree_that_others_left_half_made_is_named_and_left_alone(tmp_path: Path) -> None:
    remote, clone = scene(tmp_path)
    admin = half_made(clone, "theirs", "initializing")
    clone.branch("new", {"new": "x"}, "new")
    other = remote.clone("b")
    other.orch("add", "Something new", "--id", "new")
    run = clone.orch("status", check=1)
    message, hint = message_and_hint(run)
    assert message == "git cannot fetch in this clone: the worktree theirs was half made when its git was killed"
    assert hint.startswith("git worktree list, then git worktree unlock") and admin.exists()
    clone.git("worktree", "unlock", f"{clone.path}/.git/orch/worktrees/theirs")
    clone.git("worktree", "prune")
    assert clone.orch("status").status == 0, "the hint helps"


def half_made(clone: Clone, name: str, reason: str) -> Path:
    """What `git worktree add` has written when it is killed at the right moment."""
    admin = clone.path / ".git/worktrees" / name
    admin.mkdir(parents=True)
    for file, text in (
        ("locked", reason),
        ("gitdir", f"{clone.path}/.git/orch/worktrees/{name}/.git"),
        ("HEAD", "0" * 40),
        ("commondir", "../.."),
    ):
        (admin / file).write_text(text + "\n")
    return admin


# -- garbage collection


def test_packing_and_collecting_garbage_on_the_server_all_the_time_disturbs_nobody(tmp_path: Path) -> None:
    remote, clone = scene(tmp_path)
    over = threading.Event()
    packed: list[int] = []

    def keep() -> None:
        while not over.is_set():
            packed.append(try_git(remote.path, "pack-refs", "--all", "--prune").status)
            packed.append(try_git(remote.path, "gc", "--quiet").status)

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        for number in range(6):
            name = f"n{number}"
            clone.orch("add", f"Job {name}", "--id", name)
            clone.orch("claim", name)
            clone.branch(name, {f"src/{name}.txt": "call base\n"}, f"Work {name}", start="origin/main")
            clone.orch("release", name)
            clone.orch("submit", name, "--id", f"b-{name}")
            clone.orch("land", f"b-{name}")
        clone.orch("gc", "--now")
    finally:
        over.set()
        keeper.join()
    assert 0 in packed, "it was packed meanwhile"
    assert clone.orch("fsck").status == 0
    assert remote.git("fsck", "--no-dangling", "--no-progress") == ""
    clone.git("fetch", "-q")
    assert landed_jobs(clone) == [f"b-n{number}" for number in range(6)]


# -- a clone that goes away


def test_a_clone_that_is_deleted_under_a_landing_leaves_the_work_to_others(tmp_path: Path) -> None:
    remote, clone = scene(tmp_path)
    clone.git("config", "orch.leaseTTL", "2")
    other = worker_clone(remote, "b", leaseTTL="2")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    shutil.rmtree(clone.path)
    hold.unlink()
    run = running.wait()
    assert run.status not in (0, -9) and "Traceback" not in run.err, run.said()
    other.orch("land", "b1", "--wait")
    assert other.orch("fsck").status == 0
    assert_no_lease_is_held(remote)


def test_a_clone_that_is_deleted_under_a_worker_leaves_the_job_to_others(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = worker_clone(remote, "ada", workerTTL="2")
    clone.orch("add", "Do it", "--id", "one")
    began = tmp_path / "began"
    go = tmp_path / "go"
    wait = f'touch "{began}"; while [ ! -e "{go}" ]; do sleep 0.05; done; '
    running = clone.start_orch("work", "--once", "--", wait + COMMIT)
    eventually(began.exists, "the command runs", 30)
    shutil.rmtree(clone.path)
    go.touch()
    run = running.wait()
    assert "Traceback" not in run.err, run.said()
    other = worker_clone(remote, "bob", workerTTL="2")
    second = other.start_orch("work", "--", COMMIT)
    eventually(lambda: state(other, "one") == "submitted", "another does the job", 60)
    send(second, signal.SIGTERM)
    second.wait()
    other.orch("land", "one")
    assert other.orch("fsck").status == 0
