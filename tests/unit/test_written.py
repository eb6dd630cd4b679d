"""What every decision writes, to the last byte: `written.txt` beside this file. A failure here means that a record, an
old value, a parent, a time or a sentence changed; whoever meant that writes the file anew and reads the difference:
ORCH_TEST_WRITE=1 pytest tests/unit/test_written.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gitorch.core.model import REASON_LIMIT, GraphEdit, JobId, Seen, Slot, Snapshot, State, Worker
from gitorch.core.plan import (
    Context,
    Notes,
    Rework,
    plan_acquire,
    plan_gate_green,
    plan_job_event,
    plan_landed_already,
    plan_rework,
    plan_submit,
)
from gitorch.core.plan_queue import (
    Addition,
    Changes,
    Claim,
    Folding,
    graph_update,
    plan_add,
    plan_claim,
    plan_edges,
    plan_edit,
    plan_fold,
    plan_leave,
    plan_presence,
)
from gitorch.core.states import Event
from gitorch.core.writes import ArchiveEntry, ArchiveFold, EventCommit, NotesAppend, Plan, RefUpdate
from tests.records import TIME_MS, a_claimed_job, a_job, oid
from tests.unit.test_plan import CONFLICT, FAILED, HELD, JOB, PLANS, TIP, context, landing, submission

WRITE = bool(os.environ.get("ORCH_TEST_WRITE"))
WRITTEN = Path(__file__).with_name("written.txt")
EXTRA = (("Later", "kept"),)
A, B, C = JobId("a"), JobId("b"), JobId("c")
CLAIMED = Seen(oid(2), a_claimed_job("fix", head=None, token="a" * 40, attempt=2, slot=3, kept=True, reason="was red"))
SLOT = Seen(oid(3), Slot(number=3, held=True, job=JobId("fix"), token="a" * 40, updated_ms=TIME_MS, extra=EXTRA))
OPEN = replace(SLOT, record=replace(SLOT.record, held=False, job=None, token=None))
HERE = Snapshot(slots={3: SLOT})
FULL = Addition(
    id=A,
    title="Do it",
    target="release",
    branch="its",
    priority=7,
    after=(B, C),
    labels=("x", "y"),
    run="make it",
    lands=False,
    body=b"Long.\n",
)
PLAIN = Addition(id=B, title="And that", target="main")
QUEUED = Seen(oid(1), a_job("fix", state=State.QUEUED, head=None, labels=("l",), run="make", reason="old"))
GRAPH = Seen(oid(9), GraphEdit(job=JobId("x"), edits=4, updated_ms=TIME_MS, extra=EXTRA))
WORKER = Worker(id="w", holder="ada", present=True, capacity=2, ttl_s=60, since_ms=TIME_MS, updated_ms=TIME_MS)
TAKE = Claim(worker="w", token="secret", ttl_s=60, kept=True, slot=3)
ENTRY = ArchiveEntry(A, oid(5), "m", "its", ("a line",))
LAST = replace(JOB, record=replace(JOB.record, attempt=2))


def limited(ctx: Context, attempts: int = 2) -> Context:
    return replace(ctx, max_attempts=attempts)


LONG = "x" * (REASON_LIMIT - len(" (attempts used up)") - 1) + " y" * 9
"""A reason that is cut right behind a space."""

QUEUE: dict[str, Callable[[Context], Plan | tuple[Plan, Any]]] = {
    "add one": lambda c: plan_add(c, [PLAIN]),
    "add some": lambda c: plan_add(c, [FULL, PLAIN], (graph_update(c, None, C, (A,)),)),
    "claim": lambda c: plan_claim(c, Snapshot(), QUEUED, replace(TAKE, slot=None, kept=False)),
    "claim with the first slot": lambda c: plan_claim(c, Snapshot(), QUEUED, TAKE),
    "claim with a slot": lambda c: plan_claim(c, Snapshot(slots={3: OPEN}), QUEUED, TAKE),
    "release a claim": lambda c: plan_leave(c, HERE, CLAIMED, Event.RELEASE),
    "release a claim and count nothing": lambda c: plan_leave(c, HERE, CLAIMED, Event.RELEASE, refund=True),
    "release the first attempt": lambda c: plan_leave(
        c, Snapshot(), replace(CLAIMED, record=replace(CLAIMED.record, attempt=0, slot=None)), Event.REAP, refund=True
    ),
    "fail": lambda c: plan_leave(c, HERE, CLAIMED, Event.FAIL, reason="no luck", files={"log": b"oops\n"}),
    "fail for the last time": lambda c: plan_leave(limited(c), HERE, CLAIMED, Event.FAIL, reason=LONG),
    "fail for the only time": lambda c: plan_leave(
        limited(c, 1), HERE, replace(CLAIMED, record=replace(CLAIMED.record, attempt=1)), Event.FAIL, reason="no"
    ),
    "fail once more": lambda c: plan_leave(limited(c, 3), HERE, CLAIMED, Event.FAIL, reason="no luck"),
    "finish the last attempt": lambda c: plan_leave(limited(c), HERE, CLAIMED, Event.FINISH, reason="there"),
    "edit": lambda c: plan_edit(c, QUEUED, Changes(title="New", priority=3, branch="other", run="make all")),
    "edit more": lambda c: plan_edit(c, QUEUED, Changes(lands=False, labels=("m",), body=b"Longer.\n", run="")),
    "edges": lambda c: plan_edges(c, Snapshot(graph=GRAPH), QUEUED, (A, B)),
    "the first edges": lambda c: plan_edges(c, Snapshot(), QUEUED, (A,)),
    "start": lambda c: plan_presence(c, None, WORKER, "start"),
    "beat": lambda c: plan_presence(c, Seen(oid(6), WORKER), WORKER, "beat"),
    "beat anew": lambda c: plan_presence(c, Seen(oid(6), WORKER), WORKER, "beat", anew=True),
    "fold": lambda c: plan_fold(c, Folding(jobs=(ENTRY,), workers=(Seen(oid(6), WORKER),), archive=oid(7))),
    "fold workers": lambda c: plan_fold(c, Folding(workers=(Seen(oid(6), WORKER),))),
    "submit claimed work and free the slot": lambda c: plan_submit(c, submission(job=CLAIMED, after=(A,)), HERE),
    "submit with new edges": lambda c: plan_submit(
        c, submission(job=CLAIMED, branch="other", after=(A,), graph=(graph_update(c, GRAPH, JobId("fix"), (A,)),))
    ),
    "submit a new job with all": lambda c: plan_submit(c, submission(priority=4, after=(A,)), HERE),
    "submit another priority": lambda c: plan_submit(c, submission(job=CLAIMED, priority=-4)),
    "retry with a reason": lambda c: plan_job_event(c, replace(CLAIMED, record=a_job(state=State.FAILED)), Event.RETRY),
    "red for the last time": lambda c: plan_rework(
        limited(c), HELD, LAST, replace(FAILED, reason=LONG, body="Much.\n"), Notes(base=None), keep=False
    ),
    "conflict with a body": lambda c: plan_rework(
        c, HELD, JOB, replace(CONFLICT, body="Much.\n", reason="r"), Notes(base=None), keep=True
    ),
    "red of nobody's gate": lambda c: plan_rework(
        c, HELD, JOB, Rework(event=Event.RED, reason="r", candidate=FAILED.candidate), Notes(base=None), keep=True
    ),
    "gate_green of a branch that may not move": lambda c: plan_gate_green(
        c, HELD, JOB, replace(landing(), move_branch=False), Notes(base=None)
    ),
    "gate_green of the target itself": lambda c: plan_gate_green(
        c, HELD, replace(JOB, record=replace(JOB.record, branch="main")), landing(), Notes(base=None)
    ),
    "gate_green without a branch": lambda c: plan_gate_green(
        c, HELD, replace(JOB, record=replace(JOB.record, branch=None)), landing(), Notes(base=None)
    ),
    "acquire with a reason": lambda c: plan_acquire(
        c, HELD, target="main", holder="bob", token="secret", ttl_s=60, reason="by hand"
    ),
    "there already, and keep": lambda c: plan_landed_already(c, JOB, TIP, HELD, keep=True),
}


def shown(name: str, answer: Plan | tuple[Plan, Any]) -> str:
    """A plan as a person reads it."""
    plan = answer if isinstance(answer, Plan) else answer[0]
    lines = [f"== {name}", f"reason: {plan.reason}", *(line for change in plan.updates for line in update(change))]
    return re.sub("x{50,}", lambda run: f"<{len(run[0])} x>", "\n".join(lines)) + "\n"


def update(change: RefUpdate) -> list[str]:
    old, new = f"{change.name}: {short(change.expected_old)} -> ", change.new
    match new:
        case EventCommit():
            parents = " ".join(map(short, (new.previous, *new.keeps)))
            files = [f"  file {name}: {data!r}" for name, data in new.files.items()]
            text = [f"  | {line}".rstrip() for line in new.message.splitlines()]
            return [f"{old}event at {new.time_ms} on {parents}", *text, *files]
        case NotesAppend():
            text = [f"  | {line}".rstrip() for line in new.subject.splitlines()]
            return [
                f"{old}notes at {new.time_ms} on {short(new.base)}",
                *text,
                *(f"  {short(oid)} + {line}" for oid, line in new.lines),
            ]
        case ArchiveFold():
            text = [f"  | {line}".rstrip() for line in new.message.splitlines()]
            return [
                f"{old}archive at {new.time_ms} on {short(new.base)}",
                *text,
                *(f"  + {each}" for each in new.entries),
            ]
        case _:
            return [old + short(new)]


def short(oid: object) -> str:
    """An id without its zeros."""
    return str(oid).lstrip("0") if oid is not None else "nothing"


def test_what_is_written_is_what_was_written() -> None:
    found = "".join(shown(name, make(context())) + "\n" for name, make in (*PLANS.items(), *QUEUE.items()))
    if WRITE:
        WRITTEN.write_text(found, "utf-8")
    assert found == WRITTEN.read_text("utf-8")


def test_no_plan_shares_a_word_of_chance_with_another() -> None:
    """The same decision with another nonce is another object (what is there already would count as ours)."""
    for name, make in (*PLANS.items(), *QUEUE.items()):
        ones, others = (shown(name, make(context(nonce))) for nonce in ("n1", "n2"))
        assert ones.replace("Nonce: n1", "Nonce: n2") == others
        assert "n1" in ones or name == "fold workers", name
