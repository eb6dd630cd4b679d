"""What a clone saw last of a remote's state, by name, so that it can be published again when the remote lost it.

The mirror of a clone follows the remote: the observation after a wipe prunes it. So two small files are kept for each
remote: `seen` has a line `ref oid` for everything that the last observation showed, `gone` the same for what vanished
since. Most of what vanishes was archived, which whoever restores looks up; so nothing is judged here. Both files may be
deleted at any time. The objects stay in the clone until its own garbage collection prunes them, which by git's defaults
is two weeks after they vanished.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from gitorch.core.model import OID, Oid
from gitorch.core.names import Namespace, RefKind, escape_target
from gitorch.shell.crash import crash_point

GONE_LIMIT = 5_000
"""Lines of `gone`, unless more vanished at once."""

_NEVER_DELETED = frozenset({RefKind.LEASE, RefKind.GRAPH, RefKind.ARCHIVE})
_NOT_WORTH_IT = frozenset({RefKind.WORKER, RefKind.SCRATCH})


class LastSeen:
    """The two files of one remote, in the git directory that all worktrees share."""

    def __init__(self, orch_dir: Path, remote: str, namespace: Namespace) -> None:
        self._folder = orch_dir / "last-seen" / escape_target(remote)
        self._namespace = namespace

    def keep(self, refs: Mapping[str, Oid]) -> None:
        """Remember that this is all the state that the remote has now. Costs one read where nothing changed."""
        now = {name: oid for name, oid in refs.items() if self._is_worth_it(name)}
        text = _text(now)
        known = self._read("seen")
        if known == text:
            return
        before = _parse(known)
        vanished = {name: oid for name, oid in before.items() if name not in now}
        crash_point("before what was seen is kept")
        if vanished:
            # First: whoever is killed here finds the same difference again.
            gone = {**{n: o for n, o in _parse(self._read("gone")).items() if n not in vanished}, **vanished}
            self._write("gone", _text(gone, limit=max(GONE_LIMIT, len(vanished))))
        self._write("seen", text)
        crash_point("after what was seen is kept")

    def add(self, refs: Mapping[str, Oid | None]) -> None:
        """Remember what this client published itself; None was deleted by it, into the archive."""
        seen = _parse(self._read("seen"))
        wanted = {name: oid for name, oid in refs.items() if self._is_worth_it(name)}
        after = {**seen, **{name: oid for name, oid in wanted.items() if oid is not None}}
        for name in wanted:
            if wanted[name] is None:
                after.pop(name, None)
        if after != seen:
            self._write("seen", _text(after))

    def known(self) -> dict[str, Oid]:
        """Everything that was ever seen and not forgotten, each ref at its last value: what is there, and what is
        gone."""
        return {**_parse(self._read("gone")), **_parse(self._read("seen"))}

    def lost(self) -> list[str]:
        """The refs that nobody ever deletes and that are gone all the same: the remote lost state."""
        seen = _parse(self._read("seen"))
        gone = _parse(self._read("gone"))
        return sorted(name for name in gone if name not in seen and self._is_never_deleted(name))

    def forget_gone(self) -> None:
        """What was gone is there again, or in the archive."""
        with contextlib.suppress(OSError):
            (self._folder / "gone").unlink()

    def _is_worth_it(self, name: str) -> bool:
        parsed = self._namespace.parse(name)
        return name == self._namespace.notes or (parsed is not None and parsed[0] not in _NOT_WORTH_IT)

    def _is_never_deleted(self, name: str) -> bool:
        parsed = self._namespace.parse(name)
        return name == self._namespace.notes or (parsed is not None and parsed[0] in _NEVER_DELETED)

    def _read(self, name: str) -> str:
        try:
            return (self._folder / name).read_text("utf-8")
        except (OSError, ValueError):
            return ""

    def _write(self, name: str, text: str) -> None:
        """A whole file or none of it; what cannot be kept is not."""
        path = self._folder / name
        temporary = path.with_name(f".{name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, "utf-8")
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _text(refs: Mapping[str, Oid], limit: int | None = None) -> str:
    lines = [f"{name} {oid}\n" for name, oid in refs.items()]
    return "".join(lines if limit is None else lines[-limit:])


def _parse(text: str) -> dict[str, Oid]:
    pairs = (line.rpartition(" ") for line in text.splitlines())
    return {name: Oid(oid) for name, _, oid in pairs if name and OID.fullmatch(oid)}
