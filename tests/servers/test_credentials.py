"""A password in the URL of a remote: it works, and is nowhere to be read afterwards, whatever goes wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.servers.http import PASSWORD, HttpServer
from tests.support import Clone, Remote, Run, git


@pytest.fixture
def pair(private_http: HttpServer, tmp_path: Path) -> tuple[Remote, Clone]:
    """A remote, and a clone whose remote's URL gives its user away."""
    remote = project(tmp_path)
    url = private_http.url_with_password(remote.path)
    git(tmp_path, "clone", "-q", url, str(tmp_path / "a"))
    clone = Clone(tmp_path / "a", remote.ticks)
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    return remote, clone


def everything_written(clone: Clone, remote: Remote) -> str:
    """What is in files of ours, in refs, in events and in notes."""
    files = [path for path in (clone.path / ".git/orch").rglob("*") if path.is_file()]
    text = "".join(path.read_text("utf-8", "replace") for path in files)
    for repo in (clone, remote):
        names = "\n".join(repo.refs("refs/"))
        text += names + repo.git("log", "--all", "--format=%an %ae %cn %ce %B")
        for ref in repo.refs("refs/notes"):
            text += repo.git("grep", "-h", "", ref)
    return text


def assert_silent(*runs: Run) -> None:
    for run in runs:
        assert PASSWORD not in run.out + run.err, run.said()


def test_a_password_that_works_is_written_nowhere(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    assert_silent(
        clone.orch("submit", "one"),
        clone.orch("status"),
        clone.orch("status", "--json"),
        clone.orch("doctor", "--remote-race", check=None),
        clone.orch("doctor", "--json", check=None),
        clone.orch("init", check=None),
        clone.orch("land", "one"),
        clone.orch("log"),
        clone.orch("fsck"),
    )
    assert remote.tip() == clone.git("rev-parse", "one")
    assert PASSWORD not in everything_written(clone, remote)


def test_a_password_that_is_refused_is_not_said(pair: tuple[Remote, Clone]) -> None:
    remote, clone = pair
    url = clone.git("config", "remote.origin.url")
    secret = "wr0ng-s3cr3t"
    clone.git("config", "remote.origin.url", url.replace(PASSWORD, secret))
    for args in (("submit", "one"), ("land",), ("status",), ("doctor",), ("add", "x", "--json")):
        run = clone.orch(*args, check=None)
        assert run.status != 0 and secret not in run.out + run.err, run.said()
    assert secret not in everything_written(clone, remote)


def test_a_server_that_refuses_pushes_or_stops_hears_no_password(
    pair: tuple[Remote, Clone], private_http: HttpServer
) -> None:
    remote, clone = pair
    remote.git("config", "http.receivepack", "false")
    refused = clone.orch("submit", "one", check=None)
    assert refused.status in (16, 17), refused.said()
    private_http.stop()
    stopped = clone.orch("submit", "one", check=17)
    assert_silent(refused, stopped, clone.orch("doctor", check=1))
    assert PASSWORD not in everything_written(clone, remote)


def test_a_report_of_a_fault_masks_it(pair: tuple[Remote, Clone]) -> None:
    """What is meant to be sent to others."""
    _, clone = pair
    run = clone.orch("status", check=None, env={**os.environ, "GIT_TRACE": "1", "GIT_TRACE_CURL": "0"})
    assert_silent(run)
    reports = list((clone.path / ".git/orch/reports").glob("*")) if (clone.path / ".git/orch/reports").exists() else []
    assert all(not re.search(PASSWORD, path.read_text()) for path in reports)
