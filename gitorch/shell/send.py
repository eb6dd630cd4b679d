"""The one push: every write of this project to a remote is a command that is put together here.

Promises: all or nothing, each ref with its expected old value, and nothing of what a clone's configuration adds to a
push by hand: no hooks, no tags, no submodules, no mirroring. Does not read the answer; `gitorch.shell.push` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.core.model import Oid
from gitorch.shell.gitcmd import NETWORK_TIMEOUT_S, NO_HOOKS, Git, GitResult

Change = tuple[str, Oid | None, Oid | None]
"""A ref, its expected old value (None: must not exist) and its new one (None: is deleted)."""

_SELF_RECEIVER = (
    "git -c receive.denyCurrentBranch=updateInstead -c receive.autogc=false -c receive.advertiseAtomic=true "
    "receive-pack"
)
_OPTIONS = ("--atomic", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-progress")


def push_command(url: str, changes: Sequence[Change], *, own: bool) -> list[str]:
    """The arguments of git. `own`: `url` is the path of the repository itself, otherwise the name of a remote.

    `--no-verify`: hooks of the clone are for people's pushes. A remote configured as a mirror, or tags that follow by
    configuration, must not add to what we push."""
    leases = [f"--force-with-lease={name}:{old or ''}" for name, old, _ in changes]
    specs = [f"{new or ''}:{name}" for name, _, new in changes]
    receiver = [f"--receive-pack={_SELF_RECEIVER}"] if own else []
    quiet = [] if own else ["-c", f"remote.{url}.mirror=false"]
    return [*NO_HOOKS, *quiet, "push", *_OPTIONS, *receiver, *leases, "--", url, *specs]


def send(
    git: Git,
    url: str,
    changes: Sequence[Change],
    *,
    own: bool = False,
    timeout_s: float | None = None,
) -> GitResult:
    """Push; without a certificate where the user wants one (`push.gpgSign`) and the remote does not know them: git
    gives up before it sends anything. Raises GitTimeoutError."""
    return run_push(git, push_command(url, changes, own=own), timeout_s=timeout_s)


def run_push(
    git: Git, command: Sequence[str], *, timeout_s: float | None = None, env: Mapping[str, str] | None = None
) -> GitResult:
    """Like send, with a command that push_command gave."""
    limit_s = timeout_s or NETWORK_TIMEOUT_S
    result = git.run(*command, ok=(), timeout_s=limit_s, env=env)
    if b"fatal: the receiving end does not support --signed push" in result.err:
        at = command.index("--atomic")
        result = git.run(*command[:at], "--no-signed", *command[at:], ok=(), timeout_s=limit_s, env=env)
    return result
