"""Bytes made worse: structure-aware mutation of valid encodings. All randomness comes from the generator that is passed
in, so that a number gives the same input again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MAX_SIZE = 30_000
"""No input grows beyond this, whatever is done to it."""

LONG = 16_000

NASTY: tuple[bytes, ...] = (
    *(bytes([code]) for code in (0, 7, 8, 9, 10, 11, 12, 13, 27, 28, 29, 30, 31, 127)),
    b"\x1b[31m",
    b"\x1b]0;title\x07",
    *(bytes([0xC2, code]) for code in (0x80, 0x85, 0x9B, 0x9D, 0xA0)),
    *(chr(code).encode() for code in (0x200B, 0x200E, 0x2028, 0x2029, 0x202E, 0x2066, 0x2069, 0xFEFF, 0xE0041, 0x1160)),
    *(b"\x80", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80"),
    *(b"-0", b"007", b"1e3", b"-1", b"0", b"999999999999999999", b"9" * 40, b"9" * 5_000, b"NaN", b"-Infinity", b"1.5"),
    *("٣".encode(), "１２".encode(), "²".encode()),
    *(b"--upload-pack=x", b"-b", b"../..", b".git", b"a.lock", b"@{", b"%", b"%2F", b"%25", b"%zz", b"*", b"\\"),
    *(b"Orch-Format: 1\n", b"Orch-Format: 2\n", b"\n\n", b": ", b"=", b" ", b"\t", b"\x00\x00", b"\r\n", b"'", b'"'),
    *(b"[" * 3_000, b'{"a":' * 3_000, b"null", b"true", b"{}", b"[]"),
    *(b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59.999Z", b"0001-01-01T00:00:00Z", b"2024-02-30T24:60:60Z"),
)

UNITS = (b" ", b"a.", b"(", b"\t ", b"a", b"://", b"@", b"=", b"%2", b"-", b"?a", b"[", b"0", b"\n", b"\x1b")

Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]


def _at(data: bytes, random: Random) -> int:
    return int(random.random() * (len(data) + 1))


def _flip(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """One bit."""
    if not data:
        return b"\x00"
    at = int(random.random() * len(data))
    return data[:at] + bytes([data[at] ^ (1 << int(random.random() * 8))]) + data[at + 1 :]


def _byte(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """One byte, any value."""
    at = _at(data, random)
    return data[:at] + bytes([int(random.random() * 256)]) + data[at + 1 :]


def _insert(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = _at(data, random)
    return data[:at] + random.choice(NASTY) + data[at:]


def _overwrite(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at, nasty = _at(data, random), random.choice(NASTY)
    return data[:at] + nasty + data[at + len(nasty) :]


def _cut_out(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = _at(data, random)
    return data[:at] + data[at + 1 + int(random.random() * 20) :]


def _truncate(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return data[: _at(data, random)]


def _splice(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """The beginning of this and the end of another."""
    other = random.choice(others)
    return data[: _at(data, random)] + other[_at(other, random) :]


def _double(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start = _at(data, random)
    end = start + 1 + int(random.random() * 60)
    return data[:end] + data[start:]


def _overlong(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Up to three bytes of it very often: what takes the square of a length shows."""
    at, size = _at(data, random), 1 + int(random.random() * 3)
    unit = data[at : at + size] if random.random() < 0.5 else random.choice(UNITS)
    return data[:at] + unit * int(1 + random.random() ** 8 * LONG / size) + data[at + 1 :]


def _line_deleted(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    del lines[int(random.random() * len(lines))]
    return b"\n".join(lines)


def _line_doubled(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    lines.insert(int(random.random() * len(lines)), random.choice(lines))
    return b"\n".join(lines)


def _lines_swapped(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    here, there = int(random.random() * len(lines)), int(random.random() * len(lines))
    lines[here], lines[there] = lines[there], lines[here]
    return b"\n".join(lines)


def _line_of_another(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    lines[int(random.random() * len(lines))] = random.choice(random.choice(others).split(b"\n"))
    return b"\n".join(lines)


def _value_exchanged(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """What stands behind `: ` or `=` of one line is something else."""
    lines = data.split(b"\n")
    at = int(random.random() * len(lines))
    for separator in (b": ", b"=", b" "):
        key, found, value = lines[at].rpartition(separator) if separator != b": " else lines[at].partition(separator)
        if found:
            worse = random.choice(NASTY) if random.random() < 0.7 else value * (1 + int(random.random() * 50))
            lines[at] = key + found + worse
            break
    return b"\n".join(lines)


MUTATORS: tuple[Mutator, ...] = (
    _flip,
    _byte,
    _insert,
    _overwrite,
    _cut_out,
    _truncate,
    _splice,
    _double,
    _overlong,
    _line_deleted,
    _line_doubled,
    _lines_swapped,
    _line_of_another,
    _value_exchanged,
)
# The rude ones mostly end in the same early refusal: less often.
_WEIGHTED = (*MUTATORS * 3, *(_line_deleted, _line_doubled, _lines_swapped, _line_of_another, _value_exchanged) * 6)
_COMMON = (*(m for m in _WEIGHTED if m is not _overlong), _overlong)


def mutated(random: Random, pool: Sequence[bytes]) -> bytes:
    """One input: mostly a valid one with one to three things done to it, seldom untouched, seldom mere noise."""
    chance = random.random()
    if chance < 0.01:
        return random.randbytes(int(random.random() * 200))
    data = pool[int(random.random() * len(pool))]
    if chance < 0.04:
        return data
    for _ in range(1 if chance < 0.7 else 2 if chance < 0.9 else 4):
        data = _COMMON[int(random.random() * len(_COMMON))](data, random, pool)
    return data[:MAX_SIZE]
