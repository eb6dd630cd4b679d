"""What is fuzzed: each subject is a maker of valid inputs and a judge of any input.

A judge returns True for an input that was read and False for one that was refused in a documented way. It raises
AssertionError for an answer that breaks a promise; every other exception is a finding too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from fuzz import seeds
from fuzz.safe import require_safe
from gitorch.core import codec
from gitorch.core.additions import parse_lines
from gitorch.core.archive import entry_text, read_entry
from gitorch.core.codec import AnyRecord, Decoded, encode
from gitorch.core.errors import DamagedError, UsageError
from gitorch.core.gitobjects import decode_commit, decode_tree, encode_commit, encode_tree
from gitorch.core.model import Damage, Job, JobId, Lease, Oid
from gitorch.core.names import BRANCHES, RefKind, branch_ref, escape_target, is_branch_name, unescape_target
from gitorch.core.observation import RawRef, build_snapshot
from gitorch.core.verdicts import format_landing, format_verdict, parse_landings, parse_verdicts
from gitorch.core.writes import ArchiveEntry
from gitorch.render import damage_text, job_text, jobs_table, lease_text

Judge = Callable[[bytes], bool]

ARCHIVED = JobId("fix")
_NOW_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """One reader: `seed` makes a valid input, `judge` reads any."""

    name: str
    seed: Callable[[Random], bytes]
    judge: Judge
    weight: int = 1


# -- events


def judge_event(decode: Callable[[bytes], Decoded[Any]], data: bytes) -> bool:
    """Refused as damage with a harmless reason, or read: then writing it and reading that gives the same."""
    try:
        found = decode(data)
    except DamagedError as problem:
        require_safe(problem.message)
        return False
    event, nonce = found.event, found.nonce
    text = encode(found.record, event=event, subject="s", nonce=nonce)
    again = decode(text.encode())
    assert again == found, "what was read is not what is written"
    assert encode(again.record, event=event, subject="s", nonce=nonce) == text, "writing is not canonical"
    if len(data) % 8 == 0:  # dearer than everything else here
        _require_shown_safely(found.record)
    return True


def _require_shown_safely(record: AnyRecord) -> None:
    if isinstance(record, Job):
        require_safe(job_text(record, {}, _NOW_MS))
        require_safe(jobs_table([record], {record.id: record.state}, _NOW_MS))
    elif isinstance(record, Lease):
        require_safe(lease_text(record, record.target, _NOW_MS))


def _event(kind: str, make: Callable[[Random], AnyRecord], weight: int) -> Subject:
    def judge(data: bytes) -> bool:
        # Looked up at each call: a test replaces it by a broken one.
        return judge_event(getattr(codec, f"decode_{kind}"), data)

    return Subject(kind, lambda random: seeds.message(random, make(random)), judge, weight)


def judge_observation(data: bytes) -> bool:
    """A ref's name, a form feed, the message of its event: a record or damage, never both or neither."""
    name, _, message = data.partition(b"\x0c")
    text = name.decode("utf-8", "surrogateescape")
    kind = "commit" if len(data) % 7 else "blob"
    raw = RawRef(text, Oid("1" * 40), kind, message if kind == "commit" else None)
    snapshot = build_snapshot(seeds.NAMESPACE, [raw], heads={}, asked=frozenset(), notes=None)
    found = [*snapshot.jobs, *snapshot.leases, *snapshot.workers, *snapshot.slots]
    count = len(found) + (snapshot.graph is not None)
    parsed = seeds.NAMESPACE.parse(text)
    unread = parsed is not None and parsed[0] in (RefKind.ARCHIVE, RefKind.SCRATCH)
    assert count + len(snapshot.damaged) == (0 if unread else 1), "a ref is a record or damage"
    for damage in snapshot.damaged:
        require_safe(damage.problem)
    require_safe(damage_text(snapshot.damaged))
    return bool(found)


def _observed(random: Random) -> bytes:
    record = seeds.record(random)
    name = seeds.NAMESPACE.job(record.id) if isinstance(record, Job) else seeds.ref_name(random)
    return name.encode() + b"\x0c" + seeds.message(random, record)


# -- names


