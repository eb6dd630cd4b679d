"""`git orch why`: why a job or branch is where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Snapshot


def run(
    job: Annotated[str, typer.Argument(metavar="JOB|BRANCH", help=JOB_HELP, show_default=False)],
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Say why a job or branch is where it is, and what to do next.

    Landing rebases, so `git branch --merged` does not know a landed branch: this does. Archived jobs are found too.
    """
    from gitorch.core.text import escape
    from gitorch.engine.looking import look
    from gitorch.engine.lookup import find_any
    from gitorch.render import job_json
    from gitorch.render_why import why, why_json

    with opened(remote=remote, target=target) as here:
        snapshot = here.world.store.observe({here.session.target, job})
        try:
            found = find_any(here.world, snapshot, job).record
        except UsageError as unknown:
            return _branch_without_job(here, snapshot, job, unknown)
        seen = look(here.world, snapshot, slots=slots_limit(here, found.target, snapshot))
        answer = why(seen, found)
        data = job_json(found, seen.states, missing_holds=seen.missing_holds) | why_json(seen, found)
        return Answer(data=data, text=f"{found.id} ({escape(found.title)}): {answer.reason}", hint=answer.hint)


def slots_limit(here: Opened, target: str, snapshot: Snapshot) -> int:
    """orch.maxConcurrency as it is for a target; 0 where that cannot be read: nobody must be kept from looking."""
    from gitorch.core.errors import OrchError

    try:
        return here.world.policy.settings(target, snapshot.heads.get(target)).max_concurrency
    except OrchError:
        return 0


def _branch_without_job(here: Opened, snapshot: Snapshot, branch: str, unknown: UsageError) -> Answer:
    """No job is known, but git may know the answer: the branch is on the target, or was never submitted."""
    from gitorch.core.names import is_branch_name
    from gitorch.core.text import typed

    target = here.session.target
    tip = snapshot.tip(target)
    head = (here.world.history.local_branch(branch) if is_branch_name(branch) else None) or snapshot.tip(branch)
    if head is None or tip is None:
        raise unknown
    data = {"branch": branch, "head": head, "target": target}
    if here.world.history.is_ancestor(head, tip):
        return Answer(data=data | {"why": "landed"}, text=f"{branch} is on {target}")
    return Answer(
        data=data | {"why": "not submitted"},
        text=f"{branch} is not on {target}, and no job is open for it",
        hint=f"git orch submit {typed(branch)}",
    )
