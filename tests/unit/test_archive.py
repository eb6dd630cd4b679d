"""How finished jobs are written into the archive and read back. A failure here loses what was archived."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.archive import BY_BRANCH, DIARY_LIMIT, branch_path, entry_path, entry_text, read_entry
from gitorch.core.codec import encode
from gitorch.core.model import Job, JobId, Oid, Seen, State
from gitorch.core.names import is_branch_name
from gitorch.core.writes import ArchiveEntry
from tests.records import JOB_IDS, OIDS, UNICODE, a_job, jobs, oid

DONE = a_job("fix", state=State.DONE, landed=oid(5))


def message_of(job: Job) -> str:
    return encode(job, event="land", subject=job.title, nonce="n")


def entry_of(job: Job, tip: Oid, *diary: str) -> ArchiveEntry:
    return ArchiveEntry(id=job.id, tip=tip, message=message_of(job), branch=job.branch, diary=diary)


def bytes_of(entry: ArchiveEntry) -> bytes:
    return entry_text(entry).encode("utf-8", "surrogateescape")


def readable(job: Job) -> bool:
    return is_branch_name(job.target) and (job.branch is None or is_branch_name(job.branch))


@given(jobs().filter(readable), OIDS, st.lists(st.text(UNICODE, max_size=40), max_size=5))
def test_what_is_written_is_read_back_whatever_its_diary_says(job: Job, tip: Oid, diary: list[str]) -> None:
    assert read_entry(bytes_of(entry_of(job, tip, *diary)), job.id) == Seen(tip, job)


def test_an_entry_is_its_last_event_its_diary_and_the_message() -> None:
    text = entry_text(entry_of(DONE, oid(9), "one", "two\n\nlines", "  ", ""))
    head, _, rest = text.partition("\n\n")
    assert head.split("\n") == [f"tip {oid(9)}", "one", "two  lines"]
    assert rest == message_of(DONE)


def test_of_a_very_long_diary_the_newest_lines_are_kept() -> None:
    text = entry_text(entry_of(DONE, oid(9), *(f"event {number}" for number in range(DIARY_LIMIT + 10))))
    lines = text.partition("\n\n")[0].split("\n")
    assert (len(lines), lines[1], lines[-1]) == (DIARY_LIMIT + 1, "event 10", f"event {DIARY_LIMIT + 9}")


WHOLE = bytes_of(entry_of(DONE, oid(9), "one"))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\n\n",
        b"\xff\x00",
        WHOLE.removeprefix(b"tip "),
        WHOLE.replace(b"tip 0", b"tip x", 1),
        WHOLE[: len(WHOLE) // 2],
        WHOLE.partition(b"\n\n")[0],
        WHOLE.partition(b"\n\n")[2],
        WHOLE.replace(b"State: done", b"State: undone"),
        WHOLE.replace(b"Target: main", b"Target: ../main"),
    ],
)
def test_a_damaged_entry_is_no_job_and_no_exception(damaged: bytes) -> None:
    assert read_entry(WHOLE, DONE.id) == Seen(oid(9), DONE)
    assert damaged != WHOLE
    assert read_entry(damaged, DONE.id) is None


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert read_entry(data, DONE.id) is None
    read_entry(b"tip " + oid(1).encode() + b"\n\n" + data, DONE.id)


def test_an_entry_that_holds_another_job_is_none() -> None:
    assert read_entry(WHOLE, JobId("other")) is None


@given(JOB_IDS)
def test_a_job_has_one_place_that_no_branch_can_take(job: JobId) -> None:
    folder, name = entry_path(job)
    assert (len(folder), name) == (2, job)
    assert folder != BY_BRANCH


@given(st.text(UNICODE, min_size=1, max_size=30), st.text(UNICODE, min_size=1, max_size=30))
def test_branches_that_differ_have_places_that_differ_and_are_plain_names(one: str, other: str) -> None:
    assert (branch_path(one) == branch_path(other)) == (one == other)
    root, folder, name = branch_path(one)
    assert root == BY_BRANCH and name.startswith(folder) and len(folder) == 2
    assert name.isascii() and name.isalnum()


def test_a_branch_whose_bytes_are_no_utf8_has_a_place() -> None:
    assert branch_path("caf\udce9") != branch_path("café")
