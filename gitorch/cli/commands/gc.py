"""`git orch gc`: fold finished jobs into the archive."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Quiet, Remote
from gitorch.cli.outcome import Answer


def run(remote: Remote = None, quiet: Quiet = False, as_json: AsJson = False) -> Answer:
    """Fold finished jobs into the archive.

    Every push downloads a line for each ref of the remote, so jobs that are done or cancelled move into one ref, with
    their diary and their commits; `show`, `log`, `why` and dependencies still find them. Refs of workers that are gone
    are dropped. Landing and workers do this in passing, with 20 finished jobs or more.
    """
    from gitorch.engine.gc import collect

    with opened(remote=remote, quiet=quiet, bulk=True) as here:
        report = collect(here.world)
        data = {"folded": report.folded, "workers": report.workers, "pushes": report.pushes, "kept": report.kept}
        return Answer(data=data, text=_text(report.folded, report.workers))


def _text(folded: Sequence[str], workers: Sequence[str]) -> str:
    if not folded and not workers:
        return "nothing is finished that is not in the archive"
    lines = [f"{len(folded)} finished job{'s' * (len(folded) != 1)} archived"] if folded else []
    lines += [f"{len(workers)} worker{'s' * (len(workers) != 1)} no longer there: dropped"] if workers else []
    return "\n".join(lines)
