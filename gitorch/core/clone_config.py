"""What in the configuration of a clone, or of a repository that others push to, works against git orch. Pure: what
`git config` lists is read by the shell.

Our own pushes and fetches name their refs and switch off what would add to them; most of this is about what people type
beside us. Every trouble comes with the command that cures it, for the very file that the entry is in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitorch.core.model import JobId
from gitorch.core.names import BRANCHES, MIRROR_ROOT, Namespace
from gitorch.core.settings import Entries, Entry
from gitorch.core.text import quoted, typed

COMMAND_LINE = "command line"
"""Where an entry is that no file has: `git -c`, or the environment."""

_SCOPES = {"local": ("config", ""), "global": (".gitconfig", "--global"), "worktree": ("config.worktree", "--worktree")}
"""Scope to the name of its own file, and the option that leads `git config` there."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry that works against us: `level` is `problem` or `warning`."""

    level: str
    what: str
    hint: str


def parse_config(out: bytes) -> Entries:
    """What `git config --list -z --show-scope --show-origin` printed. The origin of an entry is what `git config`
    needs to change it: nothing, `--global`, `--file PATH`; or COMMAND_LINE."""
    parts = out.decode("utf-8", "surrogateescape").split("\x00")[:-1]
    found: dict[str, list[Entry]] = {}
    for scope, origin, text in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        key, newline, value = text.partition("\n")
        # A key without a value is true; its last dot begins the name, which git prints in lower case.
        found.setdefault(key, []).append(Entry(value if newline else "true", _option(scope, origin)))
    return found


def _option(scope: str, origin: str) -> str:
    if not origin.startswith("file:"):
        return COMMAND_LINE
    path = origin.removeprefix("file:")
    name, option = _SCOPES.get(scope, ("", ""))
    # An included file, or one that the environment names, is none of those that the options lead to.
    return option if path.rpartition("/")[2] == name else f"--file {quoted(path)}"


def clone_troubles(config: Entries, remote: str, names: Namespace) -> Iterator[Trouble]:
    """In a clone that works with `remote`."""
    yield from _mirror_trouble(config, remote)
    yield from _fetch_troubles(config, remote, (names.root, MIRROR_ROOT))
    for other in _remotes(config):
        if other != remote:
            yield from _fetch_troubles(config, other, (MIRROR_ROOT,))
    yield from _push_troubles(config, remote, names)
    if _flag(config, "push.gpgsign") and _last(config, "user.signingkey") is None:
        yield Trouble(
            "warning",
            "push.gpgSign is set and there is no user.signingKey: a remote that knows signed pushes refuses ours",
            "git config user.signingKey KEY, or git config push.gpgSign if-asked",
        )
    for entry in config.get("push.pushoption", ()):
        if entry.value.startswith("orch.bypass="):
            yield Trouble(
                "problem",
                "push.pushOption asks the server to let every push of this clone go around the rules",
                _unset("push.pushOption", entry),
            )
    yield from _notes_troubles(config, names)


def own_troubles(config: Entries, names: Namespace) -> Iterator[Trouble]:
    """In a repository that is its own remote: here the refs are the state itself, and any fetch may write them."""
    for remote in _remotes(config):
        yield from _fetch_troubles(config, remote, (names.root, names.notes))
    yield from _notes_troubles(config, names)


def url_troubles(config: Entries, remote: str, fetched: str, pushed: Sequence[str]) -> Iterator[Trouble]:
    """`fetched` is where git fetches from, `pushed` is everywhere it pushes to. Names no URL: they may hold
    passwords."""
    shown = typed(remote, "REMOTE")
    if len(pushed) > 1:
        key = "--push " if _last(config, f"remote.{remote}.pushurl") is not None else ""
        yield Trouble(
            "problem",
            f"every push to {remote} goes to {len(pushed)} places, one after another: nothing is all or nothing then",
            f"git remote set-url --delete {key}{shown} URL (of all but one; give the others a remote of their own)",
        )
    elif pushed and pushed[0] != fetched:
        yield Trouble(
            "warning",
            f"{remote} is pushed to another place than it is fetched from",
            f"git remote get-url --push {shown}",
        )


