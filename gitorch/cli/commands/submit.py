"""`git orch submit`: hand in a finished branch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Job
    from gitorch.engine.submit import SubmitResult

EXITS = ("busy", "lost")
EXAMPLES = (
    "git orch submit                        the branch that is checked out",
    "git orch submit fix-parser --after 7k2m9qd",
    "git orch submit fix-parser --job 7k2m9qd",
)


def run(
    branch: Annotated[
        str | None,
        typer.Argument(metavar="[BRANCH]", help="A branch of this clone, else of the remote.", show_default=False),
    ] = None,
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Continue this job.")] = None,
    new_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The id of the new job.")] = None,
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="ID", help="Wait until this job is done; may be repeated.")
    ] = None,
    priority: Annotated[int | None, typer.Option("--priority", metavar="N", help="Higher lands first.")] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Instead of the last commit's.")] = None,
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Hand in a finished branch for landing.

    The branch is pushed if it is a local one, and its head is pinned: what you push to it later changes nothing
    until you submit again. Submitting again replaces the head of the same job. Without BRANCH, the branch that is
    checked out is submitted. Commits may name what they wait for in trailers: `Depends-on: ID`.
    """
    from gitorch.engine.submit import SubmitWish, submit

    with opened(remote=remote, target=target) as here:
        wish = SubmitWish(
            branch=branch if branch is not None else _current_branch(here),
            target=here.session.target,
            title=title,
            job=job or (os.environ.get("ORCH_JOB") if branch is None and new_id is None else None),
            new_id=new_id,
            priority=priority,
            after=tuple(after or ()),
            remote=here.session.remote,
            is_self=here.session.is_self,
            token=os.environ.get("ORCH_TOKEN") if os.environ.get("ORCH_JOB") and new_id is None else None,
            spare_token=os.environ.get("ORCH_TOKEN"),
        )
        return _answer(here, wish.target, submit(here.world, wish))


def _current_branch(here: Opened) -> str:
    from gitorch.shell.repository import current_branch

    found = current_branch(here.session.repository.git)
    if found is None:
        raise UsageError(
            "no branch is checked out here (HEAD is detached), so there is nothing to submit",
            hint="git switch -c my-branch, then git orch submit",
        )
    return found


def _answer(here: Opened, target: str, result: SubmitResult) -> Answer:
    from gitorch.core.model import State
    from gitorch.engine.submit import SubmitEnd
    from gitorch.render import job_json

    if result.job is None:
        text = f"{result.head[:12]} is on {target} already: there is nothing to land"
        return Answer(
            data={"id": None, "state": State.DONE.value, "target": target, "landed": result.landed}, text=text
        )
    job = result.job
    data = job_json(job, result.states) | {"outcome": result.end.value}
    if result.end in (SubmitEnd.LOST, SubmitEnd.BUSY):
        from gitorch.cli.leaving import not_yours

        return not_yours(job.id, job.worker, lost=result.end is SubmitEnd.LOST, data=data)
    if result.end is SubmitEnd.ALREADY:
        return Answer(data=data, text=f"{job.id} landed on {target} already, as {job.landed}")
    if result.end is SubmitEnd.UNCHANGED:
        return Answer(
            data=data, text=f"{job.id} is submitted already, at this very head", hint=f"git orch land {_name(job)}"
        )
    replaced = f" (instead of {result.replaced[:12]})" if result.replaced else ""
    waits = f", after {', '.join(job.after)}" if job.after else ""
    text = f"submitted {job.id}: {job.title}\n  {job.branch} at {result.head[:12]}{replaced} for {target}{waits}"
    return Answer(data=data, text=text, hint=f"git orch land {_name(job)}")


def _name(job: Job) -> str:
    """The easier of a job's two names: its branch, where that can be pasted into a shell."""
    from gitorch.core.text import typed

    return job.branch if job.branch and typed(job.branch) == job.branch else job.id
