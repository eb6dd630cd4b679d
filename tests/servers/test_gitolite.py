"""gitolite, which has rights of its own for each ref: what git orch needs, and what it says when they are too few."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.servers import ALL
from tests.servers.conftest import Client, Start
from tests.servers.ssh import Gitolite
from tests.support import Clone, Remote, git, try_git

pytestmark = pytest.mark.skipif(not ALL, reason="make test-servers")
_numbers = count()
NEEDED = ("RW main$ =", "RW+ refs/heads/ =", "RW+ refs/orch/ =", "RW refs/notes/ =")
"""The least that everything works with: only what is rewritten or deleted needs a plus."""


@pytest.fixture
def gitolite(start: Start, client: Client) -> Gitolite:
    server = start(Gitolite)
    assert isinstance(server, Gitolite)
    client.use(server)
    return server


def served(gitolite: Gitolite, tmp_path: Path, *rules: str) -> tuple[Remote, Clone]:
    """The project in a repository with these rights, and a clone."""
    name = f"project{next(_numbers)}"
    remote = gitolite.make(name, project(tmp_path), *(rule.removesuffix(" =") for rule in rules))
    git(tmp_path, "clone", "-q", gitolite.url_of(remote.path), str(tmp_path / "a"))
    clone = Clone(tmp_path / "a", remote.ticks)
    clone.git("config", "user.email", "ada@example.org")
    return remote, clone


def work(clone: Clone) -> None:
    """Everything once: land, hand out, wait, archive."""
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    clone.orch("add", "A", "--id", "a")
    clone.orch("add", "B", "--id", "b", "--after", "a")
    clone.orch("claim", "a")
    clone.orch("cancel", "a")
    clone.orch("after", "b", "--clear", check=None)
    clone.orch("gc", "--now")


def test_with_the_least_rights_everything_works(gitolite: Gitolite, tmp_path: Path) -> None:
    remote, clone = served(gitolite, tmp_path, *NEEDED)
    clone.orch("doctor", "--remote-race")
    work(clone)
    assert remote.tip() == clone.git("rev-parse", "one")
    assert remote.ref("refs/orch/archive") is not None
    assert clone.orch("fsck").status == 0


def test_without_a_plus_nothing_is_deleted_and_it_is_said(gitolite: Gitolite, tmp_path: Path) -> None:
    remote, clone = served(gitolite, tmp_path, "RW")
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    before = remote.refs("refs/orch")
    refused = clone.orch("gc", "--now", check=16)
    assert "refused" in refused.err and "hint:" in refused.err
    assert remote.refs("refs/orch") == before
    found = clone.orch("doctor", check=1)
    assert "deletes with a guard" in found.out


def test_with_rights_for_branches_alone_another_namespace_is_proposed(gitolite: Gitolite, tmp_path: Path) -> None:
    _, clone = served(gitolite, tmp_path, "RW+ refs/heads/")
    clone.branch("two", {"src/two.txt": "call base\n"}, "Add two")
    refused = clone.orch("submit", "two", check=16)
    assert "DENIED" in refused.err
    assert "git config orch.namespace refs/heads/orch" in clone.orch("doctor", check=1).out
    clone.git("config", "orch.namespace", "refs/heads/orch")
    work(clone)


def test_the_hook_runs_beside_those_of_gitolite(gitolite: Gitolite, tmp_path: Path) -> None:
    """gitolite has `update` to itself; `pre-receive` is everybody's."""
    remote, clone = served(gitolite, tmp_path, *NEEDED)
    clone.orch("hooks", "install", "--server", str(remote.path))
    clone.branch("evil", {"src/evil.txt": "call nothing\n"}, "Evil")
    before = remote.tip()
    run = try_git(clone.path, "push", "origin", "evil:main")
    assert run.status != 0 and "[no-lease]" in run.err and remote.tip() == before
    work(clone)
