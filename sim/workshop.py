"""Commands of jobs: each takes its time and leaves commits, or fails, or leaves a mess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitorch.core.model import Oid
from gitorch.ports import WorkEnd, WorkOrder
from sim.clone import Clone
from sim.kernel import Process


@dataclass(slots=True)
class SimWorkplace:
    """Implements ports.Workplace."""

    process: Process
    ends_at_s: float
    end: WorkEnd
    path: str = "/worktree"

    def poll(self) -> WorkEnd | None:
        return self.end if self.process.kernel.now_s >= self.ends_at_s else None

    def stop(self) -> None:
        self.ends_at_s = min(self.ends_at_s, self.process.kernel.now_s)
        self.end = WorkEnd(why="it was stopped", head=self.end.head)

    def leave(self, saved: Oid | None) -> bool:
        del saved
        return True


class SimWorkshop:
    """Implements ports.Workshop. A command knows what the job is for: it builds on what is on the target, so that
    sooner or later everything lands."""

    def __init__(self, clone: Clone, process: Process) -> None:
        self._clone = clone
        self._process = process

    def start(self, order: WorkOrder) -> SimWorkplace:
        random = self._process.kernel.random
        takes_s = random.choice((0.1, 5.0, 60.0, 300.0)) * random.uniform(0.5, 1.5)
        return SimWorkplace(self._process, self._process.kernel.now_s + takes_s, self._work(order))

    def _work(self, order: WorkOrder) -> WorkEnd:
        random = self._process.kernel.random
        luck = random.random() if self._process.kernel.faults.flaky else 1.0
        if luck < 0.06:
            return WorkEnd(why="exit status 1", head=order.start)
        if luck < 0.08:
            return WorkEnd(fault=True, why="there is no room on this disk")
        if luck < 0.10:
            return WorkEnd(head=order.start, changes="notes.txt")
        commits = self._clone.commits
        base = commits.of(order.base)
        bad = "bad" if luck < 0.2 else "good"
        changes: dict[str, str | None] = {f"work-{order.job.id}": f"{bad} attempt-{order.job.attempt}"}
        head = commits.of(order.job.head) if order.job.head is not None else None
        if head is not None and luck > 0.2:
            # Whoever repairs a branch keeps its meaning, on top of the target, without what was wrong with it.
            fork = commits.fork(head, base)
            before = fork.files if fork is not None else {}
            for path, text in sorted(head.files.items()):
                if before.get(path) != text and base.files.get(path) != text:
                    changes[path] = self._repaired(path, text, base.files)
        return WorkEnd(head=commits.make(base, changes, f"Work on {order.job.id}").oid, seconds=1.0)

    def _repaired(self, path: str, text: str, base: object) -> str:
        del base
        words = [word for word in text.split() if word != "bad" and ":" not in word]
        return " ".join([*words, "repaired"]) if path != ".gitorch" else text

    def notices(self) -> Sequence[str]:
        return ()
