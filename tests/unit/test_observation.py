"""From raw refs to a snapshot. A failure here lets one stranger's ref stop everybody, or lets a command act on a state
that is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.codec import encode
from gitorch.core.gates import Gate
from gitorch.core.model import Candidate, Color, Job, JobId, Lease, Oid, Slot, Snapshot, Verdict, Worker
from gitorch.core.names import Namespace
from gitorch.core.observation import RawRef, advance, build_snapshot, missing_dependencies
from gitorch.core.plan import (
    Context,
    Landing,
    Notes,
    Rework,
    Submission,
    plan_acquire,
    plan_gate_green,
    plan_job_event,
    plan_land,
    plan_renew,
    plan_rework,
    plan_submit,
)
from gitorch.core.plan_queue import (
    Addition,
    Claim,
    Folding,
    plan_add,
    plan_claim,
    plan_edges,
    plan_fold,
    plan_leave,
    plan_presence,
)
from gitorch.core.states import Event
from gitorch.core.writes import ArchiveEntry, EventCommit, OutcomeKind, Plan, RefUpdate
from gitorch.memory import MemoryRemote, MemoryStore
from tests.records import JOB_IDS, TIME_MS, a_job, a_lease, jobs, leases, lines, oid

NAMES = Namespace()


def snapshot_of(*refs: RawRef) -> Snapshot:
    return build_snapshot(NAMES, refs, heads={}, asked=frozenset(), notes=None)


WORKER = Worker(id="w", holder="ada", present=True, capacity=1, ttl_s=60, since_ms=0, updated_ms=0)
SLOT = Slot(number=3, held=False, updated_ms=0)


def message(record: Job | Lease | Worker | Slot) -> bytes:
    return encode(record, event="edit", subject="s", nonce="n").encode()


def ref(name: str, record: Job | Lease | Worker | Slot | bytes | None, kind: str = "commit") -> RawRef:
    data = message(record) if isinstance(record, Job | Lease | Worker | Slot) else record
    return RawRef(f"refs/orch/{name}", oid(len(name)), kind, data)


# -- judging what others wrote

REF_NAMES = st.one_of(
    st.text(max_size=30),
    JOB_IDS.map(lambda job: f"refs/orch/jobs/{job}"),
    lines(20).map(lambda text: f"refs/orch/leases/{text}"),
    st.sampled_from(
        ["refs/orch/jobs/fix", "refs/orch/leases/main", "refs/orch/graph", "refs/orch/archive", "refs/orch"]
    ),
)
MESSAGES = st.one_of(
    st.none(),
    st.binary(max_size=60),
    jobs().map(message),
    leases().map(message),
    st.just(message(a_job())),
    st.just(message(a_lease())),
)
REFS = st.lists(
    st.builds(
        RawRef, REF_NAMES, st.integers(0, 99).map(oid), st.sampled_from(["commit", "blob", "tree", "tag"]), MESSAGES
    ),
    max_size=6,
)


@given(REFS)
def test_whatever_refs_there_are_a_snapshot_is_made_and_each_ref_is_a_record_or_damage_or_not_ours_to_read(
    refs: list[RawRef],
) -> None:
    snapshot = snapshot_of(*refs)
    damaged = {damage.ref for damage in snapshot.damaged}
    for raw in refs:
        kind = NAMES.parse(raw.name)
        if kind is None or (kind[0].value in ("jobs", "leases") and raw.message is None):
            assert raw.name in damaged
    for job_id, seen_job in snapshot.jobs.items():
        assert seen_job.record.id == job_id
    for target, seen_lease in snapshot.leases.items():
        assert seen_lease.record.target == target


def test_records_are_found_by_id_and_target_with_the_event_they_were_read_at() -> None:
    snapshot = snapshot_of(ref("jobs/fix", a_job()), ref("leases/release%2F1", a_lease(target="release/1")))
    assert snapshot.jobs[JobId("fix")].record == a_job()
    assert snapshot.jobs[JobId("fix")].oid == oid(len("jobs/fix"))
    assert snapshot.leases["release/1"].record.target == "release/1"
    assert snapshot.damaged == ()


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (ref("jobs/fix", None, "blob"), "it is a blob, not an event"),
        (ref("leases/main", None, "tag"), "it is a tag, not an event"),
        (ref("jobs/other", a_job()), "it holds the record of another job"),
        (ref("leases/other", a_lease()), "it holds the lease of another target"),
        (ref("workers/v", WORKER), "it holds the record of another worker"),
        (ref("slots/4", SLOT), "it holds the record of another slot"),
        (ref("jobs/fix", a_lease()), "not a record of git orch: it is not a job"),
        (ref("jobs/fix", b"\xff"), "not a record of git orch: it is not UTF-8"),
        (ref("jobs/fix", b"Orch-Format: 2\n"), "a record has format 2"),
        (ref("jobs/Upper", a_job()), "its name is nothing that git orch writes"),
        (ref("jobs/fix", a_job(target="a..b")), "it names a branch that git would not accept"),
        (ref("jobs/fix", a_job(branch="-- $(rm)")), "it names a branch that git would not accept"),
        (ref("surprise", a_job()), "its name is nothing that git orch writes"),
    ],
)
def test_what_cannot_be_read_is_damage_with_the_reason_and_nothing_else_suffers(raw: RawRef, problem: str) -> None:
    snapshot = snapshot_of(ref("jobs/good", a_job("good")), raw)
    (damage,) = snapshot.damaged
    assert damage.ref == raw.name
    assert problem in damage.problem
    assert list(snapshot.jobs) == ["good"]


def test_notes_that_are_no_commit_are_damage() -> None:
    for kind, problems in (("commit", []), ("blob", ["it is a blob, not notes"])):
        found = build_snapshot(NAMES, (), heads={}, asked=frozenset(), notes=oid(1), notes_kind=kind)
        assert [(damage.ref, damage.problem) for damage in found.damaged] == [("refs/notes/orch", p) for p in problems]
    assert build_snapshot(NAMES, (), heads={}, asked=frozenset(), notes=None, notes_kind="blob").damaged == ()


def test_only_what_a_later_version_wrote_is_marked_as_newer() -> None:
    later = ref("jobs/later", message(a_job("later")).replace(b"Orch-Format: 1", b"Orch-Format: 2"))
    snapshot = snapshot_of(later, ref("jobs/bad", b"words"), ref("surprise", b""))
    assert {damage.ref: damage.newer for damage in snapshot.damaged} == {
        "refs/orch/jobs/later": True,
        "refs/orch/jobs/bad": False,
        "refs/orch/surprise": False,
    }


@pytest.mark.parametrize("name", ["archive", "scratch/probe"])
def test_the_other_refs_of_the_namespace_are_no_damage(name: str) -> None:
    assert snapshot_of(ref(name, b"whatever")).damaged == ()


# -- what a command knows after its own push


class Script:
    """Publishes plans one after another and holds what `advance` says against what an observation shows."""

    def __init__(self) -> None:
        self.remote = MemoryRemote()
        self.store = MemoryStore(self.remote)
        self.tip = self.remote.commit("first")
        self.remote.refs["refs/heads/main"] = self.tip
        self.steps = 0
        self.snapshot = self.store.observe({"main", "gone"})

    def context(self) -> Context:
        self.steps += 1
        return Context(namespace=NAMES, now_ms=TIME_MS + self.steps, nonce=f"n{self.steps}", max_attempts=3)

    def publish(self, plan: Plan) -> None:
        outcome = self.store.publish(plan)
        assert outcome.kind is OutcomeKind.PUBLISHED, outcome.detail
        self.snapshot = advance(NAMES, self.snapshot, plan, outcome.oids)
        assert self.snapshot == self.store.observe({"main", "gone"})

    def submit(self, name: str) -> Oid:
        head = self.remote.commit(name, self.tip)
        wanted = Submission(branch=name, head=head, title=name, target="main", new_id=JobId(name), push=True)
        self.publish(plan_submit(self.context(), wanted))
        return head

    def acquire(self) -> None:
        before = self.snapshot.leases.get("main")
        self.publish(plan_acquire(self.context(), before, target="main", holder="a", token="t", ttl_s=60)[0])


def test_after_each_kind_of_push_the_advanced_snapshot_is_what_an_observation_shows() -> None:
    script = Script()
    remote = script.remote
    gate = Gate(commands=("true",), digest=oid(7), origin="test")
    for name in ("a", "b", "c"):
        script.submit(name)
    script.acquire()
    script.publish(plan_renew(script.context(), script.snapshot.leases["main"])[0])
    moved = remote.commit("a moved", script.tip)
    candidate = Candidate(moved, oid(5), script.tip)
    landing = Landing(candidate=candidate, gate=gate, move_branch=True)
    green = Notes(
        base=None,
        verdicts=(Verdict(color=Color.GREEN, tree=oid(5), gate=gate.digest, time_ms=TIME_MS, job=JobId("a")),),
    )
    held, job = script.snapshot.leases["main"], script.snapshot.jobs[JobId("a")]
    script.publish(plan_gate_green(script.context(), held, job, landing, green)[0])
    held, job = script.snapshot.leases["main"], script.snapshot.jobs[JobId("a")]
    noted = Notes(base=script.snapshot.notes)
    script.publish(plan_land(script.context(), held, job, landing, noted, keep=True)[0])
    assert script.snapshot.tip("main") == moved
    held, job = script.snapshot.leases["main"], script.snapshot.jobs[JobId("b")]
    why = Rework(event=Event.CONFLICT, reason="conflicts")
    script.publish(plan_rework(script.context(), held, job, why, noted, keep=False)[0])
    script.publish(plan_job_event(script.context(), script.snapshot.jobs[JobId("c")], Event.CANCEL))
    script.publish(Plan((RefUpdate("refs/heads/main", moved, None),), "the target goes away"))
    assert script.snapshot.tip("main") is None


def test_after_what_workers_and_keepers_push_too() -> None:
    script = Script()
    added = [Addition(id=JobId(name), title=name, target="main") for name in ("a", "b", "c")]
    script.publish(plan_add(script.context(), added))
    jobs = script.snapshot.jobs
    script.publish(plan_edges(script.context(), script.snapshot, jobs[JobId("b")], (JobId("a"),)))
    worker = Worker(id="w", holder="ada", present=True, capacity=1, ttl_s=60, since_ms=0, updated_ms=0)
    script.publish(plan_presence(script.context(), None, worker, "start")[0])
    take = Claim(worker="w", token="t", ttl_s=60, kept=True, slot=2)
    script.publish(plan_claim(script.context(), script.snapshot, script.snapshot.jobs[JobId("a")], take))
    assert script.snapshot.graph is not None and script.snapshot.graph.record.job == "b"
    assert (list(script.snapshot.slots), list(script.snapshot.workers)) == ([2], ["w"])
    claimed = script.snapshot.jobs[JobId("a")]
    script.publish(plan_leave(script.context(), script.snapshot, claimed, Event.CANCEL))
    # An archive is not a part of what is observed; what went there is known to whoever put it there.
    gone, beaten = script.snapshot.jobs[JobId("a")], script.snapshot.workers["w"]
    folding = Folding(jobs=(ArchiveEntry(JobId("a"), gone.oid, "m"),), workers=(beaten,))
    plan = plan_fold(script.context(), folding)
    oids = {update.name: None if update.new is None else oid(3) for update in plan.updates}
    after = advance(NAMES, script.snapshot, plan, oids)
    assert (sorted(after.jobs), dict(after.workers), after.archived) == (["b", "c"], {}, {JobId("a"): gone})
    assert after.graph == script.snapshot.graph and after.slots == script.snapshot.slots
    assert missing_dependencies(after) == {"a"} and missing_dependencies(script.snapshot) == frozenset()


def test_deleting_a_branch_that_was_asked_for_and_is_not_there_changes_nothing() -> None:
    script = Script()
    plan = Plan((RefUpdate("refs/heads/gone", oid(1), None),), "it went before")
    assert advance(NAMES, script.snapshot, plan, {"refs/heads/gone": None}) == script.snapshot


def test_a_branch_that_was_not_asked_for_is_not_known_after_it_was_pushed() -> None:
    script = Script()
    script.submit("a")
    assert "a" not in script.snapshot.heads
    with pytest.raises(AssertionError):
        script.snapshot.tip("a")


@given(jobs(), leases())
def test_what_was_written_once_is_read_again_whoever_writes_it_next(job: Job, lease: Lease) -> None:
    """A record that came from a stranger is written again with an event of ours on top: that must never turn it into
    damage."""
    target = "main"
    lease = replace(lease, target=target)
    job = replace(job, target=target, branch=job.branch and "feature")
    before = snapshot_of(ref(f"jobs/{job.id}", job), ref("leases/main", lease))
    assert before.damaged == ()
    event = EventCommit(message=message(replace(job, updated_ms=TIME_MS)).decode(), time_ms=TIME_MS)
    update = RefUpdate(NAMES.job(job.id), before.jobs[job.id].oid, event)
    after = advance(NAMES, before, Plan((update,), "edit"), {update.name: oid(1)})
    assert after.jobs[job.id].record == replace(job, updated_ms=TIME_MS)
