"""Events as text. A failure here means that clients misread each other, or that a stranger's ref stops everybody."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitorch.core.codec import (
    BODY_LIMIT,
    EXTRA_LIMIT,
    EXTRA_SIZE_LIMIT,
    MESSAGE_LIMIT,
    MalformedError,
    NewerFormatError,
    decode_job,
    decode_lease,
    encode,
    known_keys,
    read_trailers,
)
from gitorch.core.errors import DamagedError
from gitorch.core.model import (
    AFTER_LIMIT,
    BRANCH_LIMIT,
    HOLDER_LIMIT,
    REASON_LIMIT,
    TITLE_LIMIT,
    Job,
    JobId,
    Lease,
    State,
)
from tests.records import UNICODE, a_job, a_lease, jobs, leases, lines

PLAIN = encode(a_job(), event="submit", subject="Fix the parser", nonce="n1", body="Some words.")


def written(record: Job | Lease, **changes: Any) -> bytes:
    values = {"event": "submit", "subject": "s", "nonce": "n1", **changes}
    return encode(record, **values).encode()


def with_line(old: str, new: str) -> bytes:
    """The plain message with one line exchanged."""
    assert PLAIN.count(old) == 1
    return PLAIN.replace(old, new).encode()


# -- round trips


@given(jobs(), st.text(UNICODE, max_size=200))
def test_any_legal_job_is_read_as_it_was_written_whatever_the_text_for_people_says(job: Job, body: str) -> None:
    decoded = decode_job(written(job, body=body))
    assert (decoded.record, decoded.event, decoded.nonce) == (job, "submit", "n1")


@given(leases())
def test_any_legal_lease_is_read_as_it_was_written(lease: Lease) -> None:
    decoded = decode_lease(written(lease, event="renew"))
    assert (decoded.record, decoded.event, decoded.nonce) == (lease, "renew", "n1")


@given(st.one_of(jobs(), leases()))
def test_writing_what_was_read_gives_the_same_bytes(record: Job | Lease) -> None:
    message = written(record)
    decoded = decode_job(message) if isinstance(record, Job) else decode_lease(message)
    assert written(decoded.record) == message


def test_the_message_is_for_people_first_and_ends_in_one_block_of_trailers() -> None:
    assert (
        "submit: Fix the parser\n\nSome words.\n\n"
        "Orch-Format: 1\nRecord: job\nEvent: submit\nId: fix\nTitle: Fix the parser\nState: submitted\nTarget: main\n"
        f"Branch: fix-parser\nHead: {'abc':0>40}\nPriority: 0\nAttempt: 0\n"
        "Created: 2023-11-14T22:13:20.000Z\nUpdated: 2023-11-14T22:13:20.000Z\nNonce: n1\n"
    ) == PLAIN


def test_the_largest_legal_record_can_be_written_and_read() -> None:
    wide = "\N{SNOWMAN WITHOUT SNOW}"
    job = a_job(
        title=wide * TITLE_LIMIT,
        target=wide * BRANCH_LIMIT,
        branch=wide * BRANCH_LIMIT,
        worker=wide * HOLDER_LIMIT,
        reason=wide * REASON_LIMIT,
        after=tuple(JobId(f"{number:064d}") for number in range(AFTER_LIMIT)),
        extra=tuple((f"X{number}", wide * (EXTRA_SIZE_LIMIT // EXTRA_LIMIT - 3)) for number in range(EXTRA_LIMIT)),
    )
    message = written(job, body=wide * BODY_LIMIT * 2)
    assert len(message) < MESSAGE_LIMIT
    assert decode_job(message).record == job


def test_text_for_people_that_looks_like_trailers_changes_nothing() -> None:
    body = "Orch-Format: 1\nRecord: job\nState: done\n\nState: done\nNonce: evil"
    assert decode_job(written(a_job(), body=body)).record == a_job()


def test_a_long_text_for_people_loses_its_end_and_nothing_of_the_record() -> None:
    message = written(a_job(), body="x" * (BODY_LIMIT + 1))
    assert decode_job(message).record == a_job()
    assert b"x" * BODY_LIMIT in message
    assert b"x" * (BODY_LIMIT + 1) not in message


# -- what later versions may add


def test_unknown_keys_are_kept_in_order_when_a_record_is_written_again() -> None:
    seen = decode_job(with_line("Nonce: n1", "Zebra: 1\nNonce: n1\nX-Later: a: b = c")).record
    assert seen.extra == (("Zebra", "1"), ("X-Later", "a: b = c"))
    assert b"\nZebra: 1\nX-Later: a: b = c\nNonce: n2\n" in written(seen, nonce="n2")


@pytest.mark.parametrize(
    "message",
    [
        with_line("Orch-Format: 1", "Orch-Format: 2"),
        with_line("Orch-Format: 1\nRecord: job", "Orch-Format: 999999999\nRecord: herd"),
        b"Orch-Format: 2\nthis is written in a way that nobody knows yet\nAfter: a\nAfter: b\n",
        PLAIN.replace("Orch-Format: 1", "Orch-Format: 2").replace("State: submitted", "State: hibernating").encode(),
    ],
)
def test_a_newer_format_is_refused_as_such_however_it_looks(message: bytes) -> None:
    for decode in (decode_job, decode_lease):
        with pytest.raises(NewerFormatError, match="reads up to 1") as caught:
            decode(message)
        assert "newer git orch" in caught.value.hint


# -- what others may have put there


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
@example(b"")
@example(b"\n")
@example(b"\n\n")
@example(b"Orch-Format: 1")
@example(b"Orch-Format: 1\nOrch-Format: 1")
def test_no_bytes_raise_anything_but_damage(message: bytes) -> None:
    for decode in (decode_job, decode_lease):
        with pytest.raises(DamagedError):
            decode(message)


@given(st.data())
def test_a_message_with_anything_changed_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    message = PLAIN.encode()
    start = data.draw(st.integers(0, len(message)))
    end = data.draw(st.integers(start, min(len(message), start + 60)))
    middle = data.draw(st.binary(max_size=20))
    with contextlib.suppress(MalformedError, NewerFormatError):
        decode_job(message[:start] + middle + message[end:])


KEYS = st.sampled_from([*known_keys("job"), *known_keys("lease"), "Record", "Event", "Nonce", "Orch-Format", "X"])


@given(st.lists(st.tuples(KEYS, st.one_of(lines(30), st.sampled_from(["job", "lease", "0", "-1", "held", "done"])))))
def test_any_block_of_trailers_is_read_or_refused_but_never_crashes(trailers: list[tuple[str, str]]) -> None:
    message = "\n".join(["Orch-Format: 1", *(f"{key}: {value}" for key, value in trailers)]).encode()
    for decode in (decode_job, decode_lease):
        with contextlib.suppress(MalformedError, NewerFormatError):
            decode(message)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (PLAIN.encode() + b"\n", "block of trailers|begin with Orch-Format"),
        (PLAIN.encode() + b"\nSigned-off-by: x\n", "begin with Orch-Format"),
        (with_line("Orch-Format: 1\n", ""), "begin with Orch-Format"),
        (with_line("Orch-Format: 1", "Orch-Format: 0"), "begin with Orch-Format"),
        (with_line("Orch-Format: 1", "Orch-Format: 01"), "begin with Orch-Format"),
        (with_line("Orch-Format: 1", "Orch-Format: one"), "begin with Orch-Format"),
        (with_line("Orch-Format: 1", "Orch-Format: 1\nOrch-Format: 1"), "each key once"),
        (with_line("Priority: 0", "Priority: 0\nPriority: 1"), "each key once"),
        (with_line("Priority: 0", "priority: 0"), "block of trailers"),
        (with_line("Priority: 0", " continued"), "block of trailers"),
        (with_line("Priority: 0", "Priority:0"), "block of trailers"),
        (with_line("Priority: 0", "Priority: 0 "), "block of trailers"),
        (with_line("Priority: 0", "Priority: \x1b[31m"), "block of trailers"),
        (with_line("Priority: 0", "Priority: 0\r"), "block of trailers"),
        (with_line("Priority: 0", "X: a\x00b"), "block of trailers"),
        (with_line("Priority: 0", "X: a\x9bb"), "block of trailers"),
        (with_line("Priority: 0", "Priority: ٣"), "not a number"),
        (with_line("Priority: 0", "Priority: -0"), "not a number"),
        (with_line("Priority: 0", "Priority: 007"), "not a number"),
        (with_line("Priority: 0", "Priority: 1e3"), "not a number"),
        (with_line("Priority: 0", "Priority: 9999999"), "priority is outside"),
        (with_line("Priority: 0", "Priority: 9999999999999999999999"), "not a number"),
        (with_line("Attempt: 0", "Attempt: 999999999999999999"), "attempt is outside"),
        (with_line("Attempt: 0", "Attempt: -1"), "attempt is outside"),
        (with_line("Created: 2023-11-14T22:13:20.000Z", "Created: yesterday"), "malformed"),
        (with_line("Created: 2023-11-14T22:13:20.000Z", "Created: 2023-02-30T00:00:00Z"), "day"),
        (with_line("Created: 2023-11-14T22:13:20.000Z\n", ""), "lacks one of its keys"),
        (with_line("State: submitted", "State: landed"), "malformed"),
        (with_line("Id: fix", "Id: Fix"), "id is malformed"),
        (with_line("Id: fix", "Id: ../main"), "id is malformed"),
        (with_line("Head: ", "Head: 0"), "head is malformed"),
        (with_line("Priority: 0", "After: a  b"), "after is malformed"),
        (with_line("Priority: 0", "Token: secret"), "token is malformed"),
        (with_line("Record: job", "Record: lease"), "not a job"),
        (with_line("Record: job\n", ""), "not a job"),
        (with_line("Event: submit\n", ""), "no event or no nonce"),
        (with_line("Nonce: n1\n", ""), "no event or no nonce"),
        (with_line("Title: Fix the parser", "Title: " + "x" * (TITLE_LIMIT + 1)), "title is longer"),
        (with_line("Nonce: n1", "Nonce: n1" + "".join(f"\nX{n}: 1" for n in range(EXTRA_LIMIT + 1))), "too many"),
        (with_line("Nonce: n1", "Nonce: n1\nX: " + "x" * EXTRA_SIZE_LIMIT), "too many"),
        (with_line("Fix the parser\n\n", "x" * MESSAGE_LIMIT + "\n\n"), "too long"),
        (PLAIN.replace("fix-parser", "caf\xe9").encode("latin-1"), "not UTF-8"),
    ],
)
def test_what_breaks_the_format_is_refused_with_the_reason(message: bytes, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        decode_job(message)


def test_a_submitted_job_without_a_head_is_refused() -> None:
    message = "\n".join(line for line in PLAIN.splitlines() if not line.startswith("Head: ")) + "\n"
    with pytest.raises(MalformedError, match="a submitted job has no head"):
        decode_job(message.encode())


@given(lines(60), st.sampled_from(["Id", "State", "Head", "Priority", "Attempt", "Created"]))
@example("'", "State")
@example("'", "Created")
def test_the_reason_never_quotes_the_record(evil: str, key: str) -> None:
    line = next(line for line in PLAIN.splitlines() if line.startswith(f"{key}: "))
    with pytest.raises(MalformedError) as caught:
        decode_job(with_line(f"\n{line}\n", f"\n{key}: \N{RIGHT-TO-LEFT OVERRIDE}{evil}\n"))
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in caught.value.message
    assert "u202e" not in caught.value.message


def test_a_record_is_not_read_as_one_of_another_kind() -> None:
    with pytest.raises(MalformedError, match="not a lease"):
        decode_lease(written(a_job()))
    with pytest.raises(MalformedError, match="not a job"):
        decode_job(written(a_lease()))


# -- what must not be written


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": ""},
        {"nonce": "a\nState: done"},
        {"event": "submit\n\nOrch-Format: 1"},
        {"event": ""},
    ],
)
def test_what_one_line_cannot_hold_is_not_written(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one line"):
        written(a_job(), **changes)


@pytest.mark.parametrize("extra", [("Title", "x"), ("Worker", "x"), ("Nonce", "x"), ("Orch-Format", "2")])
def test_an_unknown_key_cannot_stand_in_for_a_known_one(extra: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="twice"):
        written(a_job(extra=(extra,)))


@pytest.mark.parametrize("extra", [("x", "lower"), ("X Y", "1"), ("X", ""), ("X", "a\nb"), ("X", " a")])
def test_an_unknown_key_that_could_not_be_read_again_is_not_written(extra: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="one line"):
        written(a_job(extra=(extra,)))


def test_trailers_are_read_from_the_last_paragraph_in_their_order() -> None:
    assert list(read_trailers(b"a\n\nb: c\n\nOrch-Format: 1\nB: 2\nA: 1\n").items()) == [("B", "2"), ("A", "1")]


def test_every_attribute_of_a_record_has_a_key_of_its_own() -> None:
    for kind, record in (("job", a_job()), ("lease", a_lease())):
        keys = known_keys(kind)
        assert len(set(keys.values())) == len(keys)
        assert all(hasattr(record, attribute) for attribute in keys.values())
    assert known_keys("job")["Branch"] == "branch"


def test_an_absent_value_is_left_out_and_read_as_absent() -> None:
    job = a_job(state=State.QUEUED, head=None, branch=None)
    message = written(job).decode()
    assert "Branch:" not in message and "Head:" not in message and "After:" not in message
    assert decode_job(message.encode()).record == job
