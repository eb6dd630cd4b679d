"""What every Store promises. A failure here breaks the one primitive on which everything else rests: two winners of a
race, half a push, a lost update, or an exception because of what a stranger wrote."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from gitorch.core.codec import encode
from gitorch.core.errors import OrchError, RefusedError, UnreachableError
from gitorch.core.model import Oid, Snapshot
from gitorch.core.observation import advance
from gitorch.core.writes import Outcome, OutcomeKind, Plan, RefUpdate
from gitorch.engine.exchange import exchange
from gitorch.engine.exchange import publish as publish_and_settle
from gitorch.ports import Store
from tests.contract.conftest import GitSite, OwnSite, Site
from tests.contract.events import job_event, job_oid, job_update, lease_update, notes_update, plan
from tests.records import a_job, a_lease, oid

PUBLISHED, CONFLICT, UNKNOWN = OutcomeKind.PUBLISHED, OutcomeKind.CONFLICT, OutcomeKind.UNKNOWN


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run functions in threads that start together; their results, in order. An exception is a result."""
    results: list[Any] = [None] * len(jobs)
    barrier = threading.Barrier(len(jobs))

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = jobs[number]()
        except BaseException as problem:
            results[number] = problem

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# -- observe


def test_a_remote_without_state_is_an_empty_snapshot(site: Site) -> None:
    snapshot = site.client().observe({"main", "no-such-branch", "not..legal", "a b"})
    assert (snapshot.jobs, snapshot.leases, snapshot.notes, snapshot.damaged) == ({}, {}, None, ())
    assert snapshot.tip("main") == site.refs()["refs/heads/main"]
    for absent in ("no-such-branch", "not..legal", "a b"):
        assert snapshot.tip(absent) is None


def test_only_the_branches_that_were_asked_for_are_in_a_snapshot(site: Site) -> None:
    client = site.client()
    other = site.commit(client, "other")
    assert client.publish(plan(RefUpdate("refs/heads/main-2", None, other))).kind is PUBLISHED
    assert set(client.observe({"main"}).heads) == {"main"}
    assert client.observe({"main-2"}).heads == {"main-2": other}
    assert client.observe().heads == {}


def test_what_one_publishes_every_other_observes(site: Site) -> None:
    one, other = site.client(), site.client()
    outcome = one.publish(plan(job_update(site.namespace, "a", "n1", title="Ünïcödé 日本")))
    assert outcome.kind is PUBLISHED
    for client in (one, other):
        seen = client.observe().jobs[a_job("a").id]
        assert (
            seen.oid
            == outcome.oids[site.namespace.job(a_job("a").id)]
            == site.refs()[site.namespace.job(seen.record.id)]
        )
        assert seen.record.title == "Ünïcödé 日本"


def test_what_was_published_is_what_the_advanced_snapshot_says(site: Site) -> None:
    client = site.client()
    before = client.observe({"main"})
    tip = before.tip("main")
    assert tip is not None
    wanted = plan(
        job_update(site.namespace, "a", "n1"),
        lease_update(site.namespace, "n1", None, 1),
        notes_update(site.namespace, None, "n1", [(tip, "line")]),
        RefUpdate("refs/heads/main", tip, site.commit(client, "next", tip)),
    )
    outcome = client.publish(wanted)
    assert outcome.kind is PUBLISHED
    assert advance(site.namespace, before, wanted, outcome.oids) == client.observe({"main"})


def test_hundreds_of_jobs_are_one_observation(site: Site) -> None:
    records = [a_job(f"job-{number}") for number in range(300)]
    site.put_many(
        {site.namespace.job(job.id): encode(job, event="edit", subject="s", nonce="n").encode() for job in records}
    )
    snapshot = site.client().observe()
    assert sorted(snapshot.jobs) == sorted(f"job-{number}" for number in range(300))
    assert snapshot.damaged == ()


def test_a_job_that_is_gone_from_the_remote_is_gone_from_the_next_snapshot(site: Site) -> None:
    client = site.client()
    client.publish(plan(job_update(site.namespace, "a", "n1"), job_update(site.namespace, "b", "n1")))
    assert set(client.observe().jobs) == {"a", "b"}
    site.delete(site.namespace.job(a_job("a").id))
    assert set(client.observe().jobs) == {"b"}


# -- compare and swap


