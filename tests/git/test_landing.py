"""The merge gate on real git, scenario by scenario. A failure here means that the main job is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.landing import (
    add_branches,
    assert_main_is_green,
    gate_runs,
    jobs,
    landed_jobs,
    lease,
    project,
    project_alone,
    steps,
)
from tests.support import eventually


def test_two_commands_land_a_finished_branch_on_a_bare_remote(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    before = remote.tip()
    clone.branch("feature", {"src/new.txt": "call base\n"}, "Add new")
    clone.git("switch", "-q", "feature")
    submitted = clone.orch("submit", "--json").json()["data"]
    assert (submitted["state"], submitted["derived"], submitted["branch"]) == ("submitted", "ready", "feature")
    landed = clone.orch("land", "--json").json()["data"]
    assert landed["landed"] == remote.tip() == clone.git("rev-parse", "feature")
    assert landed["base"] == before
    assert landed["gate"]["verdict"] == "green"
    assert landed["job"]["state"] == "done"
    assert lease(clone)["state"] == "free"
    note = clone.git("log", "-1", "--notes=orch", "--format=%N", str(landed["landed"]))
    assert f"job={submitted['id']}" in note and f"base={before}" in note


def test_a_repository_without_a_remote_lands_in_itself_and_moves_its_clean_checkout(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.branch("feature", {"src/new.txt": "call base\n"}, "Add new")
    clone.commit({"shared.txt": "one\ntwo\nthree\nfour\n"}, "main moves")
    clone.orch("submit", "feature")
    clone.orch("land", "feature")
    assert (clone.path / "src/new.txt").exists(), "the checkout of main follows main"
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("rev-parse", "feature") == clone.git("rev-parse", "main")
    assert clone.git("log", "-1", "--notes=orch", "--format=%N", "main").count("landed") == 1


def test_a_busy_lease_defers_and_touches_nothing(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(b, 1)
    b.orch("submit", "b1")
    a.orch("lease", "acquire", "main", "--holder", "somebody else")
    before = remote.refs()
    log = tmp_path / "runs"
    run = b.orch("land", "b1", "--json", check=11, env={"GATE_LOG": str(log)})
    error = run.json()["error"]
    assert error["code"] == "busy" and error["retryable"] is True
    assert "somebody else" in error["message"]
    assert remote.refs() == before
    assert gate_runs(log) == []


def test_after_the_release_the_catch_up_is_green_with_the_lease_held_and_main_unmoved_by_gate(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(b, 1)
    b.orch("submit", "b1")
    a.orch("lease", "acquire", "main")
    a.commit({"src/other.txt": "call base\n"}, "main moves")
    a.push("main")
    a.orch("lease", "release", "main")
    main = remote.tip()
    gated = b.orch("gate", "b1", "--json").json()["data"]
    assert remote.tip() == main, "gate never moves the target"
    assert gated["lease"]["state"] == "held" and gated["lease"]["candidate"] == gated["candidate"]
    assert gated["base"] == main
    assert remote.tip("b1") == gated["candidate"], "the branch on the remote contains main's change"
    assert remote.git("merge-base", str(main), "b1") == main
    assert lease(a)["job"] == gated["job"]["id"]
    assert a.orch("land", "b1", check=11).status == 11


def test_a_red_catch_up_frees_the_lease_sends_the_job_to_rework_and_leaves_main_alone(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("rename", {"api.txt": "def base\ndef new\n"}, "Rename old to new")
    clone.branch("user", {"src/user.txt": "call old\n"}, "Use old")
    clone.orch("submit", "rename")
    clone.orch("submit", "user")
    clone.orch("land", "rename")
    main = remote.tip()
    run = clone.orch("land", "user", "--json", check=15)
    document = run.json()
    assert document["error"]["code"] == "red"
    job = document["data"]["job"]
    assert job["state"] == "rework" and "exit status 1" in job["reason"]
    assert remote.tip() == main
    assert lease(clone)["state"] == "free"
    assert "undefined: old" in clone.orch("show", "user").out
    assert "undefined: old" in clone.git("log", "-1", "--format=%B", f"refs/orch-remotes/origin/state/jobs/{job['id']}")
    assert remote.tip("user") == job["head"], "the branch is as it was submitted"


def test_a_conflicting_catch_up_frees_the_lease_and_names_the_paths(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("one", {"shared.txt": "one\ntwo by one\nthree\n"}, "one")
    clone.branch("two", {"shared.txt": "one\ntwo by two\nthree\n"}, "two")
    clone.orch("submit", "one")
    clone.orch("submit", "two")
    clone.orch("land", "one")
    main = remote.tip()
    document = clone.orch("land", "two", "--json", check=14).json()
    assert document["error"]["paths"] == ["shared.txt"]
    assert document["data"]["job"]["state"] == "rework"
    assert remote.tip() == main
    assert lease(clone)["state"] == "free"
    # Repaired and submitted again, it is the same job and lands.
    clone.git("switch", "-q", "two")
    clone.git("fetch", "-q")
    clone.git("reset", "-q", "--hard", "origin/main")
    clone.commit({"shared.txt": "one\ntwo by one and two\nthree\n"}, "two, repaired")
    again = clone.orch("submit", "--json").json()["data"]
    assert again["id"] == document["data"]["job"]["id"]
    clone.orch("land")
    assert_main_is_green(remote.path, tmp_path)


def test_nobody_is_blamed_for_a_target_that_was_red_before(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.commit({"src/broken.txt": "call nothing\n"}, "break main past the gate")
    clone.push("main")
    clone.orch("submit", "b1")
    run = clone.orch("land", "b1", check=15)
    assert "main itself is red" in run.err
    assert jobs(clone)["b1"]["state"] == "submitted"
    assert lease(clone)["state"] == "free"
    # What repairs the target is green on top of it, and lands.
    clone.branch("repair", {"src/broken.txt": "call base\n"}, "repair main")
    clone.orch("submit", "repair")
    clone.orch("land", "repair")
    clone.orch("land", "b1")
    assert jobs(clone)["b1"]["state"] == "done"


def test_a_re_drive_after_a_crash_lands_with_no_second_gate_run(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    log = tmp_path / "runs"
    clone.orch("gate", "b1", env={"GATE_LOG": str(log)})
    assert len(gate_runs(log)) == 1
    clone.orch("lease", "release", "main")
    landed = other.orch("land", "b1", "--json", env={"GATE_LOG": str(log)}).json()["data"]
    assert landed["gate"]["cached"] is True
    assert len(gate_runs(log)) == 1
    assert landed["landed"] == remote.tip() == landed["job"]["head"]


def test_a_branch_that_is_already_on_main_is_a_no_op(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    clone.git("merge", "-q", "--ff-only", "b1")
    clone.push("main")
    main, log = remote.tip(), tmp_path / "runs"
    landed = clone.orch("land", "b1", "--json", env={"GATE_LOG": str(log)}).json()["data"]
    assert landed["outcome"] == "already" and landed["job"]["state"] == "done"
    assert landed["landed"] == main == remote.tip()
    assert gate_runs(log) == []
    assert clone.orch("land", "b1").status == 0, "twice is the same as once"
    again = clone.orch("submit", "b1")
    assert "already" in again.out


def test_the_same_change_that_arrived_by_another_commit_counts_as_landed(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    clone.commit({"src/first.txt": "call base\n"}, "something else")
    clone.git("cherry-pick", "b1")
    clone.push("main")
    main = remote.tip()
    assert clone.orch("land", "b1", "--json").json()["data"]["outcome"] == "already"
    assert remote.tip() == main


def test_an_up_to_date_branch_keeps_its_commit_and_pushes_nothing_but_the_target(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    commit = clone.branch("b1", {"src/b1.txt": "call base\n"}, "Add b1")
    clone.orch("submit", "b1")
    remote.hook("post-receive", "cat >> pushed\n")
    landed = clone.orch("land", "b1", "--json").json()["data"]
    assert landed["landed"] == landed["candidate"] == commit == remote.tip()
    pushed = (remote.path / "pushed").read_text()
    assert "refs/heads/b1" not in pushed and "refs/heads/main" in pushed


def test_a_moved_head_takes_its_branch_along(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    for name in ("b1", "b2"):
        clone.orch("submit", name)
        clone.orch("land", name)
    assert remote.tip("b2") == remote.tip()
    assert remote.tip("b1") == steps(remote.path)[-2]


def test_rebase_when_behind_spares_only_a_head_that_contains_the_tip(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.git("config", "orch.rebase", "when-behind")
    clone.branch("side", {"src/side.txt": "call base\n"}, "side")
    clone.branch("merged", {"src/m.txt": "call base\n"}, "m")
    clone.git("switch", "-q", "merged")
    clone.git("merge", "-q", "--no-ff", "-m", "merge side", "side")
    head = clone.git("rev-parse", "HEAD")
    clone.orch("submit", "merged")
    assert clone.orch("land", "merged", "--json").json()["data"]["landed"] == head, "it contains the tip: left as it is"
    # Behind: rebased, merges flattened.
    clone.branch("late", {"src/late.txt": "call base\n"}, "late", start="main")
    clone.orch("submit", "late")
    landed = clone.orch("land", "late", "--json").json()["data"]
    assert landed["landed"] != landed["job"]["head"]
    assert clone.git("rev-list", "--parents", "-n1", landed["landed"]).split()[1] == head


def test_rebase_always_flattens_merges_of_a_head_that_contains_the_tip(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("side", {"src/side.txt": "call base\n"}, "side")
    clone.branch("merged", {"src/m.txt": "call base\n"}, "m")
    clone.git("switch", "-q", "merged")
    clone.git("merge", "-q", "--no-ff", "-m", "merge side", "side")
    clone.orch("submit", "merged")
    clone.orch("land", "merged")
    assert remote.git("rev-list", "--merges", "main") == ""
    assert remote.git("rev-parse", "main^{tree}") == clone.git("rev-parse", "merged^{tree}")


def test_the_target_is_never_pushed_before_the_green_verdict(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    main, hold, log = remote.tip(), tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    assert remote.tip() == main
    assert lease(clone)["state"] == "held" and lease(clone)["candidate"] is not None
    hold.unlink()
    assert running.wait().status == 0
    assert remote.tip() != main
    note = clone.git("notes", "--ref=orch", "show", f"{remote.tip()}^{{tree}}")
    assert " green " in note


def test_a_target_that_moves_during_the_gate_is_caught_up_with_again(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    other.commit({"src/direct.txt": "call base\n"}, "pushed past everybody")
    other.push("main")
    hold.unlink()
    assert running.wait().status == 0
    assert len(gate_runs(log)) == 2, "another tree, another run"
    assert_main_is_green(remote.path, tmp_path)
    assert len(steps(remote.path)) == 3


def test_a_head_submitted_again_during_the_gate_is_what_lands(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    other.git("fetch", "-q")
    other.git("switch", "-q", "b1")
    other.commit({"src/more.txt": "call base\n"}, "more")
    other.orch("submit", "b1")
    hold.unlink()
    assert running.wait().status == 0
    assert "src/more.txt" in remote.files("main")


def test_a_job_cancelled_during_the_gate_does_not_land(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    main, hold, log = remote.tip(), tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    other.orch("cancel", "b1", "--reason", "changed my mind")
    hold.unlink()
    assert running.wait().status == 2
    assert remote.tip() == main
    assert lease(other)["state"] == "free"


def test_a_fenced_holder_stops_its_gate_and_changes_nothing(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    clone.git("config", "orch.leaseTTL", "3")
    add_branches(clone, 1)
    clone.orch("submit", "b1")
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    running = clone.start_orch("land", "b1", env={"GATE_HOLD": str(hold), "GATE_LOG": str(log)})
    eventually(lambda: gate_runs(log), "the gate starts")
    other.orch("lease", "break", "main", "--reason", "testing")
    other.orch("lease", "acquire", "main")
    before = remote.refs()
    run = running.wait(timeout_s=30)
    assert run.status == 12, run.said()
    assert hold.exists(), "the gate was stopped while it still waited"
    assert remote.refs() == before


def test_land_all_lands_good_ones_and_rejects_bad_ones(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 4)
    clone.branch("c1", {"shared.txt": "one\ntwo by c1\nthree\n"}, "c1")
    clone.branch("c2", {"shared.txt": "one\ntwo by c2\nthree\n"}, "c2")
    clone.branch("rename", {"api.txt": "def base\ndef new\n"}, "Rename old to new")
    clone.branch("user", {"src/user.txt": "call old\n"}, "Use old")
    names = ["b1", "b2", "c1", "c2", "rename", "user", "b3", "b4"]
    for name in names:
        clone.orch("submit", name)
    run = clone.orch("land", "--all", check=15)
    assert "6 landed, 2 did not" in run.err
    states = {name: jobs(clone)[name]["state"] for name in names}
    assert states == {name: "rework" if name in ("c2", "user") else "done" for name in names}
    assert_main_is_green(remote.path, tmp_path)
    assert len(landed_jobs(clone)) == len(set(landed_jobs(clone))) == 6
    assert lease(clone)["state"] == "free"
    assert clone.orch("land", "--all", check=10).status == 10


def test_dependencies_are_landed_first_and_a_waiting_job_is_refused(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 3)
    first = clone.orch("submit", "b1", "--json").json()["data"]["id"]
    clone.orch("submit", "b2", "--after", first, "--priority", "5")
    clone.git("switch", "-q", "b3")
    clone.commit({"src/extra.txt": "call base\n"}, f"More\n\nDepends-on: {first}")
    clone.orch("submit", "b3", "--priority", "9")
    assert jobs(clone)["b3"]["after"] == [first]
    assert clone.orch("land", "b2", check=13).status == 13
    assert first in clone.orch("why", "b2").out
    clone.orch("land", "--all")
    subjects = remote.git("log", "--reverse", "--format=%s", "main").splitlines()
    assert subjects == ["first", "Add b1", "Add b3", "More", "Add b2"], "order: priority among what is ready"


def test_three_racing_clones_land_everything_once_and_leave_no_lease_held(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clones = [remote.clone(name) for name in ("a", "b", "c")]
    add_branches(clones[0], 8)
    a = clones[0]
    a.branch("c1", {"shared.txt": "one\ntwo by c1\nthree\n"}, "c1")
    a.branch("c2", {"shared.txt": "one\ntwo by c2\nthree\n"}, "c2")
    a.branch("rename", {"api.txt": "def base\ndef new\n"}, "Rename old to new")
    a.branch("user", {"src/user.txt": "call old\n"}, "Use old")
    names = [*(f"b{i}" for i in range(1, 9)), "c1", "c2", "rename", "user"]
    for name in names:
        a.orch("submit", name)
    log = tmp_path / "runs"
    running = [c.start_orch("land", "--all", "--wait", env={"GATE_LOG": str(log)}) for c in clones]
    ends = [r.wait(timeout_s=120) for r in running]
    assert {end.status for end in ends} <= {0, 10, 14, 15}, [end.said() for end in ends]
    found = jobs(a)
    assert {n for n in names if found[n]["state"] == "rework"} == {"c2", "user"}
    assert {n for n in names if found[n]["state"] == "done"} == set(names) - {"c2", "user"}
    a.git("fetch", "-q")
    assert sorted(landed_jobs(a)) == sorted(str(found[n]["id"]) for n in names if found[n]["state"] == "done")
    assert lease(a)["state"] == "free"
    assert_main_is_green(remote.path, tmp_path)


def test_dry_run_shows_the_plan_and_changes_nothing(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("c1", {"shared.txt": "one\ntwo by c1\nthree\n"}, "c1")
    clone.branch("c2", {"shared.txt": "one\ntwo by c2\nthree\n"}, "c2")
    for name in ("c1", "c2"):
        clone.orch("submit", name)
    before = remote.refs()
    data = clone.orch("land", "--all", "-n", "--json").json()["data"]
    assert [step["would"] for step in data["steps"]] == ["test and land", "conflict"]
    assert remote.refs() == before


def test_a_verdict_from_elsewhere_spares_the_gate(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    add_branches(a, 1)
    a.orch("submit", "b1")
    assert a.orch("verdict", "b1", check=10).status == 10
    b.git("fetch", "-q")
    b.orch("verdict", "origin/b1", "green", "--url", "https://ci.example/1")
    shown = a.orch("verdict", "b1", "--json").json()["data"]
    assert shown["verdict"] == "green" and shown["verdicts"][0]["url"] == "https://ci.example/1"
    log = tmp_path / "runs"
    assert a.orch("land", "b1", "--json", env={"GATE_LOG": str(log)}).json()["data"]["gate"]["cached"] is True
    assert gate_runs(log) == []


@pytest.mark.unguarded
def test_retry_tests_a_red_job_again_at_the_same_head(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    flaky = tmp_path / "broken"
    clone.git("config", "orch.gate", f"./gate.sh && {{ [ ! -e '{flaky}' ] || [ ! -e src/b1.txt ]; }}")
    add_branches(clone, 1)
    flaky.touch()
    clone.orch("submit", "b1")
    clone.orch("land", "b1", check=15)
    flaky.unlink()
    clone.orch("land", "b1", check=2)
    clone.orch("retry", "b1")
    clone.orch("land", "b1")
    assert jobs(clone)["b1"]["state"] == "done"


def test_lease_commands_follow_their_token(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a, b = remote.clone("a"), remote.clone("b")
    token = a.orch("lease", "acquire", "main", "--json").json()["data"]["token"]
    assert lease(b)["epoch"] == 1
    assert b.orch("lease", "renew", "main", check=2).status == 2
    assert b.orch("lease", "release", "main", env={"ORCH_TOKEN": "0" * 32}, check=12).status == 12
    a.orch("lease", "renew", "main")
    b.orch("lease", "release", "main", env={"ORCH_TOKEN": token})
    assert lease(a)["state"] == "free"
    b.orch("lease", "acquire", "main")
    assert lease(a)["epoch"] == 2
    a.orch("lease", "release", "main", check=12)


def test_the_token_itself_is_nowhere_on_the_remote(tmp_path: Path) -> None:
    remote = project(tmp_path)
    a = remote.clone("a")
    token = a.orch("lease", "acquire", "main", "--json").json()["data"]["token"]
    for line in remote.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines():
        assert token not in remote.git("cat-file", "-p", line)


def test_a_branch_that_is_a_target_itself_is_moved_by_landings_on_it_alone(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    clone.branch("develop", {"src/dev.txt": "call base\n"}, "Start develop")
    clone.push("develop")
    clone.branch("b1", {"src/b1.txt": "call base\n"}, "Add b1", start="develop")
    clone.orch("submit", "b1", "--target", "develop")
    clone.orch("land", "b1", "--target", "develop")
    develop = remote.tip("develop")
    # Behind main, so that landing it on main rebases it: the target develop must not follow.
    clone.commit({"src/other.txt": "call base\n"}, "main moves")
    clone.push("main")
    clone.git("fetch", "-q")
    clone.git("branch", "-f", "develop", "origin/develop")
    clone.orch("submit", "develop", "--target", "main")
    clone.orch("land", "develop", "--target", "main")
    assert remote.tip("develop") == develop
    clone.git("switch", "-q", "develop")
    clone.commit({"src/sneaky.txt": "call nothing\n"}, "not tested")
    run = clone.orch("submit", "develop", "--target", "main", check=2)
    assert "only a landing may move it" in run.err
    assert remote.tip("develop") == develop
