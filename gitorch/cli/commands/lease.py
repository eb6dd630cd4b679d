"""Handle the right to move a target.

A target is moved only under its lease. Commands that land take and free it by themselves; these are for scripts
that move a target in another way, and for a person who wants to see or free one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.text import duration

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.engine.leases import LeaseResult

EXITS = ("busy", "lost", "nothing")

TargetName = Annotated[
    str | None,
    typer.Argument(metavar="[TARGET]", help="The target; by default the configured one.", show_default=False),
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for others to read.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while somebody else holds it.")]


def show(target: TargetName = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Say who holds a lease, for which job, since when."""
    from gitorch.engine.exchange import require_readable
    from gitorch.render import lease_json, lease_text

    with opened(remote=remote, target=target) as here:
        name = here.session.target
        snapshot = here.world.store.observe()
        require_readable(snapshot, here.world.namespace.lease(name), f"the lease of {name}")
        seen = snapshot.leases.get(name)
        lease = seen.record if seen else None
        if seen is not None and seen.record.held:
            # Looking is an observation like any other: it may be the one that shows the holder to be dead.
            here.world.memory.unchanged_s(here.world.namespace.lease(name), seen.oid)
        return Answer(data=lease_json(lease, name), text=lease_text(lease, name, here.world.clock.now_ms()))


def acquire(
    target: TargetName = None,
    holder: Annotated[
        str | None, typer.Option("--holder", metavar="TEXT", help="What others see as the holder.")
    ] = None,
    reason: Reason = None,
    wait: Wait = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Take a lease and keep it for one TTL.

    The token that renews and releases it is kept for later commands of this worktree, and given in the JSON
    document: put it into ORCH_TOKEN to use it elsewhere.
    """
    from dataclasses import replace

    from gitorch.core.model import HOLDER_LIMIT
    from gitorch.core.text import one_line
    from gitorch.engine.hold import Hold
    from gitorch.engine.leases import LeaseEnd
    from gitorch.engine.leases import acquire as take

    with opened(remote=remote, target=target) as here:
        name, settings = here.session.target, here.session.settings
        token = _given() or here.world.random.token()
        world = replace(here.world, holder=one_line(holder, HOLDER_LIMIT)) if holder else here.world
        pause_s = 0.2
        while True:
            hold = Hold(world, name, command="acquire", token=token)
            result = take(world, hold, one_line(reason, 500) if reason else None)
            if result.end is not LeaseEnd.BUSY or not wait:
                return _answer(here, result, "took", token=token)
            world.clock.sleep(min(pause_s, float(settings.poll_interval_s), max(0.05, result.dead_in_s)))
            pause_s *= 1.5


def renew(target: TargetName = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Keep a lease for one more TTL."""
    from gitorch.engine.leases import renew as again

    with opened(remote=remote, target=target) as here:
        return _answer(here, again(here.world, here.session.target, _given()), "renewed")


def release(target: TargetName = None, reason: Reason = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Give a lease back."""
    from gitorch.core.text import one_line
    from gitorch.engine.leases import release as give

    with opened(remote=remote, target=target) as here:
        why = one_line(reason, 500) if reason else None
        return _answer(here, give(here.world, here.session.target, _given(), why), "released")


def break_(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for its holder to read.")],
    target: TargetName = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Free a lease that somebody else holds.

    Nobody has to do this for a dead holder: its lease runs out. A holder that lives is fenced: it notices at its
    next push and can change nothing any more. Who broke the lease and why stays in its diary.
    """
    from gitorch.core.text import one_line
    from gitorch.engine.leases import break_lease

    with opened(remote=remote, target=target) as here:
        why = one_line(f"broken by {here.world.holder}: {reason}", 500)
        return _answer(here, break_lease(here.world, here.session.target, why), "broke")


SUBCOMMANDS = {"show": show, "acquire": acquire, "renew": renew, "release": release, "break": break_}


def _given() -> str | None:
    """The token that the user names, instead of those that the worktree keeps."""
    return os.environ.get("ORCH_TOKEN") or None


def _answer(here: Opened, result: LeaseResult, word: str, token: str | None = None) -> Answer:
    from gitorch.engine.leases import LeaseEnd
    from gitorch.render import lease_json, lease_text

    name = here.session.target
    data = lease_json(result.lease, name)
    state = lease_text(result.lease, name, here.world.clock.now_ms())
    match result.end:
        case LeaseEnd.DONE:
            hint = f"git orch lease release {name}" if token else ""
            return Answer(
                data=data | ({"token": token} if token else {}), text=f"{word} the lease of {state}", hint=hint
            )
        case LeaseEnd.BUSY:
            return Answer(
                data=data,
                code="busy",
                message=f"the lease is taken; {state}",
                hint=f"git orch lease acquire {name} --wait (it counts as dead in {duration(result.dead_in_s)}"
                " unless it moves)",
                retryable=True,
            )
        case LeaseEnd.LOST:
            return Answer(
                data=data,
                code="lost",
                message=f"the lease is not yours any more; {state}",
                hint=f"git orch lease show {name}",
            )
        case _:
            return Answer(
                data=data,
                code="nothing",
                message=f"nobody holds the lease of {name}",
                hint=f"git orch lease acquire {name}",
            )
