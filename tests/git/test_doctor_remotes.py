"""`git orch doctor` on remotes that do not do, or not always do, what they say; and that it leaves nothing there, also
when it is interrupted. All of them are real git with hooks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.git.doctoring import (
    ANY_STALE,
    BUT_DELETIONS,
    EACH_STALE,
    MEET,
    NO_LOSER,
    about,
    findings,
    problems,
    proc_receive,
    type_in,
)
from tests.git.landing import project, project_alone
from tests.support import Clone, Remote, eventually, git

pytestmark = pytest.mark.unguarded

SCRATCH = "refs/orch/scratch"
WRITES = "write(new, ref)"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Remote, Clone]:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "user.email", "ada@example.org")
    return remote, clone


def decided_by(remote: Remote, script: str) -> None:
    remote.git("config", "receive.procReceiveRefs", SCRATCH)
    remote.hook("proc-receive", script)


def test_a_server_that_compares_in_one_step_and_swaps_in_another_is_found_by_the_race(
    pair: tuple[Remote, Clone],
) -> None:
    remote, clone = pair
    decided_by(remote, proc_receive(ANY_STALE, WRITES, MEET))
    assert {one["level"] for one in findings(clone)} == {"ok"}, "one after another, it compares"
    found = about(clone, "does not compare and swap: of 8 that race to", "--remote-race")
    assert found["level"] == "problem", found
    assert not remote.refs("refs/orch")


@pytest.mark.parametrize(
    ("verdict", "where", "what"),
    [
        (NO_LOSER, "refuses to create what exists", "creating a ref that existed by then was accepted"),
        (
            "{ref for old, new, ref in lines if set(old) == {48} and value(ref) != old}",
            "compares before it swaps",
            "an update with an outdated old value was accepted",
        ),
        (EACH_STALE, "pushes all or nothing", "carried out a part of an all-or-nothing push"),
        (BUT_DELETIONS, "deletes with a guard", "deleting a ref that had another value by then was accepted"),
    ],
)
def test_a_server_that_looks_not_at_every_old_value_is_found_without_a_race(
    pair: tuple[Remote, Clone], verdict: str, where: str, what: str
) -> None:
    """Git itself refuses what it sees to be stale: only a push that is overtaken asks the server."""
    remote, clone = pair
    decided_by(remote, proc_receive(verdict, WRITES))
    said = problems(clone)
    assert len(said) == 1 and f"fails where it {where}" in said[0] and what in said[0], said
    assert not remote.refs("refs/orch")


def test_a_race_is_run_where_it_can_be_whatever_the_probes_found(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    decided_by(remote, proc_receive(NO_LOSER, WRITES))
    assert about(clone, "does not compare and swap: of 8", "--remote-race")["level"] == "problem"
    remote.hook("pre-receive", "exit 1\n")
    assert about(clone, "no race was run", "--remote-race")["level"] == "warning"
    assert not remote.refs("refs/orch")


def test_a_server_that_refuses_and_writes_all_the_same_is_found(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    decided_by(remote, proc_receive(EACH_STALE, WRITES, "[write(new, ref) for old, new, ref in lines]"))
    said = problems(clone)
    assert len(said) == 1 and "although it was answered that it was not" in said[0], said
    assert not remote.refs("refs/orch")


def test_a_server_that_undoes_what_it_accepted_is_found(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.hook("post-receive", "while read old new ref; do git update-ref -d $ref; done\n")
    said = problems(clone)
    assert len(said) == 1 and "cannot be seen a moment later" in said[0], said


def test_an_update_hook_that_writes_what_it_refuses_leaves_nothing_behind(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.hook("update", 'case $1 in refs/orch/*) git update-ref "$1" "$3"; exit 1 ;; esac\n')
    assert any("fails where it creates refs" in said for said in problems(clone))
    assert not remote.refs("refs/orch")


def test_where_nothing_may_be_deleted_what_stays_is_named(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.hook("update", "case $3:$1 in 0000*:refs/orch/*) echo for ever >&2; exit 1 ;; esac\n")
    found = about(clone, "could not be taken away again")
    left = remote.refs(SCRATCH)
    assert found["level"] == "warning" and left and all(ref in found["what"] for ref in left)


def test_what_a_killed_one_left_is_found_and_can_be_taken_away(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.orch("hooks", "install")
    remote.git("update-ref", f"{SCRATCH}/old-0", "refs/heads/main")
    found = about(clone, f"such as {SCRATCH}/old-0")
    assert found["level"] == "warning"
    type_in(clone, found["hint"])
    assert not remote.refs("refs/orch")
    assert about(clone, "no harm, and no use")["level"] == "none"


HOLD = """
while read -r old new ref; do
    case $ref in *WHAT) [ ! -e "HOLD" ] || : >"BUSY" ;; esac
