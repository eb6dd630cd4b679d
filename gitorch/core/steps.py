"""What one event may do to a record: which words exist, from where to where they lead, and which keys each may change.

The same table is in the server's `pre-receive` hook, in shell; the vectors of the tests hold the two together. What
this file does not know: who pushes, what else is in the push (`gitorch.core.admission`), and where commits come from.
Each function answers with what is wrong, in a few words, or with an empty string.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gitorch.core.codec import Decoded
from gitorch.core.lease import LeaseEvent
from gitorch.core.model import GraphEdit, Job, Lease, Slot, State, Worker
from gitorch.core.states import TRANSITIONS, Event

_CLAIM = ("worker", "token", "ttl_s", "kept", "slot")
_LEAVING = (*_CLAIM, "attempt", "reason")

MAY_CHANGE: Mapping[Event, tuple[str, ...]] = {
    Event.EDIT: ("title", "priority", "branch", "run", "lands", "labels", "after"),
    Event.CLAIM: (*_CLAIM, "attempt"),
    Event.RENEW: ("ttl_s",),
    Event.RELEASE: _LEAVING,
    Event.REAP: _LEAVING,
    Event.SUBMIT: (*_CLAIM, "branch", "head", "title", "priority", "after", "reason"),
    Event.CATCH_UP: ("head",),
    Event.CONFLICT: ("reason",),
    Event.RED: ("reason",),
    Event.FAIL: _LEAVING,
    Event.RETRY: ("reason", "attempt"),
    Event.REQUEUE: ("reason",),
    Event.LAND: ("landed", "reason"),
    Event.FINISH: _LEAVING,
    Event.CANCEL: _LEAVING,
}
"""What an event may change in a job beside its state and the time of its last event."""

_ALWAYS = frozenset({"state", "updated_ms", "extra"})


def _changed(before: Any, after: Any) -> frozenset[str]:
    names = (field.name for field in fields(after))
    return frozenset(name for name in names if getattr(before, name) != getattr(after, name))


def job_step(before: Decoded[Job] | None, event: Decoded[Job]) -> str:
    """What is wrong with an event of a job after another one (None: it begins the job)."""
    try:
        word = Event(event.event)
    except ValueError:
        return "nothing of this name can happen to a job"
    state = None if before is None else before.record.state
    after = TRANSITIONS.get((state, word))
    if after is None:
        return "it cannot begin a job" if state is None else f"it cannot happen to a job that is {state.value}"
    if event.record.state not in after:
        return f"it leads to {after[0].value}, not to {event.record.state.value}"
    if before is None:
        return _begun(event.record)
    if event.nonce == before.nonce:
        return "it has the nonce of the event before it"
    return _job_changes(word, before.record, event.record) or _claimed(word, before.record, event.record)


def _begun(job: Job) -> str:
    if job.attempt != 0 or job.landed is not None or job.token is not None or job.slot is not None:
        return "a job begins without attempts, claim and landing"
    return ""


def _job_changes(word: Event, old: Job, new: Job) -> str:
    if new.id != old.id:
        return f"it changes the id from {old.id} to {new.id}"
    wrong = sorted(_changed(old, new) - _ALWAYS - set(MAY_CHANGE[word]))
    return f"it changes the job's {wrong[0].removesuffix('_ms').removesuffix('_s')}" if wrong else ""


def _claimed(word: Event, old: Job, new: Job) -> str:
    """What a claim gives and its end takes, and the count of attempts."""
    if new.state is not State.CLAIMED and (new.token is not None or new.slot is not None):
        return f"it leaves a claim on a job that is {new.state.value}"
    least, most = old.attempt, old.attempt
    if word is Event.CLAIM:
        least = most = old.attempt + 1
    elif word is Event.RETRY:
        least = 0
    elif word in MAY_CHANGE and "attempt" in MAY_CHANGE[word]:
        least = max(0, old.attempt - 1)
    if not least <= new.attempt <= most:
        return f"it counts {new.attempt} attempts after {old.attempt}"
    if word is Event.FINISH and old.lands:
        return "a job whose branch lands is not done by word"
    if word is Event.LAND and new.landed is None:
        return "it names no landed commit"
    return ""


def lease_step(before: Decoded[Lease] | None, event: Decoded[Lease]) -> str:
    """What is wrong with an event of a lease after another one (None: it begins the lease)."""
    try:
        word = LeaseEvent(event.event)
    except ValueError:
        return "nothing of this name can happen to a lease"
    new = event.record
    if not new.held and (new.token is not None or new.holder is not None):
        return "a free lease names no holder"
    if before is None:
        if word is not LeaseEvent.ACQUIRE:
            return "a lease begins with being acquired"
        return "" if new.epoch == 1 and new.held else "the first epoch is 1, and held"
    if event.nonce == before.nonce:
        return "it has the nonce of the event before it"
    if new.target != before.record.target:
        return "it changes the target"
    return _epoch(word, before.record, new) or _hands(word, before.record, new)


def _epoch(word: LeaseEvent, old: Lease, new: Lease) -> str:
    if new.epoch < old.epoch:
        return f"the epoch falls from {old.epoch} to {new.epoch}"
    if word is LeaseEvent.ACQUIRE:
        return "" if new.epoch == old.epoch + 1 else f"it is acquired, and epoch {old.epoch} becomes {new.epoch}"
    return "" if new.epoch == old.epoch else f"the epoch rises from {old.epoch} to {new.epoch} without being acquired"


def _hands(word: LeaseEvent, old: Lease, new: Lease) -> str:
    """Who may hold the lease after an event, and what the event may say of a verdict."""
    if word is LeaseEvent.ACQUIRE:
        return "" if new.held else "it is acquired, and nobody holds it"
    if not old.held:
        return "nobody holds it"
    if word in (LeaseEvent.RELEASE, LeaseEvent.BREAK, LeaseEvent.SETTLE):
        return "it is given up, and still held" if new.held else ""
    if new.held and (new.token, new.holder) != (old.token, old.holder):
        return "it changes hands without being acquired"
    if word in (LeaseEvent.RENEW, LeaseEvent.VERDICT) and not new.held:
        return "it is free, and was not given up"
    if word is LeaseEvent.RENEW and _changed(old, new) & {"verdict", "gate"} and new.verdict is not None:
        return "a renewal brings no verdict"
    return ""


def worker_step(before: Decoded[Worker] | None, event: Decoded[Worker]) -> str:
    """What is wrong with an event of a worker after another one."""
    if event.event not in ("start", "beat", "leave"):
        return "nothing of this name can happen to a worker"
    if event.record.present == (event.event == "leave"):
        return "the worker is not in the state that the event leads to"
    if before is None:
        return ""
    if event.nonce == before.nonce:
        return "it has the nonce of the event before it"
    if event.record.id != before.record.id:
        return "it changes the worker's id"
    return "it changes the worker's holder" if event.record.holder != before.record.holder else ""


def slot_step(before: Decoded[Slot] | None, event: Decoded[Slot]) -> str:
    """What is wrong with an event of a slot after another one."""
    new = event.record
    if event.event not in ("take", "free"):
        return "nothing of this name can happen to a slot"
    if new.held != (event.event == "take"):
        return "the slot is not in the state that the event leads to"
    if not new.held and (new.job is not None or new.token is not None):
        return "a free slot names no job"
    if before is None:
        return "" if event.event == "take" else "a slot begins with being taken"
    if event.nonce == before.nonce:
        return "it has the nonce of the event before it"
    if new.number != before.record.number:
        return "it changes the number"
    return "" if new.held != before.record.held else f"the slot is {'held' if new.held else 'free'} already"


def graph_step(before: Decoded[GraphEdit] | None, event: Decoded[GraphEdit]) -> str:
    """What is wrong with an event of the graph after another one."""
    edits = 0 if before is None else before.record.edits
    if event.event != "edges":
        return "nothing of this name can happen to the graph"
    if before is not None and event.nonce == before.nonce:
        return "it has the nonce of the event before it"
    return "" if event.record.edits == edits + 1 else f"edit {event.record.edits} follows edit {edits}"
