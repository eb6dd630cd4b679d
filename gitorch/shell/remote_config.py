"""Where a remote is, and how it is configured, as far as this machine can tell. Only looks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from gitorch.core.clone_config import parse_config
from gitorch.core.names import BRANCHES
from gitorch.core.settings import Entries
from gitorch.shell.gitcmd import Git
from gitorch.shell.repository import Repository


class Places(NamedTuple):
    """Where git fetches from, and all that it pushes to, after `url.*.insteadOf`. They may hold passwords."""

    fetched: str
    pushed: tuple[str, ...]


def places_of(repository: Repository, remote: str) -> Places:
    git = repository.git
    pushed = git.run("remote", "get-url", "--push", "--all", remote, ok=()).text()
    return Places(git.run("remote", "get-url", remote, ok=()).text(), tuple(filter(None, pushed.split("\n"))))


def folder_of(repository: Repository, url: str) -> Path | None:
    """The folder that a URL means, where it means one of this machine; relative ones are relative to the repository.
    None for a URL of another machine, and where no repository is."""
    if url.startswith("file://"):
        path = unquote(url.removeprefix("file://").removeprefix("localhost"))
    elif "://" in url or "::" in url or ":" in url.partition("/")[0]:
        return None
    else:
        path = url
    there = repository.git.directory / path
    if (there / ".git").exists():
        return there
    # Git tries the name with `.git` at its end, too.
    return next((folder for folder in (there, Path(f"{there}.git")) if _is_bare(folder)), None)


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def config_of(git: Git) -> Entries:
    """Everything that git reads there: other commands look at a few sections only."""
    return parse_config(git.run("config", "--list", "-z", "--show-scope", "--show-origin", ok=()).out)


def checked_out(git: Git) -> list[str]:
    """The branches that the worktrees of a repository have checked out."""
    lines = git.run("worktree", "list", "--porcelain", "-z", ok=()).text().split("\x00")
    return [line.removeprefix(f"branch {BRANCHES}") for line in lines if line.startswith(f"branch {BRANCHES}")]
