"""What many jobs cost: making 10,000 of them, looking at them, and pushing beside 20,000 that are finished."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.claims import fill
from bench.measure import PROGRAM, interleaved, report, timed
from bench.workload import make, run
from gitorch.core.archive import branch_path, entry_path
from gitorch.core.codec import encode
from gitorch.core.model import Job, JobId, Oid, State

LIVE = (1_000, 10_000)
FINISHED = 20_000
A_FOLD = 48
ROUNDS = 15
TIME_S = 1_767_225_600
WHO = f"Bench <bench@example.org> {TIME_S} +0000"
FORM = "--format=%(refname) %(objectname) %(contents)"


def adding_and_looking(where: Path) -> None:
    """`add --from`, then `status` against `git for-each-ref` over the same refs plus the start of a bare Python."""
    for jobs in LIVE:
        clone = make(where / f"live{jobs}", 1)
        elapsed_ms = fill(clone, jobs)
        print(f"\nadd --from, {jobs} jobs: {elapsed_ms / 1000:.1f} s, {elapsed_ms / jobs:.2f} ms a job")
        run(clone, str(PROGRAM), "status")
        remote = clone.parent / "remote.git"
        baseline = "git for-each-ref + python -c pass"
        cases: dict[str, Callable[[], float]] = {
            baseline: partial(_bare, remote),
            "git orch status": partial(timed, clone, [str(PROGRAM), "status"]),
        }
        report(f"looking at {jobs} live jobs", interleaved(ROUNDS, cases), baseline, {})


def _bare(remote: Path) -> float:
    return timed(remote, ["git", "for-each-ref", FORM, "refs/orch"]) + timed(remote, [sys.executable, "-c", "pass"])


def pushing_beside_the_archive(where: Path) -> None:
    """A bare push and `git orch add`, with no finished job on the remote and with 20,000 archived ones."""
    empty, full = make(where / "none", 1), make(where / "archived", 1)
    archive(full.parent / "remote.git", FINISHED)
    for clone in (empty, full):
        run(clone, str(PROGRAM), "add", "the first")
    assert "done" in run(full, str(PROGRAM), "show", f"old-{FINISHED - 1}"), "the archive is not one"
    number = iter(range(10_000))

    def push(clone: Path) -> float:
        tree = run(clone, "git", "rev-parse", "HEAD^{tree}")
        commit = run(clone, "git", "commit-tree", "-m", f"{next(number)} {time.time_ns()}", tree)
        return timed(clone, ["git", "push", "-q", "--force", "origin", f"{commit}:refs/bench/one"])

    def add(clone: Path) -> float:
        return timed(clone, [str(PROGRAM), "add", f"Task {next(number)}"])

    pushes = {"git push, no finished job": lambda: push(empty), f"git push, {FINISHED} archived": lambda: push(full)}
    found = interleaved(ROUNDS, pushes)
    report("a push", found, "git push, no finished job", {f"git push, {FINISHED} archived": 1.2})
    adds = {
        "git orch add, no finished job": lambda: add(empty),
        f"git orch add, {FINISHED} archived": lambda: add(full),
    }
    found = interleaved(ROUNDS, adds)
    report("an event", found, "git orch add, no finished job", {f"git orch add, {FINISHED} archived": 1.2})


def archive(remote: Path, jobs: int) -> None:
    """An archive as so many jobs would have left it, written by two runs of fast-import."""
    records = [_finished(number) for number in range(jobs)]
    marks = remote / "marks"
    stream = "".join(_job_commit(number, message) for number, (_, message) in enumerate(records, 1))
    run(remote, "git", "fast-import", "--quiet", f"--export-marks={marks}", stdin=stream.encode())
    tips = dict(line.split() for line in marks.read_text().splitlines())
    marks.unlink()
    stream = "".join(_folds(records, tips))
    run(remote, "git", "fast-import", "--quiet", stdin=stream.encode())
    run(remote, "git", "update-ref", "-d", "refs/bench/jobs")


def _finished(number: int) -> tuple[Job, str]:
    job = Job(
        id=JobId(f"old-{number}"),
        title=f"Old task {number}",
        state=State.DONE,
        target="main",
        branch=f"topic/{number}",
        head=Oid(hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()),
        created_ms=TIME_S * 1000,
        updated_ms=TIME_S * 1000,
    )
    return job, encode(job, event="land", subject=job.title, nonce=f"{number:032x}")


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _job_commit(number: int, message: str) -> str:
    """A chain of one event, on no branch that stays."""
    return f"reset refs/bench/jobs\ncommit refs/bench/jobs\nmark :{number}\ncommitter {WHO}\n{_data(message)}"


def _folds(records: list[tuple[Job, str]], tips: dict[str, str]) -> Iterator[str]:
    for at in range(0, len(records), A_FOLD):
        part = records[at : at + A_FOLD]
        yield f"commit refs/orch/archive\ncommitter {WHO}\n"
        yield _data("archive\n\nOrch-Format: 1\nRecord: archive\nEvent: fold\nNonce: 00000000\n")
        oids = [tips[f":{number}"] for number in range(at + 1, at + 1 + len(part))]
        yield "".join(f"merge {oid}\n" for oid in oids)
        for (job, message), oid in zip(part, oids, strict=True):
            yield f"M 100644 inline {'/'.join(entry_path(job.id))}\n" + _data(f"tip {oid}\n\n{message}")
            yield f"M 100644 inline {'/'.join(branch_path(job.branch or ''))}\n" + _data(f"{job.id}\n")
