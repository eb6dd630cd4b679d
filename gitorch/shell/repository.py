"""The repository a command runs in: where it is, how it is configured, who acts. Found once, at the edge.

The caller's `GIT_DIR` and friends are honoured here and nowhere else: everything later gets explicit directories.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitorch.core.errors import UsageError
from gitorch.core.names import SELF, is_branch_name
from gitorch.core.settings import SHARED_FILE, Entries, Entry, Settings
from gitorch.core.text import typed
from gitorch.shell.gitcmd import Git, GitError, GitResult

_CONFIG_PATTERN = r"^(orch\.|remote\.|color\.(orch|ui)$|init\.defaultbranch$|(user|committer)\.(name|email)$)"
_FOUND_AT_START = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_NOT_IN_IDENT = re.compile(r"[\x00-\x1f\x7f<>]")


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository. `git_dir` is this worktree's own, `common_dir` is shared by all worktrees."""

    git_dir: Path
    common_dir: Path
    work_tree: Path | None
    object_format: str
    shallow: bool
    config: Entries = field(default_factory=dict)

    @property
    def git(self) -> Git:
        """Git in this repository, whatever the process's directory is. Relative URLs of remotes are relative to it."""
        return Git(self.work_tree or self.git_dir, git_dir=self.git_dir, work_tree=self.work_tree)

    @property
    def orch_dir(self) -> Path:
        """Where this clone keeps private worktrees, logs and caches; all of it may be deleted at any time, but for what
        a worker's command left unsaved in its worktree."""
        return self.common_dir / "orch"

    def value(self, key: str) -> str | None:
        found = self.config.get(key.lower())
        return found[-1].value if found else None

    def remotes(self) -> list[str]:
        """The names of the configured remotes."""
        names = {match[1] for match in (re.fullmatch(r"remote\.(.+)\.url", key) for key in self.config) if match}
        return sorted(names)

    def ident(self) -> str:
        """`Name <mail>` for events. Machines without an identity can work too: then it is the user's and host's
        name."""
        name = os.environ.get("GIT_COMMITTER_NAME") or self.value("committer.name") or self.value("user.name")
        mail = os.environ.get("GIT_COMMITTER_EMAIL") or self.value("committer.email") or self.value("user.email")
        fallback = os.environ.get("USER") or os.environ.get("LOGNAME") or "git-orch"
        name = _NOT_IN_IDENT.sub("", name or fallback).strip(" .,:;\"'") or "git-orch"
        mail = _NOT_IN_IDENT.sub("", mail or f"{fallback}@{socket.gethostname()}").strip() or "git-orch@localhost"
        return f"{name} <{mail}>"

    def ident_variables(self) -> dict[str, str]:
        """The same identity for git processes that make commits; explicit, so that they never ask for one."""
        name, _, mail = self.ident().rpartition(" <")
        return {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": mail.removesuffix(">")}


def open_repository(directory: Path | None = None) -> Repository:
    """Find the repository around `directory` (the process's own by default). Raises UsageError outside of one."""
    start = {name: os.environ[name] for name in _FOUND_AT_START if name in os.environ}
    git = Git(directory or Path.cwd(), extra=start)
    questions = ("--absolute-git-dir", "--git-common-dir", "--show-object-format", "--is-shallow-repository")
    result = git.run("rev-parse", *questions, "--show-toplevel", ok=())
    lines = result.text().split("\n")
    if len(lines) < len(questions):
        raise _no_repository(result)
    git_dir, common_dir, object_format, shallow, *top = lines
    return Repository(
        git_dir=Path(git_dir),
        common_dir=(git.directory / common_dir).resolve(),
        work_tree=Path(top[0]) if top and result.status == 0 else None,
        object_format=object_format,
        shallow=shallow == "true",
        config=_read_config(git),
    )


def _no_repository(result: GitResult) -> UsageError:
    """Why git does not work here: mostly there is no repository, but one may also be broken, or not trusted."""
    said = [line for line in result.error_text().splitlines() if line.startswith(("fatal: ", "error: "))]
    if not said or any("not a git repository" in line for line in said):
        return UsageError("this is not a git repository", hint="cd into a repository, or make one with `git init`")
    return UsageError(f"git does not work here: {said[0].partition(': ')[2]}", hint="git status (it says what to do)")


def _read_config(git: Git) -> Entries:
    result = git.run("config", "--show-origin", "-z", "--get-regexp", _CONFIG_PATTERN, ok=())
    if result.status not in (0, 1):
        raise UsageError(
            f"git cannot read its configuration: {result.error_text().strip()[:300]}",
            hint="git config --list --show-origin",
        )
    return _entries(result.out, None)


def _entries(out: bytes, origin: str | None) -> dict[str, list[Entry]]:
    """`origin NUL key LF value NUL ...`, or without origins where one is given for all."""
    parts = out.decode("utf-8", "surrogateescape").split("\x00")[:-1]
    pairs: Sequence[tuple[str, str]] = (
        [(origin, part) for part in parts] if origin is not None else list(zip(parts[::2], parts[1::2], strict=True))
    )
    found: dict[str, list[Entry]] = {}
    for where, text in pairs:
        key, _, value = text.partition("\n")
        found.setdefault(key.lower() if key.startswith("orch.") else key, []).append(Entry(value, where))
    return found


def read_shared(git: Git, tip: str, target: str) -> Entries:
    """The `.gitorch` of a target's tip; nothing when there is none. Raises UsageError when git cannot parse it."""
    result = git.run("config", "-z", "--list", "--blob", f"{tip}:{SHARED_FILE}", ok=())
    if result.status == 0:
        kept = _entries(result.out, f"{SHARED_FILE} of {target}")
        return {key: values for key, values in kept.items() if key.startswith("orch.")}
    if "unable to resolve config blob" in result.error_text():
        return {}
    raise unreadable(target)


def unreadable(target: str) -> UsageError:
    """The shared file of a target makes no sense."""
    return UsageError(
        f"{SHARED_FILE} at the tip of {target} is not a configuration file that git can read",
        hint=f"git show {typed(target)}:{SHARED_FILE}",
    )


def choose_remote(repository: Repository, wanted: str | None) -> str:
    """The remote that holds the truth: the one asked for, `orch.remote`, `origin`, the only one, or none (the
    repository itself). Raises UsageError when there are several to choose from."""
    remotes = repository.remotes()
    chosen = wanted or repository.value("orch.remote")
    if chosen is not None:
        if chosen != SELF and chosen not in remotes:
            raise UsageError(f"there is no remote named {chosen!r}", hint="git remote -v")
        return chosen
    if "origin" in remotes or not remotes:
        return "origin" if remotes else SELF
    if len(remotes) > 1:
        raise UsageError("there are several remotes and none is named origin", hint="git orch init --remote NAME")
    return remotes[0]


def choose_target(repository: Repository, remote: str, wanted: str | None) -> str:
    """The target of a command: the one asked for, `orch.target`, the remote's default branch as this clone knows it,
    or `main`, or `master`. Raises UsageError when nothing of that exists."""
    configured = wanted or Settings(repository.config).target
    if configured is not None:
        if not is_branch_name(configured):
            raise UsageError("the target is not the name of a branch", hint="git branch --all")
        return configured
    return _default_branch(repository, remote)


def _default_branch(repository: Repository, remote: str) -> str:
    git = repository.git
    base = "refs/heads/" if remote == SELF else f"refs/remotes/{remote}/"
    if remote != SELF:
        head = git.run("symbolic-ref", "--quiet", f"{base}HEAD", ok=())
        if head.status == 0:
            return head.text().removeprefix(base)
    for name in filter(None, ("main", "master", repository.value("init.defaultbranch"))):
        if git.run("show-ref", "--verify", "--quiet", base + name, ok=()).status == 0:
            return name
    return "main"


def current_branch(git: Git) -> str | None:
    """The branch that is checked out here, None on a detached HEAD."""
    result = git.run("symbolic-ref", "--quiet", "HEAD", ok=())
    name = result.text()
    return name.removeprefix("refs/heads/") if result.status == 0 and name.startswith("refs/heads/") else None


def local_branch(git: Git, branch: str) -> str | None:
    """The commit of a local branch, None when there is no such branch."""
    result = git.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", ok=())
    return result.text() if result.status == 0 else None


__all__ = [
    "GitError",
    "Repository",
    "choose_remote",
    "choose_target",
    "current_branch",
    "local_branch",
    "open_repository",
    "read_shared",
    "unreadable",
]
