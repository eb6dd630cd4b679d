"""`git orch show`: all about a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Job, Seen, Snapshot

BODY_LINES = 100
TAIL_LINES = 30

EXAMPLES = ("git orch show 7k2m9qd", "git orch show fix-parser")


def run(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB|BRANCH...", help=JOB_HELP, show_default=False)],
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Show all about one job or several: its state, why, its commits, and what its last failure left: the paths in
    conflict, or the end of the log. Archived jobs are found too."""
    from gitorch.engine.lookup import find_any

    with opened(remote=remote) as here:
        snapshot = here.world.store.observe()
        found = [find_any(here.world, snapshot, word) for word in jobs]
        shown = [_one(here, snapshot, seen) for seen in found]
        data: dict[str, Any] = shown[0][0] if len(shown) == 1 else {"jobs": [one for one, _ in shown]}
        return Answer(data=data, text="\n".join(text for _, text in shown))


def _one(here: Opened, snapshot: Snapshot, seen: Seen[Job]) -> tuple[dict[str, Any], str]:
    from gitorch.core.plan_queue import BODY
    from gitorch.core.queue import states_of
    from gitorch.core.text import escape, printable_block
    from gitorch.render import job_json, job_text

    states, holds = states_of(snapshot), here.world.missing_holds
    body = printable_block(here.world.store.body(seen.oid))
    files = {name: printable_block(data) for name, data in here.session.store.files(seen.oid).items()}
    archived = seen.record.id not in snapshot.jobs
    text = job_text(seen.record, states, here.world.clock.now_ms())
    text += "archived, as it was when it was finished\n" if archived else ""
    if body:
        lines = body.splitlines()
        more = f"  | … and {len(lines) - BODY_LINES} lines more (--json shows all)\n" if len(lines) > BODY_LINES else ""
        text += "body:\n" + "".join(f"  | {line}\n" for line in lines[:BODY_LINES]) + more
    for name, content in sorted(files.items()):
        if name != BODY:
            text += f"{escape(name)}:\n" + "".join(f"  | {line}\n" for line in content.splitlines()[-TAIL_LINES:])
    data = job_json(seen.record, states, missing_holds=holds)
    return data | {"event": seen.oid, "archived": archived, "body": body, "files": files}, text