def test_of_two_who_create_a_ref_the_second_loses_and_changes_nothing(site: Site) -> None:
    one, other = site.client(), site.client()
    first = one.publish(plan(job_update(site.namespace, "a", "n1")))
    assert first.kind is PUBLISHED
    before = site.refs()
    assert other.publish(plan(job_update(site.namespace, "a", "n2"))).kind is CONFLICT
    assert site.refs() == before


def test_an_update_from_the_present_value_wins_and_a_stale_one_loses(site: Site) -> None:
    one, other = site.client(), site.client()
    one.publish(plan(job_update(site.namespace, "a", "n1")))
    seen = job_oid(other.observe(), "a")
    assert other.publish(plan(job_update(site.namespace, "a", "n2", seen, title="Second"))).kind is PUBLISHED
    assert one.publish(plan(job_update(site.namespace, "a", "n3", seen, title="Stale"))).kind is CONFLICT
    assert one.observe().jobs[a_job("a").id].record.title == "Second"


def test_an_update_of_what_does_not_exist_loses(site: Site) -> None:
    client = site.client()
    client.publish(plan(job_update(site.namespace, "a", "n1")))
    seen = job_oid(client.observe(), "a")
    site.delete(site.namespace.job(a_job("a").id))
    assert client.publish(plan(job_update(site.namespace, "a", "n2", seen))).kind is CONFLICT
    assert site.namespace.job(a_job("a").id) not in site.refs()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_refs_of_which_one_is_stale_neither_changes(site: Site, order: tuple[int, int]) -> None:
    client = site.client()
    client.publish(plan(job_update(site.namespace, "a", "n1"), job_update(site.namespace, "b", "n1")))
    seen = client.observe()
    client.publish(plan(job_update(site.namespace, "a", "n2", job_oid(seen, "a"))))
    before = site.refs()
    updates = [
        job_update(site.namespace, "a", "n3", job_oid(seen, "a")),
        job_update(site.namespace, "b", "n3", job_oid(seen, "b")),
    ]
    assert client.publish(plan(*(updates[number] for number in order))).kind is CONFLICT
    assert site.refs() == before


def test_a_target_does_not_move_when_its_lease_was_taken_by_another(site: Site) -> None:
    """The hole that a fenced holder would slip through."""
    holder, rival = site.client(), site.client()
    holder.publish(plan(lease_update(site.namespace, "n1", None, 1)))
    seen = holder.observe({"main"})
    tip, lease = seen.tip("main"), seen.leases["main"]
    assert tip is not None
    assert rival.publish(plan(lease_update(site.namespace, "n2", rival.observe().leases["main"], 2))).kind is PUBLISHED
    landing = plan(
        RefUpdate("refs/heads/main", tip, site.commit(holder, "landed", tip)),
        lease_update(site.namespace, "n3", lease, 1),
    )
    assert holder.publish(landing).kind is CONFLICT
    assert site.refs()["refs/heads/main"] == tip
    assert holder.observe().leases["main"].record.epoch == 2


def test_a_target_that_moved_takes_nothing_with_it(site: Site) -> None:
    one, other = site.client(), site.client()
    tip = one.observe({"main"}).tip("main")
    assert tip is not None
    assert other.publish(plan(RefUpdate("refs/heads/main", tip, site.commit(other, "theirs", tip)))).kind is PUBLISHED
    before = site.refs()
    landing = plan(
        RefUpdate("refs/heads/main", tip, site.commit(one, "ours", tip)),
        job_update(site.namespace, "a", "n1"),
        notes_update(site.namespace, None, "n1", [(tip, "x")]),
    )
    assert one.publish(landing).kind is CONFLICT
    assert site.refs() == before


def test_a_deletion_is_guarded_by_the_value_that_was_seen(site: Site) -> None:
    one, other = site.client(), site.client()
    one.publish(plan(job_update(site.namespace, "a", "n1")))
    ref, seen = site.namespace.job(a_job("a").id), job_oid(one.observe(), "a")
    assert other.publish(plan(job_update(site.namespace, "a", "n2", job_oid(other.observe(), "a")))).kind is PUBLISHED
    assert one.publish(plan(RefUpdate(ref, seen, None))).kind is CONFLICT
    assert ref in site.refs()
    now = job_oid(one.observe(), "a")
    assert one.publish(plan(RefUpdate(ref, now, None))).kind is PUBLISHED
    assert ref not in site.refs()
    assert other.publish(plan(RefUpdate(ref, now, None))).kind is CONFLICT


