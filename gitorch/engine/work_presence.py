"""The sign of life of one worker: a ref of its own that moves while it lives, for all its claims at once."""

from __future__ import annotations

from gitorch.core.errors import RefusedError
from gitorch.core.lease import renewal_due_s
from gitorch.core.model import Seen, Worker
from gitorch.core.plan_queue import plan_presence
from gitorch.core.writes import OutcomeKind
from gitorch.engine.exchange import MAX_ROUNDS, pause, publish, too_busy
from gitorch.engine.world import World

BEATS_A_CHAIN = 200
"""After so many beats a new chain replaces the old one: each clone would keep all of a long life otherwise."""

TIMEOUT_S = 60.0


class Presence:
    """The presence of one worker, as this process wrote it last."""

    def __init__(self, world: World, worker: str, capacity: int, ttl_s: int) -> None:
        self._world = world
        self._worker = worker
        self._capacity = capacity
        self._ttl_s = ttl_s
        self._since_ms = world.clock.now_ms()
        self._seen: Seen[Worker] | None = None
        self._beats = 0
        self._may_replace = True
        self._confirmed_s = world.clock.boot_s()
        self._due_s = self._confirmed_s

    @property
    def due_in_s(self) -> float:
        """How long until the next sign of life should be given."""
        return max(0.0, self._due_s - self._world.clock.boot_s())

    @property
    def silent(self) -> bool:
        """Whether so much time has passed since the last sign of life that was surely given that others may have taken
        the claims: the network was down, or this process stood still."""
        return self._seen is not None and self._world.clock.boot_s() - self._confirmed_s >= self._ttl_s

    def beat(self) -> None:
        """Give a sign of life. Raises UnreachableError; then it is tried again soon."""
        # Before anything is sent: a beat that fails must not be tried in a tight loop.
        self._due_s = self._world.clock.boot_s() + renewal_due_s(self._ttl_s) / 4
        self._write("start" if self._seen is None else "beat", present=True)
        self._due_s = self._confirmed_s + renewal_due_s(self._ttl_s)
        self._beats += 1

    def leave(self) -> None:
        """Say that this worker is gone. Raises UnreachableError."""
        if self._seen is not None:
            self._write("leave", present=False)

    def _write(self, event: str, *, present: bool) -> None:
        detail = ""
        for _ in range(MAX_ROUNDS):
            started_s = self._world.clock.boot_s()
            anew = event == "beat" and self._may_replace and self._beats % BEATS_A_CHAIN == BEATS_A_CHAIN - 1
            context = self._world.context()
            plan, worker = plan_presence(context, self._seen, self._record(present), event, anew=anew)
            timeout_s = max(2.0, min(TIMEOUT_S, self._ttl_s / 3))
            try:
                outcome = publish(self._world, plan, timeout_s=timeout_s)
            except RefusedError:
                if not anew:
                    raise
                # This remote wants each event on top of the one before.
                self._may_replace = False
                continue
            if outcome.kind is OutcomeKind.PUBLISHED:
                oid = outcome.oids[self._world.namespace.worker(self._worker)]
                assert oid is not None
                self._seen, self._confirmed_s = Seen(oid, worker), started_s
                return
            detail = outcome.detail
            self._look_again()
            pause(self._world)
        raise too_busy(detail)

    def _look_again(self) -> None:
        """A push of ours may have arrived although its answer did not, and whoever took us for dead may have dropped
        the ref."""
        self._seen = self._world.store.observe().workers.get(self._worker)

    def _record(self, present: bool) -> Worker:
        return Worker(
            id=self._worker,
            holder=self._world.holder,
            present=present,
            capacity=self._capacity,
            ttl_s=self._ttl_s,
            since_ms=self._since_ms,
            updated_ms=self._world.clock.now_ms(),
        )
