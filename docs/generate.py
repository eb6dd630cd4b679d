"""Writes the pages of this folder that follow from the code: `make docs`. A test checks that they are current."""

from __future__ import annotations

from pathlib import Path

from gitorch.core.model import State
from gitorch.core.states import FINAL, TRANSITIONS, Event, diagram

MEANING = {
    Event.ADD: "somebody describes work; nobody does it yet",
    Event.EDIT: "title, priority or dependencies change",
    Event.CLAIM: "one worker takes the job; everybody else learns who",
    Event.RENEW: "the worker shows that it still works on it",
    Event.RELEASE: "the worker gives the job back unfinished",
    Event.REAP: "the worker was silent for too long, or the target is gone; somebody else gives the job back",
    Event.SUBMIT: "a finished head is handed in; handing in again replaces it",
    Event.CATCH_UP: "the head was rebased onto the target and tested, and waits for other hands to merge it",
    Event.CONFLICT: "the head cannot be rebased onto the target",
    Event.RED: "the gate failed on the rebased head",
    Event.FAIL: "the worker says that it cannot do it",
    Event.RETRY: "somebody wants it tried again as it is",
    Event.REQUEUE: "somebody wants a job without a head tried again",
    Event.LAND: "the target moved to the tested tree, or had the work already",
    Event.FINISH: "the worker says that it is done, for work without a branch",
    Event.CANCEL: "nobody wants it any more",
}

STATE_MEANING = {
    State.QUEUED: "waits for a worker",
    State.CLAIMED: "one worker has it",
    State.SUBMITTED: "has a head that waits to land",
    State.REWORK: "its head conflicted or was red; somebody has to change it",
    State.FAILED: "its attempts are used up; it waits for a decision",
    State.DONE: "its work is on the target, or there was nothing to land",
    State.CANCELLED: "given up",
}

PAGE = """# The life of a job

Generated from the transition table in `gitorch/core/states.py` by `make docs`; edit that table, not this page. The
table is the machine: a pair of state and event that is not in it cannot happen, and asking for it is a usage error.
Events that leave the state as it is are not drawn.

```mermaid
{diagram}```

| state | meaning |
|---|---|
{states}

*Ready*, *waiting* and *blocked* are not states: they say what the job's dependencies allow now, and are derived.

| event | meaning | from | to |
|---|---|---|---|
{events}
"""


def states_page() -> str:
    """The whole text of states.md."""
    states = "\n".join(
        f"| `{state.value}` | {STATE_MEANING[state]}{' (final)' if state in FINAL else ''} |" for state in State
    )
    events = "\n".join(_rows(event) for event in Event)
    return PAGE.format(diagram=diagram(), states=states, events=events)


def _rows(event: Event) -> str:
    """One row for each state that the event leads to."""
    sources: dict[str, list[str]] = {}
    ways = [(before, *after) for (before, happening), after in TRANSITIONS.items() if happening is event]
    stays = all(before is after for before, after, _ in ways)
    for before, after, exhausted in ways:
        to = "the same"
        if not stays:
            to = f"`{after.value}`" + ("" if exhausted is after else f", or `{exhausted.value}` (attempts used up)")
        sources.setdefault(to, []).append("(new)" if before is None else f"`{before.value}`")
    return "\n".join(
        f"| `{event.value}` | {MEANING[event]} | {', '.join(states)} | {to} |" for to, states in sources.items()
    )


if __name__ == "__main__":
    Path(__file__).with_name("states.md").write_text(states_page(), encoding="utf-8")