def test_whoever_publishes_the_very_same_bytes_second_has_lost(site: Site) -> None:
    """Git answers "up to date" before it looks at the guard; without this rule two racers would both have won."""
    one, other = site.client(), site.client()
    same = plan(job_update(site.namespace, "a", "same nonce"))
    first, second = one.publish(same), other.publish(same)
    assert first.oids == second.oids
    assert (first.kind, second.kind) == (PUBLISHED, CONFLICT)


def test_a_push_of_which_a_part_was_there_already_is_looked_at_again(site: Site) -> None:
    """That happens only when our own push arrived without our hearing of it."""
    client = site.client()
    event = job_update(site.namespace, "a", "n1")
    assert client.publish(plan(event)).kind is PUBLISHED
    both = plan(event, job_update(site.namespace, "b", "n1"))
    assert client.publish(both).kind is UNKNOWN
    assert publish_and_settle(site.world(client), plan(event, job_update(site.namespace, "c", "n1"))).kind is PUBLISHED
    assert set(client.observe().jobs) == {"a", "b", "c"}


# -- races


def test_of_eight_who_race_to_create_a_ref_exactly_one_wins_and_the_others_know_who(site: Site) -> None:
    clients = [site.client() for _ in range(8)]
    plans = [plan(job_update(site.namespace, "a", f"n{number}", worker=f"w{number}")) for number in range(8)]
    outcomes: list[Outcome] = at_once(*(lambda c=c, p=p: c.publish(p) for c, p in zip(clients, plans, strict=True)))
    kinds = [outcome.kind for outcome in outcomes]
    assert sorted(kinds, key=lambda kind: kind.value) == [CONFLICT] * 7 + [PUBLISHED]
    winner = kinds.index(PUBLISHED)
    assert {client.observe().jobs[a_job("a").id].record.worker for client in clients} == {f"w{winner}"}


def test_of_many_who_append_at_once_no_update_is_lost(site: Site) -> None:
    writers, rounds = 4, 2
    nonces = count()

    def write(client: Store, line: str) -> None:
        exchange(site.world(client), (), lambda seen: _append(site, seen, line, next(nonces)))

    def job(who: int) -> Callable[[], None]:
        client = site.client()

        def run() -> None:
            for turn in range(rounds):
                write(client, f"w{who}-{turn}")

        return run

    assert at_once(*(job(who) for who in range(writers))) == [None] * writers
    reader = site.client()
    snapshot = reader.observe()
    lease = snapshot.leases["main"]
    assert lease.record.epoch == writers * rounds
    expected = {f"w{who}-{turn}" for who in range(writers) for turn in range(rounds)}
    assert set(reader.notes(snapshot, [oid(1)])[oid(1)].split()) == expected


def _append(site: Site, seen: Snapshot, line: str, number: int) -> Plan:
    """One more epoch of the lease and one more line, in one push."""
    lease = seen.leases.get("main")
    epoch = 1 if lease is None else lease.record.epoch + 1
    nonce = f"{line}-{number}"
    return plan(
        lease_update(site.namespace, nonce, lease, epoch),
        notes_update(site.namespace, seen.notes, nonce, [(oid(1), line)]),
    )


# -- notes


def test_lines_are_appended_to_the_notes_of_any_object_and_read_back(site: Site) -> None:
    one, other = site.client(), site.client()
    lines = [(oid(1), "first"), (oid(2), "else"), (oid(1), "second")]
    assert one.publish(plan(notes_update(site.namespace, None, "n1", lines))).kind is PUBLISHED
    seen = other.observe()
    more = plan(notes_update(site.namespace, seen.notes, "n2", [(oid(1), "third")]))
    assert other.publish(more).kind is PUBLISHED
    snapshot = one.observe()
    assert one.notes(snapshot, [oid(1), oid(2), oid(3)]) == {oid(1): "first\nsecond\nthird\n", oid(2): "else\n"}


def test_notes_are_read_as_of_the_snapshot(site: Site) -> None:
    client = site.client()
    client.publish(plan(notes_update(site.namespace, None, "n1", [(oid(1), "old")])))
    before = client.observe()
    client.publish(plan(notes_update(site.namespace, before.notes, "n2", [(oid(1), "new")])))
    client.observe()
    assert client.notes(before, [oid(1)]) == {oid(1): "old\n"}


def test_without_notes_nothing_is_noted(site: Site) -> None:
    client = site.client()
    assert client.notes(client.observe(), [oid(1)]) == {}


