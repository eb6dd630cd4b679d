"""The cycle of a job over real servers. A failure here and not in tests/git means that a server is not like a path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.git import test_claims, test_gc, test_landing, test_restore, test_work
from tests.git.landing import assert_main_is_green, jobs, landed_jobs, lease, project
from tests.git.working import COMMIT
from tests.servers import ALL
from tests.servers.conftest import ServedRemote
from tests.servers.daemons import Server

Scenario = Callable[..., None]

LEAN: tuple[Scenario, ...] = (
    test_landing.test_a_red_catch_up_frees_the_lease_sends_the_job_to_rework_and_leaves_main_alone,
    test_landing.test_a_conflicting_catch_up_frees_the_lease_and_names_the_paths,
    test_landing.test_a_fenced_holder_stops_its_gate_and_changes_nothing,
)
"""On every change, over what is most different from a path."""

WHOLE: tuple[ModuleType, ...] = (test_landing, test_claims, test_gc, test_restore, test_work)
"""By `make test-servers`, over everything."""


def arguments(scenario: Scenario) -> set[str]:
    return set(inspect.signature(scenario).parameters)


def scenarios() -> list[Scenario]:
    """Those which need nothing but a folder, a remote or a clone in it."""
    if not ALL:
        return list(LEAN)
    everything = [value for module in WHOLE for name, value in vars(module).items() if name.startswith("test_")]
    return [scenario for scenario in everything if arguments(scenario) <= {"tmp_path", "remote", "clone"}]


@pytest.mark.parametrize("scenario", [pytest.param(found, id=found.__name__[5:]) for found in scenarios()])
def test_a_scenario_of_the_path_goes_the_same_way_over(scenario: Scenario, over: Server, tmp_path: Path) -> None:
    wanted = arguments(scenario)
    given: dict[str, Any] = {"tmp_path": tmp_path}
    if wanted & {"remote", "clone"}:
        given["remote"] = project(tmp_path)
    if "clone" in wanted:
        given["clone"] = given["remote"].clone("a")
    scenario(**{name: given[name] for name in wanted})


def test_a_submitted_branch_lands_and_everybody_sees_it(remote: ServedRemote) -> None:
    clone, other = remote.clone("a"), remote.clone("b")
    before = remote.tip()
    clone.branch("feature", {"src/new.txt": "call base\n"}, "Add new")
    submitted = clone.orch("submit", "feature", "--json").json()["data"]
    landed = clone.orch("land", "feature", "--json").json()["data"]
    assert landed["landed"] == remote.tip() == clone.git("rev-parse", "feature") != before
    assert jobs(other)["feature"]["state"] == "done"
    assert lease(other)["state"] == "free"
    other.git("fetch", "-q", "origin", "main", "refs/notes/orch:refs/notes/orch")
    assert landed_jobs(other) == [submitted["id"]]


def test_jobs_that_wait_are_worked_on_and_landed_in_turn(remote: ServedRemote, tmp_path: Path) -> None:
    clone = remote.clone("a")
    clone.git("config", "orch.pollInterval", "1")
    clone.orch("add", "Base", "--id", "base")
    clone.orch("add", "Top", "--id", "top", "--after", "base")
    assert clone.orch("claim", "top", "--json", check=13).json()["error"]["waits_for"] == ["base"]
    clone.orch("work", "--once", "--", COMMIT)
    clone.orch("land", "--all")
    clone.orch("work", "--once", "--", COMMIT)
    clone.orch("land", "--all")
    other = remote.clone("b")
    assert {name: found["state"] for name, found in jobs(other).items()} == {"job/base": "done", "job/top": "done"}
    assert_main_is_green(remote.path, tmp_path)


def test_what_is_unreachable_is_said_to_be(remote: ServedRemote) -> None:
    clone = remote.clone("a")
    clone.branch("feature", {"src/new.txt": "call base\n"}, "Add new")
    remote.path.rename(remote.path.with_name("gone"))
    failed = clone.orch("submit", "feature", "--json", check=17).json()["error"]
    assert failed["code"] == "unreachable" and failed["hint"]
