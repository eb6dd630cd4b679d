"""Decisions as data. A failure here publishes something that a fenced holder could get through, or loses a commit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gitorch.core import plan as planning
from gitorch.core.codec import decode_job, decode_lease
from gitorch.core.gates import Gate
from gitorch.core.lease import LeaseEvent, token_digest
from gitorch.core.model import REASON_LIMIT, TITLE_LIMIT, Candidate, Color, Job, JobId, Lease, Seen, State, Verdict
from gitorch.core.names import Namespace
from gitorch.core.plan import (
    MAX_UPDATES,
    Context,
    Landing,
    Notes,
    Rework,
    Submission,
    plan_acquire,
    plan_gate_green,
    plan_job_event,
    plan_land,
    plan_landed_already,
    plan_release,
    plan_renew,
    plan_rework,
    plan_settle,
    plan_submit,
    plan_target_red,
    plan_verdict,
)
from gitorch.core.states import Event, IllegalTransitionError
from gitorch.core.verdicts import parse_landings, parse_verdicts
from gitorch.core.writes import EventCommit, NotesAppend, Plan, RefUpdate
from tests.records import TIME_MS, a_claimed_job, a_job, a_job_in, a_lease, oid

NAMES = Namespace()
NOW_MS = TIME_MS + 1000
HEAD, TIP, MOVED, TREE, NOTED = oid(0xABC), oid(0x11), oid(0x22), oid(0x33), oid(0x44)
JOB = Seen(oid(0x55), a_job(head=HEAD))
CLAIMED = Seen(oid(0x56), a_claimed_job(head=None, attempt=3))
HELD = Seen(oid(0x66), a_lease())
FREE = Seen(oid(0x67), a_lease(held=False, holder=None, token=None))
GATE = Gate(commands=("make",), digest=oid(0x77), origin="test")
REBASED = Candidate(MOVED, TREE, TIP)
AS_IT_WAS = Candidate(HEAD, TREE, TIP)
GREEN = Verdict(color=Color.GREEN, tree=TREE, gate=GATE.digest, time_ms=NOW_MS)
RED = replace(GREEN, color=Color.RED)
NOTES = Notes(base=NOTED, verdicts=(GREEN,))
TAKE = {"target": "main", "holder": "bob", "token": "secret", "ttl_s": 60}


def context(nonce: str = "n1", **changes: Any) -> Context:
    return Context(namespace=NAMES, now_ms=NOW_MS, nonce=nonce, **changes)


def submission(**changes: Any) -> Submission:
    plain = Submission(branch="fix-parser", head=HEAD, title="Fix", target="main", new_id=JobId("new"))
    return replace(plain, **changes)


def landing(candidate: Candidate = REBASED, move_branch: bool = True) -> Landing:
    return Landing(candidate=candidate, gate=GATE, move_branch=move_branch)


CONFLICT = Rework(event=Event.CONFLICT, reason="conflicts in a", files={"paths": b"a\n"})
FAILED = Rework(event=Event.RED, reason="red", files={"log": b"oops"}, candidate=REBASED, gate=GATE)
BREAK = LeaseEvent.BREAK

# Every function of the module that makes a plan, in every way it is called.
PLANS: dict[str, Callable[[Context], Plan | tuple[Plan, Any]]] = {
    "submit a new job": lambda c: plan_submit(c, submission()),
    "submit and push": lambda c: plan_submit(c, submission(push=True)),
    "submit and replace": lambda c: plan_submit(c, submission(push=True, push_from=oid(9), job=JOB, head=MOVED)),
    "submit claimed work": lambda c: plan_submit(c, submission(job=CLAIMED)),
    "job_event cancel": lambda c: plan_job_event(c, JOB, Event.CANCEL, reason="no"),
    "job_event retry": lambda c: plan_job_event(c, Seen(oid(8), a_job(state=State.REWORK)), Event.RETRY),
    "acquire the first": lambda c: plan_acquire(c, None, **TAKE),  # type: ignore[arg-type]
    "acquire a free one": lambda c: plan_acquire(c, FREE, **TAKE, job=JobId("fix")),  # type: ignore[arg-type]
    "acquire a dead one": lambda c: plan_acquire(c, HELD, **TAKE, job=JobId("fix"), candidate=REBASED),  # type: ignore[arg-type]
    "renew": lambda c: plan_renew(c, HELD),
    "renew and name": lambda c: plan_renew(c, HELD, job=JobId("fix"), candidate=REBASED),
    "release": lambda c: plan_release(c, HELD, reason="done"),
    "release by breaking": lambda c: plan_release(c, HELD, reason="he is on holiday", event=BREAK),
    "rework conflict": lambda c: plan_rework(c, HELD, JOB, CONFLICT, Notes(base=None), keep=False),
    "rework red": lambda c: plan_rework(c, HELD, JOB, FAILED, Notes(base=None, verdicts=(RED,)), keep=False),
    "rework red and keep": lambda c: plan_rework(c, HELD, JOB, FAILED, Notes(base=NOTED, verdicts=(RED,)), keep=True),
    "target_red": lambda c: plan_target_red(c, HELD, Notes(base=NOTED, verdicts=(RED,)), "main is red"),
    "land": lambda c: plan_land(c, HELD, JOB, landing(), NOTES, keep=False),
    "land and keep": lambda c: plan_land(c, HELD, JOB, landing(), NOTES, keep=True),
    "land as it was": lambda c: plan_land(c, HELD, JOB, landing(AS_IT_WAS), Notes(base=None), keep=False),
    "land and leave the branch": lambda c: plan_land(c, HELD, JOB, landing(move_branch=False), NOTES, keep=False),
    "landed_already": lambda c: plan_landed_already(c, JOB, TIP, None),
    "landed_already held": lambda c: plan_landed_already(c, JOB, TIP, HELD),
    "gate_green": lambda c: plan_gate_green(c, HELD, JOB, landing(), NOTES),
    "gate_green as it was": lambda c: plan_gate_green(c, HELD, JOB, landing(AS_IT_WAS), NOTES),
    "settle": lambda c: plan_settle(c, JOB, REBASED, oid(0x88), HELD, NOTES),
    "settle without lease": lambda c: plan_settle(c, JOB, REBASED, oid(0x88), None, Notes(base=None)),
    "verdict": lambda c: plan_verdict(c, NOTES),
}
every_plan = pytest.mark.parametrize("name", PLANS)


def made(name: str, nonce: str = "n1") -> Plan:
    answer = PLANS[name](context(nonce))
    return answer if isinstance(answer, Plan) else answer[0]


def updates(plan: Plan) -> dict[str, RefUpdate]:
    return {update.name: update for update in plan.updates}


def event_of(plan: Plan, ref: str) -> EventCommit:
    new = updates(plan)[ref].new
    assert isinstance(new, EventCommit)
    return new


def job_in(plan: Plan, job_id: str = "fix") -> Job:
    return decode_job(event_of(plan, f"refs/orch/jobs/{job_id}").message.encode()).record


def lease_in(plan: Plan) -> Lease:
    return decode_lease(event_of(plan, "refs/orch/leases/main").message.encode()).record


def noted(plan: Plan) -> NotesAppend:
    new = updates(plan)["refs/notes/orch"].new
    assert isinstance(new, NotesAppend)
    return new


# -- what holds for every plan


def test_the_list_above_has_every_function_that_makes_a_plan() -> None:
    functions = {name.removeprefix("plan_") for name, _ in inspect.getmembers(planning, inspect.isfunction)}
    makers = {name for name in functions if hasattr(planning, f"plan_{name}")}
    assert makers == {name.split(" ")[0] for name in PLANS}


@every_plan
def test_a_plan_that_moves_a_target_writes_its_lease_too(name: str) -> None:
    plan = made(name)
    if "refs/heads/main" in updates(plan):
        assert updates(plan)["refs/orch/leases/main"].expected_old == HELD.oid
        assert isinstance(updates(plan)["refs/orch/leases/main"].new, EventCommit)


@every_plan
def test_a_plan_that_sends_a_job_back_or_calls_it_done_under_a_lease_writes_the_lease_too(name: str) -> None:
    if name.split(" ")[0] in ("rework", "land", "gate_green", "target_red"):
        assert "refs/orch/leases/main" in updates(made(name))


@every_plan
def test_every_event_stands_on_the_one_it_replaces(name: str) -> None:
    for update in made(name).updates:
        if isinstance(update.new, EventCommit):
            assert update.new.previous == update.expected_old
        if isinstance(update.new, NotesAppend):
            assert update.new.base == update.expected_old


@every_plan
def test_no_update_leaves_its_ref_as_it_is_or_deletes_anything(name: str) -> None:
    plan = made(name)
    assert all(update.new is not None and update.new != update.expected_old for update in plan.updates)
    assert 1 <= len(plan.updates) == len(updates(plan)) <= MAX_UPDATES


@every_plan
def test_every_event_carries_the_nonce_so_that_no_two_racers_write_the_same_bytes(name: str) -> None:
    for one, other in zip(made(name, "n1").updates, made(name, "n2").updates, strict=True):
        assert one.name == other.name
        if isinstance(one.new, EventCommit):
            assert "\nNonce: n1\n" in one.new.message
            assert one.new != other.new
        if isinstance(one.new, NotesAppend):
            assert one.new.subject.endswith("Nonce: n1")
            assert one.new != other.new


@every_plan
def test_every_event_can_be_read_again_and_names_what_happened(name: str) -> None:
    for update in made(name).updates:
        if isinstance(update.new, EventCommit):
            kind = NAMES.parse(update.name)
            assert kind is not None
            message = update.new.message.encode()
            decoded = decode_job(message) if kind[0].value == "jobs" else decode_lease(message)
            assert update.new.message.startswith(f"{decoded.event}: ")
            assert decoded.record.updated_ms == NOW_MS == update.new.time_ms


@every_plan
def test_the_lease_that_is_returned_is_the_one_that_is_written(name: str) -> None:
    answer = PLANS[name](context())
    if not isinstance(answer, Plan) and answer[1] is not None:
        assert lease_in(answer[0]) == answer[1]


@every_plan
def test_the_secret_of_a_lease_is_in_no_plan(name: str) -> None:
    assert "secret" not in repr(made(name))


@every_plan
def test_the_epoch_never_falls_and_rises_only_with_a_change_of_hands(name: str) -> None:
    plan = made(name)
    if "refs/orch/leases/main" in updates(plan):
        rises = name in ("acquire a free one", "acquire a dead one")
        assert lease_in(plan).epoch == (1 if name == "acquire the first" else 7 + rises)


# -- submit


def test_a_new_job_is_submitted_with_its_head_pinned_and_kept_alive() -> None:
    plan = plan_submit(context(), submission(priority=5, after=(JobId("a"),)))
    assert list(updates(plan)) == ["refs/orch/jobs/new"]
    job = job_in(plan, "new")
    assert (job.state, job.head, job.branch, job.priority, job.after) == (
        State.SUBMITTED,
        HEAD,
        "fix-parser",
        5,
        (JobId("a"),),
    )
    assert (job.created_ms, job.attempt, job.landed) == (NOW_MS, 0, None)
    assert event_of(plan, "refs/orch/jobs/new").keeps == (HEAD,)


def test_a_branch_is_pushed_along_from_what_it_was_on_the_remote() -> None:
    new = updates(made("submit and push"))["refs/heads/fix-parser"]
    assert (new.expected_old, new.new) == (None, HEAD)
    old = updates(made("submit and replace"))["refs/heads/fix-parser"]
    assert (old.expected_old, old.new) == (oid(9), MOVED)


def test_submitting_again_replaces_the_head_and_keeps_the_job_and_its_place() -> None:
    before = Seen(oid(1), a_job(state=State.REWORK, reason="red", priority=3, after=("a",), extra=(("Later", "1"),)))
    plan = plan_submit(context(), submission(job=before, head=MOVED, title="Better", target="elsewhere"))
    job = job_in(plan)
    assert (job.state, job.head, job.title, job.reason) == (State.SUBMITTED, MOVED, "Better", None)
    assert (job.priority, job.after, job.created_ms, job.target) == (3, ("a",), TIME_MS, "main")
    assert job.extra == (("Later", "1"),)
    assert job_in(plan_submit(context(), submission(job=before, priority=0))).priority == 0


def test_handing_in_claimed_work_ends_the_claim() -> None:
    job = job_in(made("submit claimed work"))
    assert (job.state, job.worker, job.token, job.attempt) == (State.SUBMITTED, None, None, 3)


def test_a_final_job_takes_no_further_submission() -> None:
    for state in (State.DONE, State.CANCELLED):
        with pytest.raises(IllegalTransitionError):
            plan_submit(context(), submission(job=Seen(oid(1), a_job(state=state))))


# -- leases


def test_taking_a_lease_names_what_it_is_taken_for_and_keeps_the_candidate_alive() -> None:
    plan = made("acquire a dead one")
    lease = lease_in(plan)
    assert (lease.holder, lease.token, lease.ttl_s) == ("bob", token_digest("secret"), 60)
    assert (lease.job, lease.candidate, lease.tree, lease.base) == ("fix", MOVED, TREE, TIP)
    assert event_of(plan, "refs/orch/leases/main").keeps == (MOVED,)


def test_a_verdict_on_an_earlier_candidate_is_not_shown_beside_a_new_one() -> None:
    green = Seen(oid(1), a_lease(verdict=Color.GREEN, gate=GATE.digest, candidate=oid(2), job="other"))
    for plan in (
        plan_acquire(context(), green, **TAKE, job=JobId("fix"), candidate=REBASED)[0],  # type: ignore[arg-type]
        plan_renew(context(), green, job=JobId("fix"), candidate=REBASED)[0],
        plan_rework(context(), green, JOB, CONFLICT, Notes(base=None), keep=True)[0],
    ):
        assert (lease_in(plan).verdict, lease_in(plan).gate, lease_in(plan).job) == (None, None, "fix")


def test_renewing_changes_the_time_alone() -> None:
    assert lease_in(made("renew")) == replace(HELD.record, updated_ms=NOW_MS)


def test_a_renewal_keeps_a_candidate_alive_once() -> None:
    assert event_of(made("renew and name"), "refs/orch/leases/main").keeps == (MOVED,)
    named = Seen(oid(1), a_lease(candidate=MOVED))
    again, _ = plan_renew(context(), named, job=JobId("fix"), candidate=REBASED)
    assert event_of(again, "refs/orch/leases/main").keeps == ()


def test_breaking_a_lease_leaves_a_trace_of_why() -> None:
    lease = lease_in(made("release by breaking"))
    assert (lease.held, lease.holder, lease.reason) == (False, None, "he is on holiday")
    assert event_of(made("release by breaking"), "refs/orch/leases/main").message.startswith("break: main")


def test_an_epoch_that_would_fall_is_a_fault_of_the_program() -> None:
    with pytest.raises(AssertionError, match="I5"):
        planning.lease_update(context(), HELD, a_lease(epoch=6), LeaseEvent.RENEW)


# -- rework


@pytest.mark.parametrize("name", ["rework conflict", "rework red", "rework red and keep", "target_red"])
def test_what_is_not_green_leaves_the_target_and_every_branch_alone(name: str) -> None:
    assert not any(ref.startswith("refs/heads/") for ref in updates(made(name)))


def test_a_conflict_sends_the_job_back_with_the_paths_and_frees_the_lease() -> None:
    plan = made("rework conflict")
    assert set(updates(plan)) == {"refs/orch/jobs/fix", "refs/orch/leases/main"}
    job = job_in(plan)
    assert (job.state, job.reason, job.head) == (State.REWORK, "conflicts in a", HEAD)
    assert event_of(plan, "refs/orch/jobs/fix").files == {"paths": b"a\n"}
    assert (lease_in(plan).held, lease_in(plan).candidate) == (False, None)


def test_a_red_gate_notes_the_verdict_and_sends_the_job_back_in_one_push() -> None:
    plan = made("rework red")
    assert set(updates(plan)) == {"refs/orch/jobs/fix", "refs/orch/leases/main", "refs/notes/orch"}
    assert (job_in(plan).state, job_in(plan).reason) == (State.REWORK, "red")
    lease = lease_in(plan)
    assert (lease.held, lease.verdict, lease.gate, lease.tree) == (False, Color.RED, GATE.digest, TREE)
    ((target, line),) = noted(plan).lines
    assert target == TREE and parse_verdicts(line) == [RED]


def test_the_lease_can_be_kept_for_the_next_job() -> None:
    for name in ("rework red and keep", "land and keep"):
        lease = lease_in(made(name))
        assert (lease.held, lease.holder, lease.token) == (True, HELD.record.holder, HELD.record.token)


def test_a_job_whose_attempts_are_used_up_fails_and_says_so() -> None:
    worked = Seen(oid(1), a_job(attempt=3))
    plan, _ = plan_rework(context(max_attempts=3), HELD, worked, FAILED, Notes(base=None), keep=False)
    assert (job_in(plan).state, job_in(plan).reason) == (State.FAILED, "red (attempts used up)")
    plan, _ = plan_rework(context(max_attempts=4), HELD, worked, FAILED, Notes(base=None), keep=False)
    assert job_in(plan).state is State.REWORK


def test_the_longest_reason_still_fits_when_the_attempts_are_used_up() -> None:
    long = replace(FAILED, reason="x" * REASON_LIMIT)
    plan, _ = plan_rework(
        context(max_attempts=1), HELD, Seen(oid(1), a_job(attempt=1)), long, Notes(base=None), keep=False
    )
    reason = job_in(plan).reason
    assert reason is not None and len(reason) == REASON_LIMIT and reason.endswith("x (attempts used up)")


def test_a_red_target_blames_no_job() -> None:
    plan = made("target_red")
    assert set(updates(plan)) == {"refs/orch/leases/main", "refs/notes/orch"}
    assert (lease_in(plan).held, lease_in(plan).reason) == (False, "main is red")


# -- land


def test_a_landing_moves_everything_in_one_push() -> None:
    plan = made("land")
    assert set(updates(plan)) == {
        "refs/heads/main",
        "refs/heads/fix-parser",
        "refs/orch/leases/main",
        "refs/orch/jobs/fix",
        "refs/notes/orch",
    }
    target = updates(plan)["refs/heads/main"]
    assert (target.expected_old, target.new) == (TIP, MOVED)
    branch = updates(plan)["refs/heads/fix-parser"]
    assert (branch.expected_old, branch.new) == (HEAD, MOVED)
    job, lease = job_in(plan), lease_in(plan)
    assert (job.state, job.landed, job.head, job.reason) == (State.DONE, MOVED, HEAD, None)
    assert (lease.held, lease.candidate, lease.tree, lease.verdict) == (False, MOVED, TREE, Color.GREEN)
    assert event_of(plan, "refs/orch/leases/main").keeps == (MOVED,)


def test_a_landing_notes_the_verdict_on_the_tree_and_itself_on_the_commit() -> None:
    (tree, verdict), (commit, landed) = noted(made("land")).lines
    assert (tree, commit) == (TREE, MOVED)
    assert parse_verdicts(verdict) == [GREEN]
    (record,) = parse_landings(landed)
    assert (record.job, record.branch, record.head, record.base, record.gate) == (
        "fix",
        "fix-parser",
        HEAD,
        TIP,
        GATE.digest,
    )


def test_a_head_that_was_up_to_date_lands_without_touching_its_branch() -> None:
    assert "refs/heads/fix-parser" not in updates(made("land as it was"))
    assert "refs/heads/fix-parser" not in updates(made("land and leave the branch"))


def test_a_job_whose_branch_is_the_target_or_that_has_none_moves_the_target_once() -> None:
    for branch in ("main", None):
        plan, _ = plan_land(context(), HELD, Seen(oid(1), a_job(branch=branch)), landing(), NOTES, keep=False)
        assert [ref for ref in updates(plan) if ref.startswith("refs/heads/")] == ["refs/heads/main"]


def test_landing_what_moves_nothing_or_under_another_lease_is_a_fault_of_the_program() -> None:
    with pytest.raises(AssertionError, match="I1"):
        plan_land(context(), HELD, JOB, landing(Candidate(TIP, TREE, TIP)), NOTES, keep=False)
    for lease in (FREE, Seen(oid(1), a_lease(target="release"))):
        with pytest.raises(AssertionError, match="I5"):
            plan_land(context(), lease, JOB, landing(), NOTES, keep=False)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUBMITTED])
def test_only_a_submitted_job_lands(state: State) -> None:
    with pytest.raises(IllegalTransitionError):
        plan_land(context(), HELD, Seen(oid(1), a_job_in(state)), landing(), NOTES, keep=False)
    with pytest.raises(IllegalTransitionError):
        plan_landed_already(context(), Seen(oid(1), a_job_in(state)), TIP, None)


def test_what_was_on_the_target_already_becomes_done_and_moves_nothing() -> None:
    plan = made("landed_already held")
    assert set(updates(plan)) == {"refs/orch/jobs/fix", "refs/orch/leases/main"}
    assert (job_in(plan).state, job_in(plan).landed, lease_in(plan).held) == (State.DONE, TIP, False)
    assert set(updates(made("landed_already"))) == {"refs/orch/jobs/fix"}


# -- gate and settle


def test_a_green_gate_keeps_the_lease_and_moves_the_branch_but_never_the_target() -> None:
    plan = made("gate_green")
    assert "refs/heads/main" not in updates(plan)
    lease, job = lease_in(plan), job_in(plan)
    assert (lease.held, lease.holder, lease.verdict, lease.candidate) == (True, HELD.record.holder, Color.GREEN, MOVED)
    assert (job.state, job.head) == (State.SUBMITTED, MOVED)
    assert event_of(plan, "refs/orch/jobs/fix").keeps == (MOVED,)
    assert (updates(plan)["refs/heads/fix-parser"].expected_old, updates(plan)["refs/heads/fix-parser"].new) == (
        HEAD,
        MOVED,
    )


def test_a_green_gate_on_an_up_to_date_head_pushes_no_branch_and_no_job() -> None:
    assert set(updates(made("gate_green as it was"))) == {"refs/orch/leases/main", "refs/notes/orch"}


def test_settling_records_what_others_merged_and_frees_the_lease() -> None:
    plan = made("settle")
    assert "refs/heads/main" not in updates(plan)
    assert (job_in(plan).state, job_in(plan).landed, lease_in(plan).held) == (State.DONE, oid(0x88), False)
    commits = [target for target, line in noted(plan).lines if parse_landings(line)]
    assert commits == [oid(0x88)]


def test_nothing_to_note_writes_no_notes() -> None:
    assert planning.notes_update(context(), Notes(base=NOTED)) == ()


def test_the_longest_title_can_be_published() -> None:
    plan = plan_submit(context(), submission(title="\N{SNOWMAN}" * TITLE_LIMIT))
    assert job_in(plan, "new").title == "\N{SNOWMAN}" * TITLE_LIMIT


def test_other_namespaces_hold_everything_but_the_branches() -> None:
    there = replace(context(), namespace=Namespace("refs/heads/orch"))
    plan, _ = plan_land(there, HELD, JOB, landing(), NOTES, keep=False)
    assert set(updates(plan)) == {
        "refs/heads/main",
        "refs/heads/fix-parser",
        "refs/heads/orch/leases/main",
        "refs/heads/orch/jobs/fix",
        "refs/heads/orch/notes",
    }
