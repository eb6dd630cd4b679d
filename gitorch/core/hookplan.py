"""What is to be done with the files of one hook: pure decisions, for `gitorch.shell.hookfiles`.

A hook `H` is up to three files in one folder. Alone, `H` is our script. Beside a hook of others, which is kept under
`H.before-git-orch`, `H` is a small script that runs that one first and then ours, `git-orch-H`. Promises: what others
wrote is never overwritten and never deleted, nor is a script of ours that somebody edited; after a crash between two
steps the same call ends where it would have ended, and until then git runs every hook that it ran before. Does not
promise to find hooks that another program runs in its own way, but for those that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

CLIENT = ("pre-push",)
SERVER = ("pre-receive", "post-receive")
STRICT = ("reference-transaction",)
NAMES = (*CLIENT, *SERVER, *STRICT)

BEFORE = ".before-git-orch"
EDITED = ".git-orch-edited"

_TOO_LATE_TO_REFUSE = ("post-receive",)
"""Hooks that run when everything has happened: that an earlier one fails is no reason to leave ours out."""


class Kind(Enum):
    """Whose a file is."""

    ABSENT = "absent"
    OURS = "ours"
    CHAIN = "chain"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a hook. `fresh`: it is what would be written now. `known`: it is what was once written, so nobody
    edited it. `runs`: git would run it. `calls`: it is of others and calls ours."""

    kind: Kind = Kind.ABSENT
    fresh: bool = False
    known: bool = False
    runs: bool = False
    calls: bool = False

    @property
    def exists(self) -> bool:
        return self.kind is not Kind.ABSENT

    @property
    def ours(self) -> bool:
        return self.kind in (Kind.OURS, Kind.CHAIN)

    @property
    def edited(self) -> bool:
        return self.ours and not self.known

    @property
    def good(self) -> bool:
        return self.ours and self.fresh and self.runs


@dataclass(frozen=True, slots=True)
class Hook:
    """The files of one hook. `front` is what git (or pre-commit) runs, `own` is our script beside a chain, `before` the
    earlier hook. `twins`: front and before are one file under two names. `hosted`: the front is run by pre-commit."""

    name: str
    front_name: str
    front: Part = Part()
    own: Part = Part()
    before: Part = Part()
    twins: bool = False
    hosted: bool = False

    @property
    def own_name(self) -> str:
        return f"git-orch-{self.name}"

    @property
    def before_name(self) -> str:
        return f"{self.name}{BEFORE}"

    @property
    def in_chain(self) -> bool:
        """An earlier hook was put away by us: the chain stands, or one was killed before it did."""
        mid_way = self.front.kind is Kind.ABSENT and self.own.ours
        return self.before.exists and (self.front.kind is Kind.CHAIN or mid_way)

    @property
    def state(self) -> str:
        """`absent`, `current`, `outdated`, `edited`, `disabled` (git does not run it) or `other`."""
        if not self.front.ours:
            return self.front.kind.value
        parts = (self.front, self.own) if self.front.kind is Kind.CHAIN else (self.front,)
        if any(part.edited for part in parts):
            return "edited"
        if any(part.exists and not part.runs for part in parts):
            return "disabled"
        return "current" if all(part.good for part in parts) else "outdated"

    @property
    def chained(self) -> bool:
        """Ours runs, and a hook of others does, too."""
        return self.front.calls or (self.front.ours and (self.in_chain or self.hosted))


class Do(Enum):
    """One step; each is one system call that happens or does not."""

    WRITE_OWN = "write our script beside"
    WRITE_CHAIN = "write the chain to the front"
    WRITE_FRONT = "write our script to the front"
    KEEP = "give the front the name of an earlier hook, too"
    KEEP_EDITED = "give the front the name of an edited one, too"
    KEEP_EDITED_OWN = "give our script the name of an edited one, too"
    RESTORE = "put the earlier hook to the front"
    DROP_FRONT = "take the front away"
    DROP_OWN = "take our script away"
    DROP_BEFORE = "take the second name of the front away"


def plan_install(hook: Hook) -> tuple[Do, ...] | None:
    """The steps that make ours run, none when it does; None when two hooks of others claim the same place."""
    return None if _crowded(hook) else tuple(_install(hook))


def _crowded(hook: Hook) -> bool:
    """An earlier hook lies there that this program did not put away."""
    if hook.front.calls or not hook.before.exists or hook.twins:
        return False
    return not hook.in_chain


def _install(hook: Hook) -> Iterator[Do]:
    if hook.front.calls:
        return
    if hook.front.edited:
        yield Do.KEEP_EDITED
    if hook.front.kind is Kind.OTHER or hook.in_chain:
        if not hook.own.good:
            if hook.own.exists and not hook.own.known:
                yield Do.KEEP_EDITED_OWN
            yield Do.WRITE_OWN
        if hook.front.kind is Kind.OTHER and not hook.twins:
            yield Do.KEEP
        if not (hook.front.kind is Kind.CHAIN and hook.front.good):
            yield Do.WRITE_CHAIN
        return
    if not (hook.front.kind is Kind.OURS and hook.front.good):
        yield Do.WRITE_FRONT
    yield from _drop_own(hook)


