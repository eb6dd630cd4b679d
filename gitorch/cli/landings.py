"""What `land`, `gate` and `land --all` say: results of the engine as JSON, as text, and as an outcome with its hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitorch.cli.outcome import Answer
from gitorch.core.model import JobId, State
from gitorch.core.text import duration, printable_block, typed
from gitorch.engine.land import LandEnd, LandResult
from gitorch.render import job_json, lease_json

_CODES = {
    LandEnd.LANDED: "done",
    LandEnd.ALREADY: "done",
    LandEnd.GREEN: "done",
    LandEnd.BUSY: "busy",
    LandEnd.BLOCKED: "blocked",
    LandEnd.CONFLICT: "conflict",
    LandEnd.RED: "red",
    LandEnd.TARGET_RED: "red",
    LandEnd.LOST: "lost",
    LandEnd.GONE: "usage",
    LandEnd.BROKEN: "failed",
    LandEnd.UNTRUSTED: "refused",
}

TAIL_LINES = 15


def landing_json(result: LandResult, target: str, states: Mapping[JobId, State]) -> dict[str, Any]:
    """The document that scripts rely on: job, base, candidate, landed, gate, lease."""
    candidate, tested = result.candidate, result.tested
    gate = None
    if tested is not None and tested.color is not None:
        gate = {
            "verdict": tested.color.value,
            "cached": tested.cached,
            "seconds": round(tested.seconds, 3),
            "log": tested.log,
        }
    return {
        "job": job_json(result.job, states),
        "outcome": result.end.value,
        "reason": result.reason or None,
        "branch_left": result.left or None,
        "base": candidate.base if candidate else None,
        "candidate": candidate.commit if candidate else None,
        "landed": result.landed,
        "paths": list(result.paths),
        "gate": gate,
        "lease": lease_json(result.lease, target),
    }


def one_landing(result: LandResult, target: str, states: Mapping[JobId, State], onto: str) -> Answer:
    """The answer to landing or gating one job. `onto` is how people name the remote's target (`origin/main`)."""
    data = landing_json(result, target, states)
    code = _CODES[result.end]
    if code == "done":
        return Answer(data=data, text=line_of(result, target), hint=_hint(result, target, onto))
    return Answer(
        data=data,
        text=_details(result),
        code=code,
        message=f"{result.job.id} did not land: {result.reason}",
        hint=_hint(result, target, onto),
        retryable=result.end in (LandEnd.BUSY, LandEnd.LOST, LandEnd.BLOCKED),
        extra={"job": result.job.id, "paths": list(result.paths), "waits_for": list(result.waits_for)},
    )


def line_of(result: LandResult, target: str) -> str:
    """One line about one job, for people."""
    name = f"{result.job.id}: {result.job.title}"
    match result.end:
        case LandEnd.LANDED:
            return (
                f"landed {name}\n  on {target} as {(result.landed or '')[:12]} ({_gate_words(result)}){_left(result)}"
            )
        case LandEnd.ALREADY:
            return f"done {name}\n  {result.reason}" + (f" as {result.landed[:12]}" if result.landed else "")
        case LandEnd.GREEN:
            assert result.candidate is not None
            return (
                f"green {name}\n  {result.candidate.commit[:12]} rebased onto {target}, {_gate_words(result)}; "
                f"the lease of {target} stays held{_left(result)}"
            )
        case _:
            return f"{result.end.value} {name}\n  {result.reason}"


def _left(result: LandResult) -> str:
    return f"\n  {result.job.branch} stays where it is: {result.left}" if result.left else ""


def _gate_words(result: LandResult) -> str:
    tested = result.tested
    if tested is None or tested.ungated:
        return "without a gate"
    if tested.cached:
        return "tree tested green before"
    again = f", {tested.reason}" if tested.reason else ""
    return f"gate green in {duration(tested.seconds)}{again}"


def _details(result: LandResult) -> str:
    """What helps to repair it: the paths in conflict, or the end of the gate's output."""
    if result.paths:
        return "\n".join(f"  {path}" for path in result.paths[:20])
    if result.tested is not None and result.end is LandEnd.RED:
        lines = printable_block(result.tested.tail).splitlines()[-TAIL_LINES:]
        log = [f"  (all of it: {result.tested.log})"] if result.tested.log else []
        return "\n".join([*(f"  | {line}" for line in lines), *log])
    return ""


def _hint(result: LandResult, target: str, onto: str) -> str:
    job, branch = result.job, typed(result.job.branch or "BRANCH")
    match result.end:
        case LandEnd.LANDED | LandEnd.ALREADY:
            return ""
        case LandEnd.GREEN:
            what = f"commit {result.candidate.commit[:12]}" if result.left and result.candidate else branch
            return f"merge {what} now, then git orch settle {job.id} (or git orch land {job.id})"
        case LandEnd.BUSY:
            dead = f", which counts as dead in {duration(result.dead_in_s)} unless it moves" if result.dead_in_s else ""
            return f"git orch land --wait {job.id} waits for the holder{dead}"
        case LandEnd.BLOCKED:
            return f"git orch why {result.waits_for[0] if result.waits_for else job.id}"
        case LandEnd.CONFLICT:
            fetch = "" if onto == target else f" && git fetch {onto.removesuffix('/' + target)}"
            return f"git switch {branch}{fetch} && git rebase {onto}, then git orch submit"
        case LandEnd.RED:
            return f"repair {branch}, then git orch submit (or git orch retry {job.id} if the gate was at fault)"
        case LandEnd.TARGET_RED:
            return f"repair {target} with a branch that makes the gate green, then git orch land {job.id}"
        case LandEnd.LOST:
            return f"git orch land {job.id}"
        case LandEnd.GONE:
            return f"git orch why {job.id}"
        case LandEnd.BROKEN:
            return "git fetch, then git orch doctor"
        case LandEnd.UNTRUSTED:
            return f"git orch log {job.id} --show-signature (who may, and trusts the branch, submits it again)"


def all_landings(results: Sequence[LandResult], target: str, onto: str, *, waited: bool) -> Answer:
    """The answer to `land --all`: each result was shown as it came; the outcome is that of the worst. Who `waited` for
    another lander and then found nothing left has got what it wanted."""
    states: dict[JobId, State] = {}
    data = {"landings": [landing_json(result, target, states) for result in results]}
    landed = sum(1 for result in results if result.end is LandEnd.LANDED)
    already = sum(1 for result in results if result.end is LandEnd.ALREADY)
    if not results and waited:
        return Answer(data=data, text=f"nothing is left to land on {target}")
    if not results:
        return Answer(
            data=data, code="nothing", message=f"nothing is ready to land on {target}", hint="git orch status"
        )
    bad = [result for result in results if _CODES[result.end] != "done"]
    there = f", {already} {'was' if already == 1 else 'were'} there already" if already else ""
    summary = f"{landed} landed{there}" + (f", {len(bad)} did not" if bad else "")
    if not bad:
        return Answer(data=data, text=summary)
    worst = max(bad, key=lambda result: _SEVERITY.index(_CODES[result.end]))
    return Answer(
        data=data,
        code=_CODES[worst.end],
        message=f"{summary}; {worst.job.id}: {worst.reason}",
        hint=_hint(worst, target, onto) if len(bad) == 1 else "git orch list",
        retryable=worst.end in (LandEnd.BUSY, LandEnd.LOST),
    )


_SEVERITY = ("done", "blocked", "usage", "conflict", "red", "failed", "busy", "lost")
