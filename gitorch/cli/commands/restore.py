"""`git orch restore`: publish again what this clone saw last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Quiet, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done; change nothing.")] = False,
    remote: Remote = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> Answer:
    """Publish again what this clone saw last.

    For a remote that was wiped: by `git push --mirror` from some clone, or because refs were deleted by hand. Creates
    the jobs, leases, notes and the archive that are missing, and overwrites nothing. Branches are not touched. It is as
    new as the last look of this clone; another clone may know more, and may run it too. A clone's own `git gc` may
    take away what a restoration needs, two weeks after the remote lost it.
    """
    from gitorch.engine.restore import restore

    with opened(remote=remote, quiet=quiet, bulk=True) as here:
        if here.session.is_self:
            raise UsageError(
                "this repository is its own remote, so there is no copy of its state to restore from",
                hint="git orch status (where the repository was cloned: git orch restore in the clone)",
            )
        store = here.session.store
        report = restore(here.world, store.remembered(), store.complete, dry_run=dry_run)
        if not dry_run and not report.incomplete:
            store.forget_gone()
        data = {"restored": list(report.restored), "incomplete": list(report.incomplete), "dry_run": dry_run}
        return Answer(data=data, text=_text(report.restored, report.incomplete, dry_run))


def _text(restored: Sequence[str], incomplete: Sequence[str], dry_run: bool) -> str:
    from gitorch.core.text import escape

    word = "would be published again" if dry_run else "published again"
    lines = [f"{escape(name)}" for name in restored[:20]]
    lines += [f"and {len(restored) - 20} more"] if len(restored) > 20 else []
    lines.append(f"{len(restored)} refs {word}" if restored else "nothing that this clone has seen is missing")
    lines += [f"{escape(name)} is known by name only: its objects are not here any more" for name in incomplete[:20]]
    return "\n".join(lines)
