"""What a Store promises of the archive, of diaries and of descriptions. A failure here loses a finished job, or lets
something wait for one that nobody finds any more (I3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitorch.core.codec import encode
from gitorch.core.model import JobId, Oid, Seen, State
from gitorch.core.observation import advance
from gitorch.core.plan import Context
from gitorch.core.plan_queue import BODY, Folding, plan_fold
from gitorch.core.writes import ArchiveEntry, Outcome, OutcomeKind, Plan, RefUpdate
from gitorch.engine.exchange import publish as publish_and_settle
from gitorch.ports import Store
from tests.contract.conftest import BranchesOnlySite, GitSite, Site, open_store
from tests.contract.events import job_event, job_update, plan
from tests.records import TIME_MS, a_job, oid
from tests.support import git

PUBLISHED, CONFLICT = OutcomeKind.PUBLISHED, OutcomeKind.CONFLICT
A, B, C = JobId("a"), JobId("b"), JobId("c")


def finish(site: Site, client: Store, name: str, **changes: Any) -> Seen[Any]:
    """Publish a job and its end, as two events."""
    ref = site.namespace.job(JobId(name))
    first = client.publish(plan(job_update(site.namespace, name, "n1", **changes))).oids[ref]
    done = {"state": State.DONE, "updated_ms": TIME_MS + 5, **changes}
    outcome = client.publish(plan(job_update(site.namespace, name, "n2", first, **done)))
    assert outcome.kind is PUBLISHED
    return client.observe().jobs[JobId(name)]


def fold_of(site: Site, client: Store, base: Oid | None, *finished: Seen[Any], nonce: str = "n") -> Plan:
    """What `gc` publishes for these jobs, on top of an archive."""
    entries = []
    for seen in finished:
        diary = client.diary(seen.oid)
        lines = tuple(event.message.split("\n", 1)[0] for event in reversed(diary))
        job = seen.record
        entries.append(ArchiveEntry(id=job.id, tip=seen.oid, message=diary[0].message, branch=job.branch, diary=lines))
    context = Context(namespace=site.namespace, now_ms=TIME_MS, nonce=nonce)
    return plan_fold(context, Folding(jobs=tuple(entries), archive=base))


def archived(site: Site, client: Store, *finished: Seen[Any]) -> Oid:
    """Fold jobs; the archive's new commit."""
    outcome = client.publish(fold_of(site, client, client.archive().tip, *finished))
    assert outcome.kind is PUBLISHED
    return tip_of(site, outcome)


def tip_of(site: Site, outcome: Outcome) -> Oid:
    tip = outcome.oids[site.namespace.archive]
    assert tip is not None
    return tip


# -- folding and looking up


def test_where_nothing_was_ever_archived_nothing_is_found(site: Site) -> None:
    archive = site.client().archive()
    assert (archive.tip, archive.find([A]), archive.of_branch("main"), archive.ids()) == (None, {}, [], [])


def test_a_folded_job_leaves_its_ref_and_is_found_by_id_by_branch_and_by_prefix(site: Site) -> None:
    client = site.client()
    fix = finish(site, client, "fix", branch="fëature/x", labels=("l",), title="Ünïcödé")
    other = finish(site, client, "other")
    tip = archived(site, client, fix, other)
    assert site.refs().get(site.namespace.archive) == tip
    assert not set(site.refs()) & {site.namespace.job(JobId("fix")), site.namespace.job(JobId("other"))}
    for reader in (client, site.client()):
        archive = reader.archive()
        assert archive.tip == tip
        assert archive.find([JobId("fix"), JobId("none")]) == {"fix": fix}, "the record and its last event, unchanged"
        assert archive.of_branch("fëature/x") == [fix]
        assert archive.of_branch("fëature") == archive.of_branch("") == []
        assert (archive.ids(), archive.ids("f"), archive.ids("fixx")) == (["fix", "other"], ["fix"], [])
        assert reader.observe().jobs == {}


def test_a_second_folding_keeps_the_first_and_a_branch_lists_both_oldest_first(site: Site) -> None:
    one, other = site.client(), site.client()
    young = finish(site, one, "a", branch="topic", created_ms=TIME_MS + 9)
    archived(site, one, young)
    old = finish(site, other, "b", branch="topic", created_ms=TIME_MS + 1)
    archived(site, other, old)
    archive = one.archive()
    assert archive.ids() == [A, B]
    assert archive.find([A, B]) == {A: young, B: old}
    assert archive.of_branch("topic") == [old, young]


def test_an_archive_is_what_it_was_when_it_was_read(site: Site) -> None:
    client = site.client()
    archived(site, client, finish(site, client, "a"))
    before = client.archive()
    archived(site, client, finish(site, client, "b"))
    assert (before.ids(), client.archive().ids()) == ([A], [A, B])


