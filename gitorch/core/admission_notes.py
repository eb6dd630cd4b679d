"""What a push may do to the notes: add lines. Part of `gitorch.core.admission`.

A note is a row of lines, of which the last one for a gate counts; so a line that goes, changes or moves would change or
lose somebody's verdict. What a line says of a landing must be what the push does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitorch.core.admission import Change, Push, RefusalError, require_signature
from gitorch.core.model import OID, Oid
from gitorch.core.states import Event

NOTE_LIMIT = 1_000_000
"""Bytes of one note."""

_JOB = re.compile(rb" job=([a-z0-9][a-z0-9-]{0,63})(?= |$)")


def check_notes(push: Push, change: Change) -> None:
    """Raises RefusalError."""
    view = push.view
    if change.new is None:
        raise RefusalError("deletion", change.ref, "nothing deletes the verdicts and landings")
    if view.kind(change.new)[0] != "commit":
        raise RefusalError("kind", change.ref, "it would be no commit")
    if change.old is not None and not view.is_ancestor(change.old, change.new):
        raise RefusalError("parents", change.ref, "it is not on top of the present notes")
    gone: list[tuple[bytes, bytes]] = []
    verdicts = False
    come: dict[bytes, list[bytes]] = {}
    for path, old, new, mode in view.diff(change.old, change.new):
        noted = path.replace(b"/", b"")
        after = _note(push, change, new, mode)
        before = _text(push, change, old) if old is not None and new is not None else b""
        if new is None:
            gone.append((noted, b"" if old is None else _text(push, change, old)))
            continue
        come.setdefault(noted, []).append(after)
        _check_added(push, change, noted, before, after)
        verdicts = verdicts or any(_word(line) in (b"green", b"red") for line in _added(before, after))
    for noted, before in gone:
        # Folders of notes may be laid out anew; then the same note comes elsewhere.
        if not any(_keeps(before, after) for after in come.get(noted, ())):
            raise RefusalError("notes", change.ref, "it takes away a note")
    require_signature(push, change, "verdict" if verdicts else None)


def _note(push: Push, change: Change, new: Oid | None, mode: str) -> bytes:
    if new is None:
        return b""
    if mode != "100644" or push.view.kind(new)[1] > NOTE_LIMIT:
        raise RefusalError("notes", change.ref, "a note is too large, or no plain file")
    return _text(push, change, new)


def _text(push: Push, change: Change, blob: Oid) -> bytes:
    data = push.view.blob(blob)
    if b"\0" in data:
        raise RefusalError("notes", change.ref, "a note is no text")
    return data


def _keeps(before: bytes, after: bytes) -> bool:
    kept = before.rstrip(b"\n")
    return not kept or after == kept or after.startswith(kept + b"\n")


def _check_added(push: Push, change: Change, noted: bytes, before: bytes, after: bytes) -> None:
    if not _keeps(before, after):
        raise RefusalError("notes", change.ref, "it changes or takes away a line of a note")
    for line in _added(before, after):
        word = _word(line)
        if word == b"bypass":
            raise RefusalError("notes", change.ref, "only the server records a bypass")
        if word == b"landed" and OID.fullmatch(noted.decode("ascii", "replace")) and not _landed(push, noted, line):
            raise RefusalError("notes", change.ref, "it records a landing that the push does not make")


def _word(line: bytes) -> bytes:
    return [*line.split(b" "), b""][1]


def _added(before: bytes, after: bytes) -> Iterator[bytes]:
    yield from after[len(before.rstrip(b"\n")) :].split(b"\n")


def _landed(push: Push, noted: bytes, line: bytes) -> bool:
    found = _JOB.search(line)
    job = push.job(found[1].decode()) if found else None
    return job is not None and job.event.event == Event.LAND.value and job.record.landed == Oid(noted.decode())
