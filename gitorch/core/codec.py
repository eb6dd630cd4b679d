"""Commit messages to records and back.

A message is for people first: subject, a body where useful. Its last paragraph is a block of trailers with the
*whole* record. The parser is strict (each key once, each value legal; only their order is free), keeps keys that it
does not know, and refuses a newer format instead of guessing. Encoding is canonical: one record has one block, but
for the event and the nonce.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic

from gitorch.core.errors import DamagedError
from gitorch.core.model import Color, GraphEdit, Job, JobId, Lease, Record, Slot, State, Worker
from gitorch.core.times import format_time, parse_time

FORMAT = 1
MESSAGE_LIMIT = 1_000_000
"""Bytes of one event's message; the longest legal one (10,000 dependencies) stays below it."""

EXTRA_LIMIT = 50
"""Unknown keys that are kept on rewrite."""

EXTRA_SIZE_LIMIT = 20_000
"""Characters of all unknown keys and values together: what is kept must not crowd out what we write."""

BODY_LIMIT = 20_000
"""Characters of text for people; what is longer loses its end. Payloads are the place for more."""

_TRAILER = re.compile(r"([A-Z][A-Za-z0-9]*(?:-[A-Z][A-Za-z0-9]*)*): (\S(?:.*\S)?)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_RESERVED = ("Orch-Format", "Record", "Event", "Nonce")


class NewerFormatError(DamagedError):
    """A record written by a later version of git orch."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"a record has format {found}, this version of git orch reads up to {FORMAT}",
            hint="install a newer git orch, then try again",
        )


class MalformedError(DamagedError):
    """A record that breaks the format."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"not a record of git orch: {problem}", hint="git orch doctor")


@dataclass(frozen=True, slots=True)
class Field:
    """How one attribute is written: its key, and both directions. `show` gives None for a value that is left out."""

    key: str
    attribute: str
    show: Callable[[Any], str | None]
    read: Callable[[str], Any]


def _text(key: str, attribute: str) -> Field:
    return Field(key, attribute, lambda value: value, lambda text: text)


def _number(key: str, attribute: str) -> Field:
    return Field(key, attribute, str, _read_number)


def _maybe_number(key: str, attribute: str) -> Field:
    return Field(key, attribute, lambda value: None if value is None else str(value), _read_number)


def _time(key: str, attribute: str) -> Field:
    return Field(key, attribute, format_time, parse_time)


def _read_number(text: str) -> int:
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text):
        raise ValueError("not a number")
    return int(text)


def _read_ids(text: str) -> tuple[JobId, ...]:
    return tuple(JobId(part) for part in text.split(" "))


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(text.split(" "))


def _choice(key: str, attribute: str, yes: str | None, no: str | None) -> Field:
    """A flag, spelled as one of two words; the one that is None is left out."""
    words = {word: value for word, value in ((yes, True), (no, False)) if word is not None}
    return Field(key, attribute, lambda value: yes if value else no, lambda text: words[text])


JOB_FIELDS = (
    _text("Id", "id"),
    _text("Title", "title"),
    Field("State", "state", lambda state: str(state.value), State),
    _text("Target", "target"),
    _text("Branch", "branch"),
    _text("Head", "head"),
    _number("Priority", "priority"),
    Field("After", "after", lambda ids: " ".join(ids) or None, _read_ids),
    _number("Attempt", "attempt"),
    _text("Worker", "worker"),
    _text("Token", "token"),
    _maybe_number("Ttl", "ttl_s"),
    _choice("Kept", "kept", "yes", None),
    _maybe_number("Slot", "slot"),
    _text("Landed", "landed"),
    Field("Labels", "labels", lambda labels: " ".join(labels) or None, _read_words),
    _text("Run", "run"),
    _choice("Lands", "lands", None, "no"),
    _text("Reason", "reason"),
    _time("Created", "created_ms"),
    _time("Updated", "updated_ms"),
)

LEASE_FIELDS = (
    _text("Target", "target"),
    _choice("State", "held", "held", "free"),
    _number("Epoch", "epoch"),
    _text("Holder", "holder"),
    _text("Token", "token"),
    _text("Job", "job"),
    _text("Base", "base"),
    _text("Candidate", "candidate"),
    _text("Tree", "tree"),
    _text("Gate", "gate"),
    Field("Verdict", "verdict", lambda color: color and color.value, Color),
    _text("Reason", "reason"),
    _number("Ttl", "ttl_s"),
    _time("Since", "since_ms"),
    _time("Updated", "updated_ms"),
)

WORKER_FIELDS = (
    _text("Id", "id"),
    _choice("State", "present", "present", "left"),
    _text("Holder", "holder"),
    _number("Capacity", "capacity"),
    _number("Ttl", "ttl_s"),
    _time("Since", "since_ms"),
    _time("Updated", "updated_ms"),
)

SLOT_FIELDS = (
    _number("Number", "number"),
    _choice("State", "held", "held", "free"),
    _text("Job", "job"),
    _text("Token", "token"),
    _time("Updated", "updated_ms"),
)

GRAPH_FIELDS = (
    _text("Job", "job"),
    Field("After", "after", lambda ids: " ".join(ids) or None, _read_ids),
    _number("Edits", "edits"),
    _time("Updated", "updated_ms"),
)


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Record]):
    """An event as read: the record, the word of the event, its nonce."""

    record: Record
    event: str
    nonce: str


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    build: Callable[..., Any]
    fields: tuple[Field, ...]


_KINDS: dict[str, _Kind] = {
    "job": _Kind("job", Job, JOB_FIELDS),
    "lease": _Kind("lease", Lease, LEASE_FIELDS),
    "worker": _Kind("worker", Worker, WORKER_FIELDS),
    "slot": _Kind("slot", Slot, SLOT_FIELDS),
    "graph": _Kind("graph", GraphEdit, GRAPH_FIELDS),
}

