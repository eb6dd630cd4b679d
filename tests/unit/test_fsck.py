"""The judgement of `fsck` on evidence that no remote gives easily: what is missing, and what only looks wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.codec import encode
from gitorch.core.fsck import Evidence, Severity, TargetCommit, check
from gitorch.core.fsck_chains import Commit, Fault
from gitorch.core.gitobjects import ROOT_MESSAGE
from gitorch.core.model import Color, Job, JobId, LandingRecord, Oid, Seen, Snapshot, State, Verdict
from gitorch.core.names import Namespace
from gitorch.core.states import TRANSITIONS, Event
from gitorch.core.verdicts import format_landing, format_verdict
from tests.records import TIME_MS, a_job, oid

NAMES = Namespace()
ROOT = oid(1)


def event(job: Job, word: str, number: int, *parents: Oid) -> Commit:
    return Commit(parents, encode(job, event=word, subject="x", nonce=f"{number:032x}").encode())


def evidence(jobs: dict[str, Seen[Job]], commits: dict[Oid, Commit], **more: object) -> Evidence:
    snapshot = Snapshot(jobs={JobId(name): seen for name, seen in jobs.items()}, heads={"main": oid(0xE)})
    plain = Evidence(namespace=NAMES, snapshot=snapshot, commits=commits)
    return replace(plain, **more)  # type: ignore[arg-type]


def problems(found: list[Fault]) -> list[str]:
    return [fault.problem for fault in found]


def test_a_chain_may_begin_on_the_root_of_all_chains() -> None:
    commits = {oid(2): event(a_job(), "submit", 2, ROOT), ROOT: Commit((), ROOT_MESSAGE.encode())}
    assert check(evidence({"fix": Seen(oid(2), a_job())}, commits)) == []


def test_a_chain_that_breaks_off_is_a_fault_and_its_first_event_is_not_judged() -> None:
    commits = {oid(3): event(a_job(), "edit", 3, oid(2))}
    found = check(evidence({"fix": Seen(oid(3), a_job())}, commits))
    assert problems(found) == [f"the chain breaks off: event {oid(2)[:12]} cannot be read"]


def test_an_archive_that_breaks_off_is_a_fault() -> None:
    found = check(evidence({}, {}, archive=oid(9)))
    assert [(fault.ref, fault.promise) for fault in found] == [(NAMES.archive, "I3")]


def test_an_archived_job_that_is_not_final_or_differs_from_its_last_event_is_a_fault() -> None:
    commits = {oid(2): event(a_job(), "submit", 2)}
    archived = {JobId("fix"): Seen(oid(2), a_job(title="Another"))}
    said = problems(check(evidence({}, commits, archived=archived)))
    assert any("which is not final" in problem for problem in said)
    assert any("is not what its last event" in problem for problem in said)


def landed(name: str, commit: Oid, *after: str, **changes: object) -> dict[str, Seen[Job]]:
    job = a_job(name, state=State.DONE, landed=commit, after=tuple(map(JobId, after)))
    return {name: Seen(oid(0xF00), replace(job, **changes))}  # type: ignore[arg-type]


def on_main(*commits: Oid) -> dict[str, dict[Oid, TargetCommit]]:
    """A target with these commits, oldest first; the tree of each has the same number, plus 0x100."""
    row = {commits[0]: TargetCommit(oid(0x100), ())}
    row |= {c: TargetCommit(Oid(f"{int(c, 16) + 0x100:040x}"), (p,)) for p, c in pairwise(commits)}
    return {"main": row}


def notes(*landings: tuple[str, Oid, Oid]) -> dict[Oid, str]:
    found: dict[Oid, str] = {}
    for job, commit, base in landings:
        record = LandingRecord(job=JobId(job), target="main", head=commit, base=base, time_ms=TIME_MS)
        tree = Oid(f"{int(commit, 16) + 0x100:040x}")
        verdict = Verdict(color=Color.GREEN, tree=tree, gate=oid(7), time_ms=TIME_MS)
        found |= {commit: format_landing(record), tree: format_verdict(verdict)}
    return found


def without_chains(found: list[Fault]) -> list[str]:
    return [problem for problem in problems(found) if "breaks off" not in problem]


def test_a_chain_of_landings_in_the_order_of_dependencies_is_clean() -> None:
    jobs = landed("a", oid(0xC)) | landed("b", oid(0xE), "a")
    line, noted = on_main(oid(0xA), oid(0xC), oid(0xD), oid(0xE)), notes(("a", oid(0xC), oid(0xA)))
    noted |= notes(("b", oid(0xE), oid(0xC)))
    assert without_chains(check(evidence(jobs, {}, targets=line, notes=noted))) == []
    turned = landed("a", oid(0xC), "b") | landed("b", oid(0xE))
    said = without_chains(check(evidence(turned, {}, targets=line, notes=noted)))
    assert said == ["job a landed before b, which it waits for"]


def test_a_job_that_took_the_id_of_a_vanished_one_later_is_no_fault() -> None:
    jobs = landed("a", oid(0xE), "b", lands=False) | {
        "b": Seen(oid(0xF01), a_job("b", created_ms=TIME_MS + 5, updated_ms=TIME_MS + 5))
    }
    assert without_chains(check(evidence(jobs, {}, targets=on_main(oid(0xE))))) == []


def test_in_a_shallow_clone_a_landed_commit_that_is_not_there_is_only_a_warning() -> None:
    whole = evidence(landed("a", oid(0xC)), {}, targets=on_main(oid(0xE)))
    shallow = replace(whole, partial=True)
    grave = [f.severity for f in check(whole) if "is not on main" in f.problem]
    mild = [f.severity for f in check(shallow) if "is not on main" in f.problem]
    assert (grave, mild) == ([Severity.FAULT], [Severity.WARNING])


def test_a_job_without_a_branch_is_done_by_word_of_its_worker() -> None:
    jobs = landed("a", oid(0xC), landed=None, head=None, branch=None, lands=False)
    assert without_chains(check(evidence(jobs, {}, targets=on_main(oid(0xE))))) == []


@given(st.lists(st.tuples(st.sampled_from(list(Event)), st.booleans()), min_size=1, max_size=12))
def test_whatever_the_table_allows_is_clean_and_nothing_else(path: list[tuple[Event, bool]]) -> None:
    commits: dict[Oid, Commit] = {}
    state: State | None = None
    previous: list[Oid] = []
    legal = True
    claim: dict[str, Any] = {"worker": "w", "token": "a" * 40, "ttl_s": 5}
    job = a_job()
    for number, (word, exhausted) in enumerate(path, 100):
        after = TRANSITIONS.get((state, word))
        legal = legal and after is not None
        target = after[exhausted] if after else State.QUEUED
        job = a_job(state=target, **(claim if target is State.CLAIMED else {}))
        job = replace(job, lands=False, head=job.head if target is not State.DONE else None)
        commits[oid(number)] = event(job, word.value, number, *previous)
        state, previous = target, [oid(number)]
    found = check(evidence({"fix": Seen(previous[0], job)}, commits))
    assert (found == []) == legal, problems(found)