def test_notes_that_somebody_else_wrote_meanwhile_are_a_conflict_and_stay(site: Site) -> None:
    one, other = site.client(), site.client()
    one.publish(plan(notes_update(site.namespace, None, "n1", [(oid(1), "base")])))
    seen = one.observe()
    other.publish(plan(notes_update(site.namespace, other.observe().notes, "n2", [(oid(1), "theirs")])))
    late = plan(
        notes_update(site.namespace, seen.notes, "n3", [(oid(1), "ours")]), job_update(site.namespace, "a", "n3")
    )
    assert one.publish(late).kind is CONFLICT
    snapshot = one.observe()
    assert one.notes(snapshot, [oid(1)]) == {oid(1): "base\ntheirs\n"}
    assert snapshot.jobs == {}


# -- chains


def test_a_ref_holds_its_value_and_its_earlier_events_and_nothing_else(site: Site) -> None:
    client = site.client()
    ref = site.namespace.job(a_job("a").id)
    first = client.publish(plan(job_update(site.namespace, "a", "n1"))).oids[ref]
    assert first is not None
    client.observe()
    second = client.publish(plan(job_update(site.namespace, "a", "n2", first))).oids[ref]
    lost = client.publish(plan(job_update(site.namespace, "a", "n3", first))).oids[ref]
    assert second is not None and lost is not None
    client.observe()
    assert client.holds(ref, first) and client.holds(ref, second)
    assert not client.holds(ref, lost)
    assert not client.holds(ref, oid(1))
    assert not client.holds(site.namespace.job(a_job("none").id), first)


# -- answers that do not arrive


@pytest.mark.parametrize("what", ["event", "notes"])
def test_a_push_whose_answer_was_lost_is_recognised_as_published(site: Site, what: str) -> None:
    client = site.client()
    wanted = {
        "event": plan(job_update(site.namespace, "a", "n1"), notes_update(site.namespace, None, "n1", [(oid(1), "x")])),
        "notes": plan(notes_update(site.namespace, None, "n1", [(oid(1), "x")])),
    }[what]
    client.observe()
    site.lose_next_answer(applied=True)
    outcome = publish_and_settle(site.world(client), wanted)
    assert outcome.kind is PUBLISHED
    snapshot = client.observe()
    assert client.notes(snapshot, [oid(1)]) == {oid(1): "x\n"}
    assert (what == "event") == bool(snapshot.jobs)


def test_a_push_that_broke_before_it_took_effect_is_a_lost_race_and_can_be_made_again(site: Site) -> None:
    client = site.client()
    before = site.refs()
    wanted = plan(job_update(site.namespace, "a", "n1"))
    site.lose_next_answer(applied=False)
    assert publish_and_settle(site.world(client), wanted).kind is CONFLICT
    assert site.refs() == before
    assert publish_and_settle(site.world(client), wanted).kind is PUBLISHED


@pytest.mark.parametrize("applied", [True, False])
def test_the_store_itself_never_guesses_what_became_of_a_push(site: Site, applied: bool) -> None:
    client = site.client()
    site.lose_next_answer(applied=applied)
    outcome = client.publish(plan(job_update(site.namespace, "a", "n1")))
    assert outcome.kind is UNKNOWN
    assert (site.namespace.job(a_job("a").id) in site.refs()) == applied


@pytest.mark.parametrize("applied", [True, False])
def test_an_exchange_whose_answer_was_lost_writes_once(site: Site, applied: bool) -> None:
    client = site.client()
    nonces = count()

    def decide(seen: Snapshot) -> Plan:
        number = next(nonces)
        return plan(notes_update(site.namespace, seen.notes, f"n{number}", [(oid(1), "once")]))

    site.lose_next_answer(applied=applied)
    exchange(site.world(client), (), decide)
    assert client.notes(client.observe(), [oid(1)]) == {oid(1): "once\n"}


# -- remotes that say no, or nothing


def test_a_refusal_is_told_in_the_remotes_own_words_made_fit_to_be_shown(site: Site) -> None:
    client = site.client()
    before = site.refs()
    site.refuse("not on \x1b[31mSundays\x1b[m \N{RIGHT-TO-LEFT OVERRIDE}")
    with pytest.raises(RefusedError) as caught:
        client.publish(plan(job_update(site.namespace, "a", "n1")))
    if isinstance(site, GitSite):
        assert "not on \\x1b[31mSundays\\x1b[m \\u202e" in caught.value.message
        assert caught.value.message.isprintable()
        assert "git orch doctor" in caught.value.hint
    assert site.refs() == before