def plan_uninstall(hook: Hook) -> tuple[Do, ...]:
    """The steps that bring back what was there before, none when nothing of ours is there."""
    return tuple(_uninstall(hook))


def _uninstall(hook: Hook) -> Iterator[Do]:
    if hook.front.edited:
        yield Do.KEEP_EDITED
    if hook.in_chain:
        yield Do.RESTORE
    elif hook.front.ours:
        yield Do.DROP_FRONT
    elif hook.twins and hook.own.ours:
        yield Do.DROP_BEFORE
    yield from _drop_own(hook)


def _drop_own(hook: Hook) -> Iterator[Do]:
    if hook.own.edited:
        yield Do.KEEP_EDITED_OWN
    if hook.own.ours:
        yield Do.DROP_OWN


def kind_of(data: bytes, name: str) -> Kind:
    """Whose a file is, by its second line."""
    second = data.split(b"\n", 2)[1:2]
    if second == [f"# git-orch-hook: {name}".encode()]:
        return Kind.OURS
    return Kind.CHAIN if second == [_chain_mark(name).encode()] else Kind.OTHER


def call_line(name: str) -> str:
    """How the hook of another program calls ours."""
    return f'git orch hooks run {name} "$@"'


def calls_ours(data: bytes, name: str) -> bool:
    """Whether a script or a file of configuration calls ours; a comment does not."""
    pattern = rb"^[^#\n]*\bgit[ -]orch hooks run (-- )?" + re.escape(name.encode()) + rb"(?![\w-])"
    return re.search(pattern, data, re.MULTILINE) is not None


def _chain_mark(name: str) -> str:
    return f"# git-orch-chain: {name}"


def chain_script(name: str) -> bytes:
    """The script that runs an earlier hook and then ours. It starts nothing but these two, needs no place for a
    temporary file, and gives each the input byte for byte."""
    earlier = f'"$here/{name}{BEFORE}"'
    ours = f'"$here/git-orch-{name}"'
    late = name in _TOO_LATE_TO_REFUSE
    lines = [
        "#!/bin/sh",
        _chain_mark(name),
        "# Written by `git orch hooks install`: runs the hook that was here before, then that of git orch, each with",
        "# the same arguments and input. `git orch hooks uninstall` puts the earlier one back as it was.",
        "case $0 in */*) here=${0%/*} ;; *) here=. ;; esac",
        "input=$(",
        "    while IFS= read -r line; do printf '%s\\n' \"$line\"; done",
        "    printf '%s.' \"$line\"",
        ")",
        "input=${input%.}",
        "status=0",
        f"if [ -x {earlier} ]; then",
        f'    printf \'%s\' "$input" 2>/dev/null | {earlier} "$@" || ' + ("status=$?" if late else "exit $?"),
        "fi",
        f'printf \'%s\' "$input" 2>/dev/null | {ours} "$@" || exit $?',
        "exit $status",
    ]
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Manager:
    """A program that writes the hooks of a repository itself: where ours is to be called, and how. `steps` are a file
    and the lines to add to it."""

    name: str
    steps: tuple[tuple[str, str], ...]
    calls: bool = False


HUSKY_FOLDER = ".husky"
LEFTHOOK_FILES = tuple(
    f"{folder}lefthook{end}"
    for folder in ("", ".", ".config/")
    for end in (".yml", ".yaml", ".toml", ".json", "-local.yml")
)


def manager_of(files: Iterable[str], hooks_path: str, name: str) -> Manager | None:
    """The program that manages the hooks, by the names at the top of the working tree and `core.hooksPath`. pre-commit
    is none of these: it runs an earlier hook itself, with everything that git gives it."""
    there = set(files)
    if HUSKY_FOLDER in there or HUSKY_FOLDER in hooks_path.split("/"):
        return Manager("husky", ((f"{HUSKY_FOLDER}/{name}", call_line(name) + "\n"),))
    config = next((file for file in LEFTHOOK_FILES if file in there), None)
    if config is None:
        return None
    # A script, not a command: lefthook leaves commands out of a push that brings no changed file, as a deletion.
    entry = f'{name}:\n  scripts:\n    "git-orch":\n      runner: sh\n      use_stdin: true\n'
    return Manager("lefthook", ((config, entry), (f".lefthook/{name}/git-orch", call_line(name) + "\n")))


def shared_mode(value: str | None) -> int:
    """The permissions of a hook under this `core.sharedRepository`."""
    word = (value or "").strip().lower()
    if word in ("group", "true", "yes", "on", "1", "all", "world", "everybody", "2"):
        return 0o775
    if re.fullmatch(r"0[0-7]{3}", word):
        wanted = int(word, 8)
        return 0o700 | (wanted & 0o666) | ((wanted & 0o444) >> 2)
    return 0o755