def _mirror_trouble(config: Entries, remote: str) -> Iterator[Trouble]:
    entry = _last(config, f"remote.{remote}.mirror")
    if entry is not None and _is_true(entry.value):
        yield Trouble(
            "problem",
            f"{remote} is configured as a mirror: a plain `git push` deletes all state on it",
            _unset(f"remote.{typed(remote, 'REMOTE')}.mirror", entry),
        )


def _fetch_troubles(config: Entries, remote: str, roots: Sequence[str]) -> Iterator[Trouble]:
    shown = typed(remote, "REMOTE")
    for entry in config.get(f"remote.{remote}.fetch", ()):
        destination = entry.value.partition(":")[2]
        if not entry.value.startswith("^") and any(_covers(destination, root) for root in roots):
            prunes = " and delete" if _prunes(config, remote) else ""
            usual = f"+{BRANCHES}*:refs/remotes/{shown}/*"
            # A clone that fetches nothing any more would be no better.
            instead = usual if _covers(entry.value.partition(":")[0], BRANCHES + "x") else None
            yield Trouble(
                "problem",
                f"the fetch refspec {entry.value} of {remote} lets a plain `git fetch` overwrite{prunes} local refs of"
                " git orch",
                _unset(f"remote.{shown}.fetch", entry, only=True, instead=instead),
            )


def _push_troubles(config: Entries, remote: str, names: Namespace) -> Iterator[Trouble]:
    for entry in config.get(f"remote.{remote}.push", ()):
        source, colon, destination = entry.value.partition(":")
        side = destination if colon else source
        if not source.startswith("^") and any(_covers(side, root) for root in (names.root, names.notes)):
            yield Trouble(
                "problem",
                f"the push refspec {entry.value} lets a plain `git push` write, or overwrite, state of git orch on"
                f" {remote}",
                _unset(f"remote.{typed(remote, 'REMOTE')}.push", entry, only=True),
            )


def _notes_troubles(config: Entries, names: Namespace) -> Iterator[Trouble]:
    for entry in config.get("notes.rewriteref", ()):
        if _covers(entry.value, names.notes):
            yield Trouble(
                "warning",
                "notes.rewriteRef copies verdicts and landings to commits that are rewritten, where they are not true",
                _unset("notes.rewriteRef", entry, only=True),
            )
    entry_or_none = _last(config, "core.notesref")
    if entry_or_none is not None and entry_or_none.value == names.notes:
        yield Trouble(
            "warning",
            "core.notesRef makes a plain `git notes` write between verdicts and landings, and the copy here goes stale",
            _unset("core.notesRef", entry_or_none),
        )


def harmless(config: Entries, remote: str) -> Iterator[str]:
    """Settings that change what people's pushes and fetches do, and are often asked about: ours are without them."""
    if _flag(config, "push.followtags"):
        yield "push.followTags is set: pushes of git orch carry no tags all the same"
    submodules = _last(config, "push.recursesubmodules")
    if submodules is not None and submodules.value not in ("no", "false"):
        yield "push.recurseSubmodules is set: pushes of git orch do not look at submodules"
    # It chooses among branches of the same name on both sides: our refs are none, but a target that moved here is one.
    default = _last(config, "push.default")
    if default is not None and default.value == "matching":
        yield "push.default is matching: a plain `git push` takes a target along that moved here; git orch never does"
    if _prunes(config, remote) and not any(_fetch_troubles(config, remote, (MIRROR_ROOT,))):
        yield "pruning is set for fetches: what git orch keeps of the remote is not touched by it"