def test_a_remote_that_is_gone_is_said_to_be_unreachable(site: Site) -> None:
    if isinstance(site, OwnSite):
        pytest.skip("a repository cannot be out of its own reach")
    client = site.client()
    client.observe()
    site.vanish()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        client.observe()
    assert client.publish(plan(job_update(site.namespace, "a", "n1"))).kind is UNKNOWN


# -- what strangers may have put there


def test_what_strangers_put_into_the_namespace_is_damage_and_never_an_exception(site: Site) -> None:
    good = encode(a_job("good"), event="edit", subject="s", nonce="n").encode()
    names = {
        "jobs/blob": (b"blob", "blob"),
        "jobs/tree": (b"", "tree"),
        "jobs/tag": (b"tag", "tag"),
        "jobs/words": (b"just words\n", "commit"),
        "jobs/empty": (b"", "commit"),
        "jobs/newer": (b"add: x\n\nOrch-Format: 2\nRecord: herd\n", "commit"),
        "jobs/latin": ("add: caf\xe9\n\nOrch-Format: 1\nRecord: job\n".encode("latin-1"), "commit"),
        "jobs/nul": (good.replace(b"Nonce: n", b"X: a\x00b\nNonce: n"), "commit"),
        "jobs/huge": (b"x" * 2_000_000 + b"\n\n" + good.partition(b"\n\n")[2], "commit"),
        "jobs/other": (good, "commit"),
        "jobs/UPPER": (good, "commit"),
        "jobs/deep/good": (good, "commit"),
        "jobs/\udcff": (good, "commit"),
        "leases/main": (good, "commit"),
        "leases/a%20b": (encode(a_lease(), event="e", subject="s", nonce="n").encode(), "commit"),
        "surprise/x": (good, "commit"),
    }
    site.put(f"{site.namespace.root}/jobs/good", good)
    for name, (data, kind) in names.items():
        site.put(f"{site.namespace.root}/{name}", data, kind)
    client = site.client()
    for _ in range(2):
        snapshot = client.observe({"main"})
        assert set(snapshot.jobs) == {"good"}
        assert snapshot.leases == {}
        assert {damage.ref.removeprefix(f"{site.namespace.root}/") for damage in snapshot.damaged} == set(names)
        assert snapshot.tip("main") is not None
    assert client.publish(plan(job_update(site.namespace, "good", "n2", job_oid(snapshot, "good")))).kind is PUBLISHED


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_notes_that_are_no_notes_are_damage_and_are_neither_read_nor_overwritten(site: Site, kind: str) -> None:
    site.put(site.namespace.notes, b"x", kind)
    before = site.refs()
    client = site.client()
    snapshot = client.observe({"main"})
    (damage,) = snapshot.damaged
    assert damage.ref == site.namespace.notes and kind in damage.problem
    with pytest.raises(OrchError):
        client.notes(snapshot, [oid(1)])
    with pytest.raises(OrchError):
        client.publish(plan(notes_update(site.namespace, snapshot.notes, "n1", [(oid(1), "x")])))
    assert client.publish(plan(notes_update(site.namespace, None, "n1", [(oid(1), "x")]))).kind is CONFLICT
    assert site.refs() == before
    assert client.publish(plan(job_update(site.namespace, "a", "n1"))).kind is PUBLISHED


def test_a_ref_that_is_damaged_is_not_overwritten_by_who_could_not_read_it(site: Site) -> None:
    site.put(site.namespace.job(a_job("a").id), b"add: x\n\nOrch-Format: 2\n")
    before = site.refs()
    client = site.client()
    client.observe()
    assert client.publish(plan(job_update(site.namespace, "a", "n1"))).kind is CONFLICT
    assert site.refs() == before


def test_an_event_is_the_same_object_whoever_writes_it(site: Site) -> None:
    one, other = site.client(), site.client()
    wanted = Plan((RefUpdate(site.namespace.job(a_job("a").id), None, job_event("a", "n")),), "x")
    assert one.publish(wanted).oids == other.publish(wanted).oids


def test_a_head_is_kept_alive_by_the_event_that_names_it(site: Site) -> None:
    client = site.client()
    head = site.commit(client, "head")
    assert client.publish(plan(job_update(site.namespace, "a", "n1", keeps=(head,)))).kind is PUBLISHED
    reader = site.client()
    reader.observe()
    assert reader.holds(site.namespace.job(a_job("a").id), Oid(head))
