"""What `release`, `fail` and `done` share: the token, and the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.states import Event


def leave_claim(
    here: Opened,
    word: str,
    event: Event,
    *,
    word_done: str,
    reason: str | None,
    counts: bool = False,
    refund: bool = False,
    force: bool = False,
) -> Answer:
    """End a claim of this worktree (or, with `force`, somebody's) and say what came of it. `counts`: it is a failure,
    and the last one that `orch.maxAttempts` allows ends the job."""
    from gitorch.core.plan_queue import own_token
    from gitorch.core.queue import states_of
    from gitorch.core.text import one_line
    from gitorch.engine.claims import LeaveEnd, leave
    from gitorch.engine.lookup import find_any
    from gitorch.render import job_json

    found = find_any(here.world, here.world.store.observe(), word).record
    token = os.environ.get("ORCH_TOKEN") or own_token(found, here.world.memory.claims().get(found.id, ()))
    why = one_line(reason, 500) if reason else None
    result = leave(
        here.world,
        found.id,
        event,
        token=token,
        reason=why,
        max_attempts=None if counts else 0,
        refund=refund,
        force=force,
    )
    job = result.job
    data = job_json(job, states_of(result.snapshot))
    if result.end is LeaveEnd.DONE:
        return Answer(data=data, text=f"{word_done} {job.id}: {job.title}; it is {job.state.value}")
    return not_yours(job.id, job.worker, lost=result.end is LeaveEnd.LOST, data=data)


def not_yours(job: str, worker: str | None, *, lost: bool, data: dict[str, object] | None = None) -> Answer:
    """The claim that a command needs is somebody else's, or is lost."""
    who = f"{worker} holds it" if worker else "nobody holds it now"
    if lost:
        return Answer(
            data=data,
            code="lost",
            message=f"your claim of job {job} is gone, so nothing was changed: {who}",
            hint=f"git orch why {job}",
        )
    return Answer(
        data=data,
        code="busy",
        message=f"job {job} is not claimed by this worktree: {who}",
        hint=f"git orch why {job} (where it was claimed, or with its token in ORCH_TOKEN, the command works)",
        retryable=True,
    )