def server_troubles(
    config: Entries, names: Namespace, target: str = "", *, folder: str = "", checked_out: Sequence[str] = ()
) -> Iterator[Trouble]:
    """In the repository that is pushed to, where it is on this machine: `folder`, if it is another one than this.
    `checked_out` are the branches that a worktree of it shows."""
    yield from _hiding_troubles(config, names, folder)
    # Git asks this one of branches only.
    entry = _last(config, "receive.denydeletes")
    if entry is not None and _is_true(entry.value) and names.root.startswith(BRANCHES):
        yield Trouble(
            "problem",
            "the remote lets nobody delete refs (receive.denyDeletes): finished jobs cannot be archived",
            _unset("receive.denyDeletes", entry, folder),
        )
    entry = _last(config, "receive.denynonfastforwards")
    if entry is not None and _is_true(entry.value):
        yield Trouble(
            "warning",
            "the remote refuses rewritten branches (receive.denyNonFastForwards): none follows its rebased head",
            _unset("receive.denyNonFastForwards", entry, folder),
        )
    entry = _last(config, "receive.advertiseatomic")
    if entry is not None and not _is_true(entry.value):
        yield Trouble(
            "problem",
            "the remote does not offer all-or-nothing pushes (receive.advertiseAtomic)",
            f"git{_at(folder)} config receive.advertiseAtomic true",
        )
    entry = _last(config, "receive.denycurrentbranch")
    lenient = entry is not None and entry.value.lower() in ("updateinstead", "warn", "ignore", *_FALSE)
    if target in checked_out and not lenient:
        yield Trouble(
            "problem",
            f"the remote has {target} checked out and refuses pushes to it (receive.denyCurrentBranch)",
            f"git{_at(folder)} config receive.denyCurrentBranch updateInstead",
        )


def _hiding_troubles(config: Entries, names: Namespace, folder: str) -> Iterator[Trouble]:
    folders = ("jobs", "leases", "workers", "slots", "graph", "archive", "scratch")
    refs = [names.job(JobId("x")), names.notes, *(f"{names.root}/{name}/x" for name in folders)]
    said = set()
    for section in ("receive", "uploadpack"):
        keys = {"transfer.hiderefs": "transfer.hideRefs", f"{section}.hiderefs": f"{section}.hideRefs"}
        pairs = [(shown, entry) for key, shown in keys.items() for entry in config.get(key, ())]
        for ref in refs:
            found = next(((key, entry) for key, entry in reversed(pairs) if _hides(entry.value, ref)), None)
            if found is None or found[1].value.startswith("!") or found in said:
                continue
            said.add(found)
            key, entry = found
            yield Trouble(
                "problem",
                f"the remote hides {entry.value} ({key}), so state of git orch cannot be seen or written",
                _unset(key, entry, folder, only=True),
            )


def _hides(value: str, ref: str) -> bool:
    """Whether an entry is about this ref, be it to hide it or to show it."""
    prefix = value.lstrip("!").lstrip("^").rstrip("/")
    return ref == prefix or ref.startswith(prefix + "/")


def _unset(key: str, entry: Entry, folder: str = "", *, only: bool = False, instead: str | None = None) -> str:
    """The command that takes an entry away: `only` the one of that value, or puts another value in its place."""
    if entry.origin == COMMAND_LINE:
        return f"leave {key} out of the environment (GIT_CONFIG_COUNT, GIT_CONFIG_PARAMETERS) or of `git -c`"
    config = f"git{_at(folder)} config" + (f" {entry.origin}" if entry.origin else "")
    if not only:
        return f"{config} --unset-all {key}"
    if not entry.value.isprintable() or not entry.value:
        return f"{config} --edit ({key})"
    value = quoted(entry.value)
    if instead is not None:
        return f"{config} --fixed-value {key} {quoted(instead)} {value}"
    return f"{config} --fixed-value --unset-all {key} {value}"


def _at(folder: str) -> str:
    return f" -C {quoted(folder)}" if folder else ""


def _covers(pattern: str, root: str) -> bool:
    """Whether a side of a refspec has something of the folder `root`, or of the ref."""
    side = pattern.lstrip("+")
    before, star, _ = side.partition("*")
    if star:
        return before.startswith(root + "/") or (root + "/").startswith(before)
    return side == root or side.startswith(root + "/")


def _remotes(config: Entries) -> list[str]:
    matches = (re.fullmatch(r"remote\.(.+)\.fetch", key, re.DOTALL) for key in config)
    return sorted(match[1] for match in matches if match)


def _prunes(config: Entries, remote: str) -> bool:
    own = _last(config, f"remote.{remote}.prune")
    return _flag(config, "fetch.prune") if own is None else _is_true(own.value)


def _last(config: Entries, key: str) -> Entry | None:
    found = config.get(key, ())
    return found[-1] if found else None


def _flag(config: Entries, key: str) -> bool:
    entry = _last(config, key)
    return entry is not None and _is_true(entry.value)


_FALSE = ("false", "no", "off", "0", "")


def _is_true(value: str) -> bool:
    """A git boolean; a word that is none counts as set, as whoever wrote it meant something."""
    return value.lower() not in _FALSE