def test_many_jobs_of_one_push_are_all_found(site: Site) -> None:
    messages = {}
    for number in range(48):
        job = a_job(f"job-{number}", state=State.DONE, branch=f"b-{number % 5}")
        messages[site.namespace.job(job.id)] = encode(job, event="land", subject="s", nonce=f"n{number}").encode()
    site.put_many(messages)
    client = site.client()
    seen = client.observe().jobs
    tip = archived(site, client, *seen.values())
    archive = site.client().archive()
    assert archive.tip == tip
    assert archive.find(seen) == seen
    assert sum(len(archive.of_branch(f"b-{number}")) for number in range(5)) == 48


# -- what waits for archived jobs


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
def test_what_a_live_job_waits_for_is_found_in_the_archive_by_every_observation(site: Site, state: State) -> None:
    client, late = site.client(), site.client()
    dependency = finish(site, client, "a", state=state)
    client.publish(plan(job_update(site.namespace, "b", "n1", after=(A, JobId("gone")))))
    assert set(late.observe().jobs) == {A, B}, "this one has seen the job while it was live"
    archived(site, client, dependency)
    for reader in (client, late, site.client()):
        for _ in range(2):
            snapshot = reader.observe()
            assert (set(snapshot.jobs), snapshot.archived) == ({B}, {A: dependency})
            assert snapshot.damaged == ()


def test_archived_jobs_that_nobody_waits_for_are_in_no_snapshot(site: Site) -> None:
    client = site.client()
    archived(site, client, finish(site, client, "a"))
    client.publish(plan(job_update(site.namespace, "b", "n1")))
    assert client.observe().archived == {}


def test_the_snapshot_after_a_folding_is_what_an_observation_shows(site: Site) -> None:
    client = site.client()
    finished = finish(site, client, "a")
    client.publish(plan(job_update(site.namespace, "b", "n1", after=(A,))))
    before = client.observe()
    wanted = fold_of(site, client, None, finished)
    outcome = client.publish(wanted)
    assert advance(site.namespace, before, wanted, outcome.oids) == client.observe()


# -- races


def test_of_two_foldings_on_the_same_archive_the_second_loses_and_takes_nothing_away(site: Site) -> None:
    one, other = site.client(), site.client()
    first, second = finish(site, one, "a"), finish(site, one, "b")
    other.observe()
    late = fold_of(site, other, other.archive().tip, second, nonce="late")
    archived(site, one, first)
    before = site.refs()
    assert other.publish(late).kind is CONFLICT
    assert site.refs() == before
    assert set(other.observe().jobs) == {B}
    archived(site, other, second)
    assert one.archive().find([A, B]) == {A: first, B: second}


def test_of_two_who_fold_the_same_job_one_wins_and_it_is_there_once(site: Site) -> None:
    one, other = site.client(), site.client()
    finished = finish(site, one, "a", branch="topic")
    other.observe()
    tip = archived(site, one, finished)
    again = fold_of(site, other, tip, finished, nonce="again")
    other.archive()
    assert other.publish(again).kind is CONFLICT, "the ref that it deletes is gone (I3)"
    assert (site.refs()[site.namespace.archive], other.archive().of_branch("topic")) == (tip, [finished])


def test_a_job_that_changed_since_it_was_read_is_not_folded_and_stays(site: Site) -> None:
    one, other = site.client(), site.client()
    finished = finish(site, one, "a")
    stale = fold_of(site, one, None, finished)
    other.observe()
    outcome = other.publish(plan(job_update(site.namespace, "a", "n3", finished.oid, state=State.DONE, title="New")))
    assert outcome.kind is PUBLISHED
    assert one.publish(stale).kind is CONFLICT, "I3"
    assert one.observe().jobs[A].record.title == "New"
    assert one.archive().tip is None


@pytest.mark.parametrize("applied", [True, False])
def test_a_folding_whose_answer_was_lost_is_told_apart_by_what_is_there(site: Site, applied: bool) -> None:
    client = site.client()
    finished = finish(site, client, "a")
    wanted = fold_of(site, client, None, finished)
    site.lose_next_answer(applied=applied)
    outcome = publish_and_settle(site.world(client), wanted)
    assert outcome.kind is (PUBLISHED if applied else CONFLICT)
    assert client.archive().find([A]) == ({A: finished} if applied else {})
    assert (A in client.observe().jobs) != applied


@pytest.mark.parametrize("kind", ["commit", "blob"])
def test_an_archive_that_is_none_is_never_an_exception(site: Site, kind: str) -> None:
    client = site.client()
    client.publish(plan(job_update(site.namespace, "b", "n1", after=(A,))))
    site.put(site.namespace.archive, b"\x1b[31mno archive", kind)
    archive = client.archive()
    assert (archive.find([A]), archive.of_branch("main"), archive.ids()) == ({}, [], [])
    snapshot = client.observe()
    assert (set(snapshot.jobs), snapshot.archived) == ({B}, {})


# -- diaries and descriptions


