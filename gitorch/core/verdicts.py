"""The lines in `refs/notes/orch`: verdicts on trees, landing records on commits. One line each, time first, never
edited.

A line that is not ours is skipped: anybody may add notes there. A verdict is retracted by a later line, so the last
one for a gate counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitorch.core.model import JOB_ID, OID, Color, JobId, LandingRecord, Oid, Verdict
from gitorch.core.times import format_time, parse_time

NOTE_LIMIT = 1_000_000
"""Characters of a note that are looked at; a longer one has only its end read."""

_PLAIN = re.compile(r"[^\x21-\x24\x26-\x7e]")
_CODED = re.compile(r"%([0-9A-F]{2})")


def _quote(text: str) -> str:
    """Percent-encode what is not printable ASCII, so that a value has no spaces."""
    return _PLAIN.sub(lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode("utf-8", "surrogateescape")), text)


def _unquote(text: str) -> str:
    raw = _CODED.sub(lambda m: chr(int(m[1], 16)), text)
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def _line(time_ms: int, word: str, values: Iterable[tuple[str, str | None]]) -> str:
    return " ".join([format_time(time_ms), word, *(f"{key}={_quote(value)}" for key, value in values if value)])


def format_verdict(verdict: Verdict) -> str:
    """One line, canonical key order."""
    values = (
        ("tree", verdict.tree),
        ("gate", verdict.gate),
        ("seconds", f"{verdict.seconds:.1f}"),
        ("job", verdict.job),
        ("by", verdict.by),
        ("url", verdict.url),
    )
    return _line(verdict.time_ms, verdict.color.value, values)


def format_landing(landing: LandingRecord) -> str:
    """One line, canonical key order."""
    values = (
        ("job", landing.job),
        ("target", landing.target),
        ("branch", landing.branch),
        ("head", landing.head),
        ("base", landing.base),
        ("gate", landing.gate),
    )
    return _line(landing.time_ms, "landed", values)


def _parse(line: str) -> tuple[int, str, dict[str, str]] | None:
    words = line.split(" ")
    if len(words) < 2 or len(line) > 10_000:
        return None
    try:
        time_ms = parse_time(words[0])
    except ValueError:
        return None
    pairs = [word.partition("=") for word in words[2:]]
    return time_ms, words[1], {key: _unquote(value) for key, _, value in pairs}


def parse_verdicts(note: str) -> list[Verdict]:
    """All well-formed verdicts of a note, in its order."""
    return [verdict for verdict in map(_verdict, note[-NOTE_LIMIT:].splitlines()) if verdict is not None]


def _verdict(line: str) -> Verdict | None:
    parsed = _parse(line)
    if parsed is None or parsed[1] not in ("green", "red"):
        return None
    time_ms, word, values = parsed
    tree, gate, job = values.get("tree", ""), values.get("gate", ""), values.get("job")
    if not OID.fullmatch(tree) or not OID.fullmatch(gate) or (job is not None and not JOB_ID.fullmatch(job)):
        return None
    seconds = values.get("seconds", "0")
    return Verdict(
        color=Color(word),
        tree=Oid(tree),
        gate=Oid(gate),
        time_ms=time_ms,
        seconds=float(seconds) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", seconds) else 0.0,
        job=None if job is None else JobId(job),
        by=values.get("by"),
        url=values.get("url"),
    )


def parse_landings(note: str) -> list[LandingRecord]:
    """All well-formed landing records of a note, in its order."""
    return [landing for landing in map(_landing, note[-NOTE_LIMIT:].splitlines()) if landing is not None]


def _landing(line: str) -> LandingRecord | None:
    parsed = _parse(line)
    if parsed is None or parsed[1] != "landed":
        return None
    time_ms, _, values = parsed
    job, target = values.get("job", ""), values.get("target", "")
    head, base, gate = values.get("head", ""), values.get("base", ""), values.get("gate")
    if not JOB_ID.fullmatch(job) or not target or not OID.fullmatch(head) or not OID.fullmatch(base):
        return None
    if gate is not None and not OID.fullmatch(gate):
        return None
    return LandingRecord(
        job=JobId(job),
        target=target,
        head=Oid(head),
        base=Oid(base),
        time_ms=time_ms,
        branch=values.get("branch"),
        gate=None if gate is None else Oid(gate),
    )


@dataclass(frozen=True, slots=True)
class Bypass:
    """A push that a server let through against the rules: one line of the note on the constant root. `old` and `new`
    are None where there was, or is, nothing."""

    time_ms: int
    ref: str
    old: Oid | None
    new: Oid | None
    by: str
    reason: str


def parse_bypasses(note: str) -> list[Bypass]:
    """All well-formed bypasses of a note, in its order."""
    return [bypass for bypass in map(_bypass, note[-NOTE_LIMIT:].splitlines()) if bypass is not None]


def _bypass(line: str) -> Bypass | None:
    parsed = _parse(line)
    if parsed is None or parsed[1] != "bypass" or not parsed[2].get("ref"):
        return None
    time_ms, _, values = parsed
    old, new = (Oid(word) if OID.fullmatch(word := values.get(key, "")) else None for key in ("old", "new"))
    return Bypass(time_ms, values["ref"], old, new, values.get("by", ""), values.get("reason", ""))


def verdict_for(note: str | None, tree: Oid, gate: Oid) -> Verdict | None:
    """The verdict in force for a tree and a gate: the last line that names both."""
    found = [v for v in parse_verdicts(note or "") if v.tree == tree and v.gate == gate]
    return found[-1] if found else None
