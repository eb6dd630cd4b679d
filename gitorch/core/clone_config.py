"""What in the configuration of a clone, or of a repository that others push to, works against git orch. Pure: the
entries of `git config` are read by the shell.

Our own pushes and fetches name their refs and switch off what would add to them; most of this is about what people type
beside us.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitorch.core.names import MIRROR_ROOT, Namespace
from gitorch.core.settings import Entries
from gitorch.core.text import typed


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry that works against us: `level` is `problem` or `warning`."""

    level: str
    what: str
    hint: str


def clone_troubles(config: Entries, remote: str, names: Namespace) -> Iterator[Trouble]:
    """In a clone that works with `remote`."""
    yield from _remote_troubles(config, remote, names)
    if _flag(config, "push.gpgsign") and _value(config, "user.signingkey") is None:
        yield Trouble(
            "warning",
            "push.gpgSign is set and there is no user.signingKey: a remote that knows signed pushes refuses ours",
            "git config user.signingKey KEY, or git config push.gpgSign if-asked",
        )
    for value in _values(config, "push.pushoption"):
        if value.startswith("orch.bypass="):
            yield Trouble(
                "problem",
                "push.pushOption asks the server to let every push of this clone go around the rules",
                "git config --unset-all push.pushOption '^orch\\.bypass='",
            )
    for value in _values(config, "notes.rewriteref"):
        if _covers(value, names.notes):
            yield Trouble(
                "warning",
                "notes.rewriteRef copies verdicts and landings to commits that are rewritten, where they are not true",
                "git config --unset-all notes.rewriteRef",
            )


def _remote_troubles(config: Entries, remote: str, names: Namespace) -> Iterator[Trouble]:
    key, shown = f"remote.{remote}", typed(remote, "REMOTE")
    if _flag(config, f"{key}.mirror"):
        yield Trouble(
            "problem",
            f"{remote} is configured as a mirror: a plain `git push` deletes all state on it",
            f"git config --unset remote.{shown}.mirror",
        )
    for value in _values(config, f"{key}.fetch"):
        destination = value.partition(":")[2]
        if not value.startswith("^") and any(_covers(destination, root) for root in (names.root, MIRROR_ROOT)):
            yield Trouble(
                "problem",
                f"the fetch refspec {value} lets a plain `git fetch` overwrite local refs of git orch",
                f"git config --edit (remote.{shown}.fetch)",
            )
    for value in _values(config, f"{key}.push"):
        destination = value.partition(":")[2] or value
        if not value.startswith("^") and any(_covers(destination, root) for root in (names.root, names.notes)):
            yield Trouble(
                "problem",
                f"the push refspec {value} lets a plain `git push` write, or overwrite, state of git orch on {remote}",
                f"git config --edit (remote.{shown}.push)",
            )
    if _value(config, f"{key}.pushurl") is not None:
        yield Trouble(
            "warning",
            f"{remote} is pushed to another place than it is fetched from",
            f"git remote get-url --push {shown}",
        )


def harmless(config: Entries, remote: str) -> Iterator[str]:
    """Settings that change what people's pushes do, and are often asked about: ours are without them."""
    if _flag(config, "push.followtags"):
        yield "push.followTags is set: pushes of git orch carry no tags all the same"
    if (_value(config, "push.recursesubmodules") or "no") not in ("no", "false"):
        yield "push.recurseSubmodules is set: pushes of git orch do not look at submodules"
    if _flag(config, f"remote.{remote}.prune") or _flag(config, "fetch.prune"):
        yield "pruning is set for fetches: what git orch keeps of the remote is not touched by it"


def server_troubles(config: Entries, names: Namespace) -> Iterator[Trouble]:
    """In the repository that is pushed to, where it is on this machine."""
    for key in ("transfer.hiderefs", "receive.hiderefs", "uploadpack.hiderefs"):
        for value in _values(config, key):
            if not value.startswith("!") and (names.root + "/").startswith(value.lstrip("^").rstrip("/") + "/"):
                yield Trouble(
                    "problem",
                    f"the remote hides {value} ({key}), so its state cannot be seen or written",
                    _on_server(key),
                )
    # Git asks this one of branches only.
    if _flag(config, "receive.denydeletes") and names.root.startswith("refs/heads/"):
        yield Trouble(
            "problem",
            "the remote lets nobody delete refs (receive.denyDeletes): finished jobs cannot be archived",
            _on_server("receive.denyDeletes"),
        )
    if _flag(config, "receive.denynonfastforwards"):
        yield Trouble(
            "warning",
            "the remote refuses rewritten branches (receive.denyNonFastForwards): none follows its rebased head",
            _on_server("receive.denyNonFastForwards"),
        )
    if _value(config, "receive.advertiseatomic") in ("false", "no", "off", "0"):
        yield Trouble(
            "problem",
            "the remote does not offer all-or-nothing pushes (receive.advertiseAtomic)",
            _on_server("receive.advertiseAtomic"),
        )


def _on_server(key: str) -> str:
    return f"on the server: git config --unset-all {key}"


def _covers(pattern: str, root: str) -> bool:
    """Whether a side of a refspec has something of the folder `root`, or of the ref."""
    side = pattern.lstrip("+")
    before, star, _ = side.partition("*")
    if star:
        return before.startswith(root) or root.startswith(before) or (root + "/").startswith(before)
    return side == root or side.startswith(root + "/")


def _values(config: Entries, key: str) -> list[str]:
    return [entry.value for entry in config.get(key, ())]


def _value(config: Entries, key: str) -> str | None:
    found = _values(config, key)
    return found[-1] if found else None


def _flag(config: Entries, key: str) -> bool:
    return (_value(config, key) or "").lower() in ("true", "yes", "on", "1")
