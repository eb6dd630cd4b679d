"""`git orch add`: describe work that somebody is to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened

_DROPPED_BLOCKS = 100

EXITS = ("blocked",)
EXAMPLES = (
    "git orch add 'Fix the parser' --id fix-parser --priority 5",
    "git orch add 'Use it' --after fix-parser --body - < description",
    "git orch add --from jobs.jsonl       a JSON object a line, docs/queue.md says which keys",
)


def run(
    title: Annotated[str | None, typer.Argument(metavar="[TITLE]", help="One line.", show_default=False)] = None,
    new_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The id of the new job.")] = None,
    body: Annotated[str | None, typer.Option("--body", metavar="TEXT|-", help="The description; - reads it.")] = None,
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="JOB", help="Wait until this job is done; may be repeated.")
    ] = None,
    priority: Annotated[int, typer.Option("--priority", metavar="N", help="Higher is taken first.")] = 0,
    branch: Annotated[str | None, typer.Option("--branch", metavar="B", help="The branch to work on.")] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", metavar="L", help="May be repeated.")] = None,
    command: Annotated[str | None, typer.Option("--run", metavar="CMD", help="What a worker is to run for it.")] = None,
    no_land: Annotated[bool, typer.Option("--no-land", help="Nothing lands: its worker says when it is done.")] = False,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE|-", help="Read JSON Lines, a job a line.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="With --from: add the good lines of a bad file.")] = False,
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Describe work that somebody is to do: a person with `git orch claim`, or a worker.

    With --from, thousands of jobs are made in few pushes: all of them, or none and a list of what is wrong with which
    line; with --partial, the good ones. They may wait for each other in any order of lines.
    """
    from gitorch.core.additions import Draft

    if (title is None) == (source is None):
        raise UsageError("add takes a TITLE, or --from FILE", hint="git orch add 'Fix the parser'")
    if source is not None:
        with opened(remote=remote, target=target, bulk=True) as here:
            return _many(here, source, partial)
    draft = Draft(
        title=title or "",
        id=new_id,
        body=read_text(body),
        priority=priority,
        branch=branch,
        after=tuple(after or ()),
        labels=tuple(dict.fromkeys(labels or ())),
        run=command,
        lands=not no_land,
    )
    with opened(remote=remote, target=target) as here:
        return _one(here, draft)


def read_text(body: str | None) -> str:
    """A description: as given, or what stands on standard input for `-`. Raises UsageError for what is too much."""
    from gitorch.core.additions import BODY_LIMIT, check_body

    if body != "-":
        return body or ""
    data = sys.stdin.buffer.read(BODY_LIMIT + 1)
    # The rest is read and dropped, within reason: whoever writes it should not die of a closed pipe.
    for _ in range(_DROPPED_BLOCKS if len(data) > BODY_LIMIT else 0):
        if not sys.stdin.buffer.read(1 << 20):
            break
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        if len(data) > BODY_LIMIT:
            text = "x" * len(data)
        else:
            raise UsageError("a description is UTF-8 text, and this is not", hint="git orch add -h") from None
    check_body(text)
    return text


def _one(here: Opened, draft: object) -> Answer:
    from gitorch.core.additions import Draft
    from gitorch.core.model import Derived
    from gitorch.core.queue import derived
    from gitorch.engine.add import add
    from gitorch.render import job_json, state_word

    assert isinstance(draft, Draft)
    job, states = add(here.world, draft, here.session.target)
    waits = f", after {', '.join(job.after[:10])}" if job.after else ""
    return Answer(
        data=job_json(job, states),
        text=f"added {job.id}: {job.title}\n  {state_word(job, states)}{waits}",
        hint=f"git orch claim {job.id} (or git orch work -- COMMAND, for all that is ready)"
        if derived(job, states) is Derived.READY
        else f"git orch why {job.id}",
    )


def _many(here: Opened, source: str, partial: bool) -> Answer:
    from gitorch.core.additions import LINE_LIMIT, parse_lines
    from gitorch.engine.add import add_many

    text = _read(source, 64 * LINE_LIMIT)
    drafts, refused = parse_lines(text)
    if not drafts and not refused:
        raise UsageError("there is no line in it", hint='echo \'{"title": "Fix the parser"}\' | git orch add --from -')
    result = add_many(here.world, drafts, refused, here.session.target, partial=partial)
    data = {
        "added": [job.id for job in result.added],
        "there": list(result.there),
        "refused": [{"line": r.line, "id": r.id, "reason": r.reason} for r in result.refused],
    }
    there = f", {len(result.there)} there already" if result.there else ""
    summary = f"{len(result.added)} added{there}"
    if not result.refused:
        return Answer(data=data, text=summary, hint="git orch status")
    lines = [f"line {r.line}{f' ({r.id})' if r.id else ''}: {r.reason}" for r in result.refused]
    more = [f"and {len(lines) - 50} more"] if len(lines) > 50 else []
    return Answer(
        data=data,
        text="\n".join([*lines[:50], *more]),
        code="usage",
        message=f"{summary}, {len(result.refused)} refused",
        hint="repair these lines and run it again"
        + ("" if partial else " (or add --partial, which adds the good ones)"),
        extra={"refused": data["refused"]},
    )


def _read(source: str, limit: int) -> bytes:
    """A file, or standard input. Raises UsageError for what cannot be read or is too large."""
    try:
        if source == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(source, "rb") as file:  # noqa: PTH123
                data = file.read(limit + 1)
    except OSError as problem:
        raise UsageError(f"{source} cannot be read: {problem.strerror}", hint="git orch add --from FILE") from None
    if len(data) > limit:
        raise UsageError(f"{source} is larger than {limit} bytes", hint="split it, and add one part after another")
    return data
