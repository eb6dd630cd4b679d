"""`git orch hooks` by command: which folder it means, what it says, and what it leaves to other programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import gitorch
from gitorch.core.errors import UsageError
from gitorch.core.hookplan import SERVER, STRICT
from gitorch.shell.hookfiles import clone_place, packaged, server_place
from gitorch.shell.repository import open_repository
from tests.git.test_hooks_install import NAME, listing, put, script
from tests.support import Clone, Run, git, make_alone, make_remote, try_git


def test_the_folder_is_the_one_that_git_uses(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    (clone.path / "sub").mkdir()
    clone.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    usual = clone.path / ".git" / "hooks"
    for where in (clone.path, clone.path / "sub", tmp_path / "linked", clone.path / ".git"):
        assert clone_place(open_repository(where)).directory.resolve() == usual
    clone.git("config", "core.hooksPath", "my hooks")
    place = clone_place(open_repository(clone.path / "sub"))
    assert (place.directory, place.scope, place.shared) == (clone.path / "my hooks", "local", False)
    assert clone_place(open_repository(tmp_path / "linked")).directory == tmp_path / "linked" / "my hooks"
    clone.git("config", "core.hooksPath", str(tmp_path / "elsewhere"))
    assert clone_place(open_repository(clone.path)).directory == tmp_path / "elsewhere"


def test_a_server_is_exactly_the_repository_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare, clone = make_remote(tmp_path), make_alone(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(clone.path / ".git"))
    assert server_place(bare.path).directory == bare.path / "hooks"
    assert server_place(clone.path / ".git").directory == clone.path / ".git" / "hooks"
    assert server_place(clone.path).directory == clone.path / ".git" / "hooks"
    (clone.path / "sub").mkdir()
    for wrong in (clone.path / "sub", tmp_path, clone.path / "README", tmp_path / "missing"):
        with pytest.raises(UsageError):
            server_place(wrong)


def cli(clone: Clone, *args: str, check: int = 0, **env: str) -> Run:
    return clone.orch("hooks", *args, check=check, env=env)


def test_installing_looking_and_taking_away_by_command(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    before = listing(clone.path / ".git" / "hooks")
    assert cli(clone, "install").out.startswith("pre-push installed\n")
    assert (clone.path / ".git/hooks/pre-push").read_bytes() == packaged(NAME).read_bytes()
    assert cli(clone, "install", "--json").json()["data"]["changed"] == []
    data = cli(clone, "status", "--json").json()["data"]
    path = clone.path / ".git" / "hooks"
    assert data == {
        "hooks": [{"name": NAME, "path": str(path / NAME), "state": "current", "chained": False}],
        "directory": str(path),
        "shared": False,
    }
    assert "installed and current" in cli(clone, "status").out
    assert "taken away" in cli(clone, "uninstall").out
    assert "no hook of git orch is installed" in cli(clone, "uninstall").out
    assert listing(path) == before


def test_a_folder_of_all_repositories_needs_a_word(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    everybody = tmp_path / "everybody"
    config = tmp_path / "config"
    config.write_text(f"[core]\n\thooksPath = {everybody}\n")
    run = cli(clone, "install", check=2, GIT_CONFIG_GLOBAL=str(config))
    assert "global" in run.err and "--shared" in run.err
    assert not everybody.exists()
    assert cli(clone, "status", "--json", GIT_CONFIG_GLOBAL=str(config)).json()["data"]["shared"] is True
    cli(clone, "install", "--shared", GIT_CONFIG_GLOBAL=str(config))
    assert (everybody / NAME).exists()
    assert "--shared" in cli(clone, "uninstall", check=2, GIT_CONFIG_GLOBAL=str(config)).err
    cli(clone, "uninstall", "--shared", GIT_CONFIG_GLOBAL=str(config))
    assert listing(everybody) == {}


@pytest.mark.parametrize(
    ("file", "where"), [(".husky/_/h", ".husky/pre-push"), ("lefthook.yml", ".lefthook/pre-push/git-orch")]
)
def test_where_another_program_manages_the_hooks_the_lines_are_printed(tmp_path: Path, file: str, where: str) -> None:
    clone = make_alone(tmp_path)
    clone.write({file: ""})
    before = listing(clone.path / ".git" / "hooks")
    run = cli(clone, "install", check=1)
    assert f"Add to {where}" in run.out and '    git orch hooks run pre-push "$@"\n' in run.out
    add = cli(clone, "install", "--json", check=1).json()["data"]["manager"]["add"]
    for step in add:
        clone.write({step["file"]: step["lines"]})
    assert "calls that of git orch already" in cli(clone, "install").out
    assert where in cli(clone, "uninstall").out
    assert listing(clone.path / ".git" / "hooks") == before


def test_the_line_for_others_hands_everything_through(tmp_path: Path) -> None:
    remote = make_remote(tmp_path)
    clone = remote.clone("a")
    put(tmp_path / "git-orch", f'#!/bin/sh\nexec "{sys.executable}" -m gitorch "$@"\n')
    clone.hook(NAME, 'git orch hooks run pre-push "$@"\n')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert try_git(clone.path, "push", "origin", "main:refs/heads/new", PATH=path).status == 0
    stray = try_git(clone.path, "push", "origin", "main:refs/orch/jobs/mine", PATH=path)
    assert stray.status != 0 and "git orch" in stray.err
    assert remote.refs("refs/orch") == {}


def test_failures_are_a_sentence_and_a_hint(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    assert "is not a git repository" in cli(clone, "install", "--server", str(tmp_path), check=2).err
    assert "hint: " in cli(clone, "install", "--strict", check=2).err
    clone.git("config", "core.hooksPath", "README")
    for words in (["install"], ["install", "--json"]):
        run = cli(clone, *words, check=1)
        assert "is not a folder" in run.err + run.out
    cli(clone, "status")
    cli(clone, "uninstall")


@pytest.mark.unguarded
def test_a_server_by_command_and_what_to_configure_there(tmp_path: Path) -> None:
    remote, clone = make_remote(tmp_path), make_alone(tmp_path)
    config = git(remote.path, "config", "--list", "--local")
    server = ("--server", str(remote.path))
    brought = with_scripts(tmp_path)
    run = cli(clone, "install", *server, PYTHONPATH=brought)
    assert f"git -C {remote.path} config orch.target main\n" in run.out
    assert f"git -C {remote.path} config receive.advertisePushOptions true\n" in run.out
    assert git(remote.path, "config", "--list", "--local") == config, "it changes no configuration"
    assert states(clone, *server, brought=brought) == ["current", "current", "absent"]
    cli(clone, "install", "--strict", *server, PYTHONPATH=brought)
    assert states(clone, *server, brought=brought) == ["current"] * 3
    cli(clone, "install", *server, PYTHONPATH=brought)
    assert states(clone, *server, brought=brought) == ["current"] * 3, "what is there stays"
    cli(clone, "uninstall", *server, PYTHONPATH=brought)
    assert not [path for path in (remote.path / "hooks").iterdir() if path.suffix != ".sample"]


def with_scripts(tmp_path: Path) -> str:
    """A place to import this program from that brings scripts of ours for a server."""
    place = tmp_path / "program"
    (place / "hooks").mkdir(parents=True)
    (place / "gitorch").symlink_to(Path(gitorch.__file__).parent)
    for name in (*SERVER, *STRICT):
        put(place / "hooks" / name, script(name))
    return str(place)


def states(clone: Clone, *args: str, brought: str) -> list[str]:
    return [row["state"] for row in cli(clone, "status", *args, "--json", PYTHONPATH=brought).json()["data"]["hooks"]]