def test_a_diary_is_the_same_by_ref_by_event_and_from_the_archive(site: Site) -> None:
    client = site.client()
    ref = site.namespace.job(A)
    finished = finish(site, client, "a")
    by_ref = client.diary(ref)
    first, last = by_ref[1], by_ref[0]
    assert len(by_ref) == 2 and last.oid == finished.oid
    assert "Nonce: n2" in last.message and "Nonce: n1" in first.message
    assert (last.time_ms, bool(last.who)) == (TIME_MS, True)
    assert client.diary(finished.oid) == by_ref
    assert client.diary(first.oid) == [first]
    assert client.diary(ref, 1) == client.diary(finished.oid, 1) == [last]
    assert client.diary(site.namespace.job(B)) == client.diary(oid(1)) == []
    archived(site, client, finished)
    late = site.client()
    late.archive()
    for reader in (client, late):
        reader.observe()
        assert reader.diary(finished.oid) == by_ref
        assert reader.diary(ref) == []


def test_the_newest_description_of_a_chain_counts_whatever_happened_after_it(site: Site) -> None:
    client = site.client()
    ref = site.namespace.job(A)
    at: Oid | None = None
    for number, (files, expected) in enumerate(
        [
            ({}, b""),
            ({BODY: b"one\n"}, b"one\n"),
            ({}, b"one\n"),
            ({"log": b"red"}, b"one\n"),
            ({BODY: b"tw\xff\x00o"}, b"tw\xff\x00o"),
            ({"log": b"red again"}, b"tw\xff\x00o"),
            ({BODY: b"one\n"}, b"one\n"),
            ({BODY: b""}, b""),
            ({}, b""),
        ]
    ):
        event = job_event("a", f"n{number}", at, files=files)
        at = client.publish(plan(RefUpdate(ref, at, event))).oids[ref]
        assert at is not None
        client.observe()
        assert client.body(at) == expected, number


def test_a_description_outlives_the_ref_of_its_job(site: Site) -> None:
    client = site.client()
    ref = site.namespace.job(A)
    first = client.publish(plan(RefUpdate(ref, None, job_event("a", "n1", files={BODY: b"text"})))).oids[ref]
    client.publish(plan(job_update(site.namespace, "a", "n2", first, state=State.CANCELLED)))
    finished = client.observe().jobs[A]
    archived(site, client, finished)
    late = site.client()
    late.archive()
    assert late.body(finished.oid) == b"text"


# -- only on git


def test_an_observation_neither_deletes_nor_fetches_again_what_was_seen_of_the_archive(bare: GitSite) -> None:
    _leaves_the_mirrored_archive_alone(bare)


def test_nor_where_everything_lies_among_the_branches(branches_only: BranchesOnlySite) -> None:
    _leaves_the_mirrored_archive_alone(branches_only)


def _leaves_the_mirrored_archive_alone(site: GitSite) -> None:
    writer, reader = site.client(), site.client()
    mirrored = reader.mirror.local_name(site.namespace.archive)
    clone = site.clone_of(reader)
    first, second = finish(site, writer, "a"), finish(site, writer, "b")
    tip = archived(site, writer, first)
    reader.observe()
    assert clone.ref(mirrored) is None, "nobody has asked for it"
    assert reader.archive().tip == tip == clone.ref(mirrored)
    later = archived(site, writer, second)
    for _ in range(2):
        reader.observe({"main"})
        assert clone.ref(mirrored) == tip
        assert reader.archive(fresh=False).ids() == [A]
    assert reader.archive().tip == later == clone.ref(mirrored)


def test_what_an_archive_holds_outlives_a_prune_of_the_clone_and_of_the_remote(bare: GitSite) -> None:
    writer, reader = bare.client(), bare.client()
    finished = finish(bare, writer, "a", head=bare.commit(writer, "work"))
    archived(bare, writer, finished)
    reader.archive()
    for path in (bare.clone_of(reader), bare.repo):
        path.git("gc", "--quiet", "--prune=now")
        assert path.git("cat-file", "-t", finished.oid) == "commit"
    assert len(reader.diary(finished.oid)) == 2


def test_what_was_seen_last_has_archived_dependencies_without_the_remote(bare: GitSite) -> None:
    client = bare.client()
    archived(bare, client, finish(bare, client, "a"))
    client.publish(plan(job_update(bare.namespace, "b", "n1", after=(A,))))
    snapshot = client.observe()
    assert set(snapshot.archived) == {A}
    bare.vanish()
    assert client.last_seen() == snapshot


def test_a_sha256_repository_has_an_archive_like_any_other(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "--object-format=sha256", "sha256.git")
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", "clone")
    git(tmp_path / "clone", "remote", "add", "origin", str(tmp_path / "sha256.git"))
    site, client = GitSite(tmp_path), open_store(tmp_path / "clone")
    first = finish(site, client, "a", branch="topic", head=None)
    archived(site, client, first)
    second = finish(site, client, "b", branch="topic", head=None)
    tip = archived(site, client, second)
    assert (len(tip), client.archive().of_branch("topic")) == (64, [first, second])
    client.close()
