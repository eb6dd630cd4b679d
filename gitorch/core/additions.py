"""What a new job may be: the bounds, said in sentences; and jobs as JSON Lines.

Pure: what exists already, and what words name, is asked by `gitorch.engine.add`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from gitorch.core.errors import UsageError
from gitorch.core.model import AFTER_LIMIT, JOB_ID, LABEL, LABEL_LIMIT, PRIORITY_LIMIT, RUN_LIMIT, TITLE_LIMIT, JobId
from gitorch.core.names import is_branch_name
from gitorch.core.text import escape, one_line

BODY_LIMIT = 1024 * 1024
"""Bytes of a description."""

LINE_LIMIT = 2 * BODY_LIMIT + 100_000
"""Characters of one line of JSON: a description may be escaped."""

LINES_LIMIT = 100_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job as somebody described it. `after` are words: ids, unique beginnings, or branches."""

    title: str
    id: str | None = None
    body: str = ""
    priority: int = 0
    branch: str | None = None
    after: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    run: str | None = None
    lands: bool = True
    target: str | None = None


def check(draft: Draft) -> Draft:
    """The draft with its title on one line. Raises UsageError for the first thing that no record could hold."""
    if draft.id is not None:
        check_id(draft.id)
    if not draft.title.strip() or len(draft.title) > TITLE_LIMIT:
        raise _usage(f"a title has 1 to {TITLE_LIMIT} characters, this one has {len(draft.title.strip())}")
    if abs(draft.priority) > PRIORITY_LIMIT:
        raise _usage(f"a priority is a number from -{PRIORITY_LIMIT} to {PRIORITY_LIMIT}")
    for name in (draft.branch, draft.target):
        if name is not None and not is_branch_name(name):
            raise _usage(f"{escape(name[:100])!r} is not the name of a branch")
    if draft.branch is not None and draft.branch == draft.target:
        raise _usage("the branch of a job cannot be the target that it lands on")
    check_run(draft.run)
    check_labels(draft.labels)
    check_body(draft.body)
    if len(draft.after) > AFTER_LIMIT:
        raise _usage(f"a job waits for at most {AFTER_LIMIT} others, not for {len(draft.after)}")
    return Draft(**{**_fields(draft), "title": one_line(draft.title, TITLE_LIMIT)})


def check_id(job: str) -> None:
    """Raises UsageError for what is no id, with the one that was probably meant."""
    if JOB_ID.fullmatch(job):
        return
    near = re.sub(r"[^a-z0-9-]+", "-", job.lower()).strip("-")[:64]
    raise UsageError(
        "a job's id is 1 to 64 lower-case letters, digits and dashes, not beginning with a dash",
        hint=f"git orch add TITLE --id {near or 'fix-parser'}",
    )


def check_run(run: str | None) -> None:
    if run is not None and (not run.strip() or len(run) > RUN_LIMIT or _CONTROL.search(run)):
        raise UsageError(
            f"the command of a job is one line of 1 to {RUN_LIMIT} characters",
            hint="git orch add TITLE --run ./script (put more into a script of the repository)",
        )


def check_labels(labels: Sequence[str]) -> None:
    if len(labels) > LABEL_LIMIT:
        raise _usage(f"a job has at most {LABEL_LIMIT} labels")
    for label in labels:
        if not LABEL.fullmatch(label):
            raise UsageError(
                f"{escape(label[:80])!r} is no label: 1 to 64 letters, digits and any of ._/:+-",
                hint="git orch add TITLE --label area/parser",
            )


def check_body(body: str) -> None:
    try:
        size = len(body.encode())
    except UnicodeEncodeError:
        raise _usage("a description is UTF-8 text, this one has half characters") from None
    if size > BODY_LIMIT:
        raise UsageError(
            f"a description has at most {BODY_LIMIT} bytes, this one has {size}",
            hint="git orch add TITLE --body 'see docs/long.md' (put the long part into the repository)",
        )


def _usage(message: str) -> UsageError:
    return UsageError(message, hint="git orch add -h")


def _fields(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in Draft.__slots__}


# -- JSON Lines


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that is refused: its number from 1, the id it would have had, and why."""

    line: int
    id: str | None
    reason: str


_KEYS: Mapping[str, tuple[str, type | tuple[type, ...]]] = {
    "id": ("id", str),
    "title": ("title", str),
    "body": ("body", str),
    "priority": ("priority", int),
    "branch": ("branch", str),
    "after": ("after", list),
    "labels": ("labels", list),
    "run": ("run", str),
    "land": ("lands", bool),
    "target": ("target", str),
}


def parse_lines(text: bytes) -> tuple[dict[int, Draft], list[Refusal]]:
    """The drafts of a file of JSON Lines by their number, and what is refused. Empty lines are passed over."""
    drafts: dict[int, Draft] = {}
    refused: list[Refusal] = []
    owner: dict[str, int] = {}
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        if number > LINES_LIMIT:
            refused.append(Refusal(number, None, f"a file has at most {LINES_LIMIT} lines; split it"))
            break
        try:
            draft = check(_draft(line))
        except UsageError as problem:
            refused.append(Refusal(number, _id_of(line), problem.message))
            continue
        if draft.id is not None and draft.id in owner:
            refused.append(Refusal(number, draft.id, f"line {owner[draft.id]} has the same id"))
            continue
        if draft.id is not None:
            owner[draft.id] = number
        drafts[number] = draft
    return drafts, refused


def _load(line: bytes) -> Any:
    if len(line) > LINE_LIMIT:
        raise _usage(f"the line is longer than {LINE_LIMIT} bytes")
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _usage("the line is not UTF-8") from None
    except RecursionError:
        raise _usage("the line is not JSON that makes sense here: it is nested too deeply") from None
    except ValueError as problem:
        raise _usage(f"the line is not JSON: {str(problem)[:100]}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _draft(line: bytes) -> Draft:
    found = _load(line)
    if not isinstance(found, dict):
        raise _usage("the line is not a JSON object")
    unknown = sorted(set(found) - set(_KEYS))
    if unknown:
        raise _usage(f"unknown key {escape(str(unknown[0])[:80])!r}; keys are {', '.join(_KEYS)}")
    if "title" not in found:
        raise _usage("it has no title")
    values: dict[str, Any] = {}
    for key, value in found.items():
        attribute, kind = _KEYS[key]
        if value is None and key != "title":
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _usage(f"{key} must be {_NAMES[key]}")
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise _usage(f"{key} must be {_NAMES[key]}")
            value = tuple(dict.fromkeys(value))
        values[attribute] = value
    return Draft(**values)


_NAMES = {
    "id": "a string",
    "title": "a string",
    "body": "a string",
    "priority": "a whole number",
    "branch": "a string",
    "after": "a list of ids",
    "labels": "a list of labels",
    "run": "a string",
    "land": "true or false",
    "target": "a string",
}


def _id_of(line: bytes) -> str | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    job = found.get("id") if isinstance(found, dict) else None
    return escape(job)[:80] if isinstance(job, str) else None


def in_order(after: Mapping[JobId, Iterable[JobId]]) -> tuple[list[JobId], tuple[JobId, ...]]:
    """Ids so that each stands behind what it waits for, and the cycle that makes that impossible (then the list is
    empty)."""
    try:
        return list(TopologicalSorter(after).static_order()), ()
    except CycleError as problem:
        return [], tuple(problem.args[1])