def judge_name(data: bytes) -> bool:
    """A name that is ours is spelled in one way; one that is not is nothing."""
    text = data.decode("utf-8", "surrogateescape")
    names = seeds.NAMESPACE
    target = unescape_target(text)
    assert target is None or escape_target(target) == text
    assert unescape_target(escape_target(text)) == (text if is_branch_name(text) else None)
    if is_branch_name(text):
        assert branch_ref(text) == BRANCHES + text
        text.encode()  # a record can hold it
    parsed = names.parse(text)
    if parsed is None:
        return False
    kind, name = parsed
    spelled = {
        RefKind.JOB: lambda: names.job(JobId(name)),
        RefKind.LEASE: lambda: names.lease(name),
        RefKind.WORKER: lambda: names.worker(name),
        RefKind.SLOT: lambda: names.slot(int(name)),
        RefKind.SCRATCH: lambda: names.scratch(name),
        RefKind.GRAPH: lambda: names.graph,
        RefKind.ARCHIVE: lambda: names.archive,
    }
    assert spelled[kind]() == text, "a ref is ours under one spelling only"
    return True


# -- notes


def judge_note(data: bytes) -> bool:
    """Lines are verdicts, landings or nothing; writing what was read and reading that gives the same."""
    note = data.decode("utf-8", "replace")
    verdicts, landings = parse_verdicts(note), parse_landings(note)
    for verdict in verdicts:
        line = format_verdict(verdict)
        if len(line) <= 10_000:
            seconds = float(f"{verdict.seconds:.1f}")
            assert parse_verdicts(line) == [
                replace(verdict, seconds=seconds, by=verdict.by or None, url=verdict.url or None)
            ]
        assert line.isascii() and "\n" not in line
    for landing in landings:
        line = format_landing(landing)
        if len(line) <= 10_000:
            assert parse_landings(line) == [replace(landing, branch=landing.branch or None)]
        assert line.isascii() and "\n" not in line
    return bool(verdicts or landings)


# -- the archive and git's objects


def judge_entry(data: bytes) -> bool:
    """An entry gives its job's last record, or nothing."""
    seen = read_entry(data, ARCHIVED)
    if seen is None:
        return False
    message = encode(seen.record, event="e", subject="s", nonce="n")
    written = entry_text(ArchiveEntry(ARCHIVED, seen.oid, message, seen.record.branch, ("a\nb",)))
    assert read_entry(written.encode(), ARCHIVED) == seen
    return True


def judge_tree(data: bytes) -> bool:
    """ValueError, or entries that can be written and read again."""
    read = 0
    for size in (20, 32):
        try:
            entries = decode_tree(data, size)
        except ValueError:
            continue
        read += 1
        written = encode_tree(entries)
        again = decode_tree(written, size)
        assert sorted(map(repr, again)) == sorted(map(repr, entries)), "entries were lost"
        assert encode_tree(again) == written
    return read > 0


def judge_commit(data: bytes) -> bool:
    """ValueError, or parts that can be written and read again."""
    try:
        parts = decode_commit(data)
    except ValueError:
        return False
    message = parts.message.decode("utf-8", "surrogateescape")
    again = decode_commit(encode_commit(parts.tree, parts.parents, parts.author, 0, message))
    assert again == parts
    return True


def judge_drafts(data: bytes) -> bool:
    """Every line of a file of jobs is a draft or a refusal that can be shown."""
    try:
        drafts, refused = parse_lines(data)
    except UsageError as problem:
        require_safe(problem.message)
        return False
    for refusal in refused:
        require_safe(f"{refusal.id}")
    return bool(drafts)


def judge_damage(data: bytes) -> bool:
    """The name of a ref and an object's kind are shown as they must be."""
    text = data.decode("utf-8", "surrogateescape")
    require_safe(damage_text([Damage(text, "it is a blob, not an event")]))
    return True


def core_subjects() -> tuple[Subject, ...]:
    """Readers that are pure."""
    return (
        _event("job", seeds.a_job, 5),
        _event("lease", seeds.a_lease, 5),
        _event("worker", seeds.a_worker, 6),
        _event("slot", seeds.a_slot, 6),
        _event("graph", seeds.a_graph_edit, 6),
        Subject("observation", _observed, judge_observation, 8),
        Subject("names", lambda random: seeds.ref_name(random).encode(), judge_name, 12),
        Subject("notes", seeds.note, judge_note, 2),
        Subject("archive", lambda random: seeds.archived(random, ARCHIVED), judge_entry, 3),
        Subject("tree", seeds.tree, judge_tree, 8),
        Subject("commit", seeds.commit, judge_commit, 6),
        Subject("drafts", seeds.draft, judge_drafts, 3),
        Subject("damage", lambda random: seeds.ref_name(random).encode(), judge_damage, 4),
    )