AnyRecord = Job | Lease | Worker | Slot | GraphEdit


def encode(record: AnyRecord, *, event: str, subject: str, nonce: str, body: str = "") -> str:
    """The whole message of an event. `body` is text for people; control characters must be escaped by the caller
    already (newlines and tabs may stay); beyond BODY_LIMIT it is cut. Raises ValueError for what one line cannot
    hold."""
    kind = next(kind for kind in _KINDS.values() if kind.build is type(record))
    lines = [
        ("Orch-Format", str(FORMAT)),
        ("Record", kind.name),
        ("Event", event),
        *_shown(record, kind),
        ("Nonce", nonce),
    ]
    for key, value in lines:
        if not _TRAILER.fullmatch(f"{key}: {value}") or _CONTROL.search(value):
            raise ValueError(f"{key} cannot be written on one line")
    known = {field.key for field in kind.fields}.union(_RESERVED)
    if len({key for key, _ in lines}) != len(lines) or any(key in known for key, _ in record.extra):
        raise ValueError("a key stands twice")
    block = "\n".join(f"{key}: {value}" for key, value in lines)
    text = "\n\n".join(part for part in (f"{event}: {subject}", body.strip()[:BODY_LIMIT].rstrip(), block) if part)
    return text + "\n"


def _shown(record: AnyRecord, kind: _Kind) -> list[tuple[str, str]]:
    known = [(field.key, _show(field, record)) for field in kind.fields]
    return [(key, value) for key, value in known if value is not None] + list(record.extra)


def _show(field: Field, record: AnyRecord) -> str | None:
    value = getattr(record, field.attribute)
    return None if value is None else field.show(value)


def decode_job(message: bytes) -> Decoded[Job]:
    """Read a job's event. Raises NewerFormatError or MalformedError."""
    return _decode(message, _KINDS["job"])


def decode_lease(message: bytes) -> Decoded[Lease]:
    """Read a lease's event. Raises NewerFormatError or MalformedError."""
    return _decode(message, _KINDS["lease"])


def decode_worker(message: bytes) -> Decoded[Worker]:
    """Read a worker's event. Raises NewerFormatError or MalformedError."""
    return _decode(message, _KINDS["worker"])


def decode_slot(message: bytes) -> Decoded[Slot]:
    """Read a slot's event. Raises NewerFormatError or MalformedError."""
    return _decode(message, _KINDS["slot"])


def decode_graph(message: bytes) -> Decoded[GraphEdit]:
    """Read an event of the graph. Raises NewerFormatError or MalformedError."""
    return _decode(message, _KINDS["graph"])


def _decode(message: bytes, kind: _Kind) -> Decoded[Any]:
    trailers = read_trailers(message)
    if trailers.pop("Record", None) != kind.name:
        raise MalformedError(f"it is not a {kind.name}")
    event, nonce = trailers.pop("Event", None), trailers.pop("Nonce", None)
    if event is None or nonce is None:
        raise MalformedError("it names no event or no nonce")
    try:
        values = {f.attribute: f.read(trailers.pop(f.key)) for f in kind.fields if f.key in trailers}
        if len(trailers) > EXTRA_LIMIT or sum(map(len, (*trailers, *trailers.values()))) > EXTRA_SIZE_LIMIT:
            raise ValueError("it has too many unknown keys")
        return Decoded(kind.build(**values, extra=tuple(trailers.items())), event, nonce)
    except (ValueError, KeyError, TypeError, OverflowError) as problem:
        raise MalformedError(_plain(problem, kind)) from None


def _plain(problem: Exception, kind: _Kind) -> str:
    """What is wrong, without quoting the record: it comes from others."""
    if isinstance(problem, TypeError):
        return f"a {kind.name} lacks one of its keys"
    return str(problem) if isinstance(problem, ValueError) and "'" not in str(problem) else "a value is malformed"


def read_trailers(message: bytes) -> dict[str, str]:
    """The trailers of the last paragraph, in order, format checked and taken off. Raises NewerFormatError or
    MalformedError."""
    if len(message) > MESSAGE_LIMIT:
        raise MalformedError("it is too long")
    try:
        # Only the record itself: what stands above it is for people, and shown with its faults.
        lines = message.removesuffix(b"\n").rpartition(b"\n\n")[2].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("it is not UTF-8") from None
    # The format comes first: nothing else of a newer one can be expected to parse.
    _check_format(lines[0])
    trailers: dict[str, str] = {}
    for line in lines:
        match = _TRAILER.fullmatch(line)
        if match is None or _CONTROL.search(line) or match[1] in trailers:
            raise MalformedError("its last paragraph is not a block of trailers, each key once")
        trailers[match[1]] = match[2]
    del trailers["Orch-Format"]
    return trailers


def _check_format(line: str) -> None:
    found = re.fullmatch(r"Orch-Format: ([1-9][0-9]{0,8})", line)
    if found is None:
        raise MalformedError("its last paragraph does not begin with Orch-Format")
    if int(found[1]) > FORMAT:
        raise NewerFormatError(int(found[1]))


def known_keys(kind: str) -> Mapping[str, str]:
    """Key to attribute, for the documentation and the tests."""
    return {f.key: f.attribute for f in _KINDS[kind].fields}


def _check_tables() -> None:
    for kind in _KINDS.values():
        written = {f.attribute for f in kind.fields} | {"extra"}
        held = {f.name for f in fields(kind.build)}  # type: ignore[arg-type]
        assert written == held, f"{kind.name}: {written ^ held} would be lost in writing"
        assert not {f.key for f in kind.fields} & set(_RESERVED)


_check_tables()
