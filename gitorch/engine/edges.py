"""Edges of the dependency graph that come later than their job: read in a way that hides none, checked for cycles.

Every such edit writes the graph's ref, so edits happen one after another. What an edit is decided upon must therefore
hold all edits up to the graph's value that it names. A reader may see half of another's push; so a snapshot counts
only when the graph was at the same event in an observation before it, and when the job that this event names was read
as the event says. By induction that is enough: whoever made an earlier edit has checked the same of those before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from gitorch.core.errors import OrchError
from gitorch.core.graph import closing_path
from gitorch.core.model import JobId, Snapshot
from gitorch.core.states import FINAL
from gitorch.engine.exchange import MAX_ROUNDS, pause, require_readable, too_busy
from gitorch.engine.world import World


class CycleError(OrchError):
    """An edge that would make jobs wait for each other."""

    code: ClassVar[str] = "blocked"

    def __init__(self, path: tuple[JobId, ...]) -> None:
        self.path = path
        shown = [*path[:8], "…", path[-1]] if len(path) > 9 else list(path)
        super().__init__(
            f"that would close a cycle: {' -> '.join(shown)}", hint=f"git orch why {path[0]} (it waits already)"
        )


def settled_snapshot(world: World, branches: Iterable[str] = ()) -> Snapshot:
    """An observation that holds every edge up to the graph's present event. Raises OrchError when others edit all the
    time."""
    wanted = frozenset(branches)
    before = world.store.observe(wanted)
    for _ in range(MAX_ROUNDS):
        now = world.store.observe(wanted)
        require_readable(now, world.namespace.graph, "the dependency graph")
        same = (before.graph and before.graph.oid) == (now.graph and now.graph.oid)
        if same and _agrees(now):
            return now
        before = now
        pause(world)
    raise too_busy("the dependency graph does not come to rest")


def _agrees(snapshot: Snapshot) -> bool:
    """Whether the job of the last edit was read as that edit left it; a finished or archived one cannot change."""
    if snapshot.graph is None:
        return True
    edit = snapshot.graph.record
    seen = snapshot.jobs.get(edit.job)
    return seen is None or seen.record.state in FINAL or seen.record.after == edit.after


def check_no_cycle(snapshot: Snapshot, job: JobId, additions: Iterable[JobId]) -> None:
    """Raises CycleError when `job` waiting for `additions` would close a cycle (I6). A job that waits for itself is
    one."""
    edges = {job_id: seen.record.after for job_id, seen in snapshot.jobs.items() if seen.record.after}
    path = closing_path(edges, job, tuple(additions))
    if path is not None:
        raise CycleError((job, *path))