done
while [ -e "BUSY" ] && [ -e "HOLD" ]; do sleep 0.02; done
"""


@pytest.mark.parametrize("what", ["-0", "-race", "/git-orch-probe"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_interrupted_everything_is_taken_away(
    pair: tuple[Remote, Clone], tmp_path: Path, what: str, number: signal.Signals
) -> None:
    remote, clone = pair
    hold, busy = tmp_path / "hold", tmp_path / "busy"
    hold.touch()
    remote.hook("pre-receive", HOLD.replace("WHAT", what).replace("HOLD", str(hold)).replace("BUSY", str(busy)))
    before = remote.refs()
    running = clone.start_orch("doctor", "--remote-race")
    eventually(busy.exists, "a push of the probes is under way")
    os.kill(running.process.pid, number)
    hold.unlink()
    run = running.wait()
    assert run.status == 130, run.said()
    assert remote.refs() == before


ONE_THEN_THE_REST = """
while read -r old new ref; do
    case $old:$ref in 0000*-race) ;; *) exit 0 ;; esac
done
if mkdir "HOLD/first"; then
    until [ -e "HOLD/go" ]; do sleep 0.02; done
else
    until [ -e "HOLD/gone" ]; do sleep 0.02; done
fi
"""


def test_racers_that_write_when_another_was_undone_are_undone_too(pair: tuple[Remote, Clone], tmp_path: Path) -> None:
    remote, clone = pair
    remote.hook("pre-receive", ONE_THEN_THE_REST.replace("HOLD", str(tmp_path)))
    gone = f"""while read -r old new ref; do case $new:$ref in 0000*-race) : >"{tmp_path}/gone" ;; esac; done\n"""
    remote.hook("post-receive", gone)
    before = remote.refs()
    running = clone.start_orch("doctor", "--remote-race")
    eventually((tmp_path / "first").exists, "a push of the race is under way")
    os.kill(running.process.pid, signal.SIGINT)
    (tmp_path / "go").touch()
    run = running.wait()
    assert run.status == 130, run.said()
    assert (tmp_path / "gone").exists()
    assert remote.refs() == before


def test_a_mirror_and_signed_pushes_are_no_obstacle_to_a_race(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    clone.git("config", "remote.origin.mirror", "true")
    clone.git("config", "push.gpgSign", "true")
    clone.git("tag", "-a", "-m", "not for you", "v1")
    clone.git("config", "push.followTags", "true")
    before = remote.refs()
    assert problems(clone, "--remote-race") == [
        "origin is configured as a mirror: a plain `git push` deletes all state on it"
    ]
    assert about(clone, "of 8 pushes at once one won", "--remote-race")["level"] == "ok"
    assert remote.refs() == before


def test_a_remote_of_several_places_is_a_problem_and_is_never_taken_for_one(
    pair: tuple[Remote, Clone], tmp_path: Path
) -> None:
    """The copy accepts what the first place, where somebody was faster, refuses."""
    remote, clone = pair
    copy = tmp_path / "copy.git"
    git(tmp_path, "clone", "-q", "--mirror", str(remote.path), str(copy))
    clone.orch("add", "One", "--id", "one")
    clone.git("remote", "set-url", "--add", "origin", str(copy))
    found = about(clone, "goes to 2 places")
    assert found["level"] == "problem" and "git remote set-url --delete origin URL" in found["hint"]
    run = clone.orch("add", "Two", "--id", "two", check=None)
    assert (run.status == 0) == ("refs/orch/jobs/two" in remote.refs()), run.said()


def test_where_the_other_namespace_is_refused_too_that_is_said(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    remote.git("update-ref", "refs/heads/orch", "main")
    remote.hook("pre-receive", "while read old new ref; do case $ref in refs/heads/*) ;; *) exit 1 ;; esac; done\n")
    assert about(clone, "below refs/heads/orch, too, it fails")["level"] == "warning"
    assert "keeps every promise" not in str(findings(clone))
    assert not remote.refs("refs/heads/orch/")


def test_nothing_stays_in_a_repository_of_ones_own_either(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.git("config", "user.email", "ada@example.org")
    clone.git("update-ref", f"{SCRATCH}/old-0", "main")
    before = clone.refs()
    found = about(clone, "no harm, and no use", "--remote-race")
    assert clone.refs() == before
    type_in(clone, found["hint"])
    assert not clone.refs("refs/orch")
