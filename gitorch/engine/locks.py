"""A server's lock that a killed git has left: told apart from others who are faster.

Both look the same at first, since git says "cannot lock" to whoever comes while another push is being carried out. But
others who are faster change something.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.core.errors import UnreachableError
from gitorch.core.model import Oid
from gitorch.core.writes import Outcome, Plan

LOCK_PATIENCE_S = 5.0
"""Git waits a tenth of a second for a ref's lock and a second for packed refs; hooks may take longer."""

LOCK_TRIES = 5

_Attempt = tuple[str, tuple[tuple[str, Oid | None], ...]]


@dataclass(slots=True)
class LockWatch:
    """The lock that stood in the way last, and since when by `Clock.boot_s`."""

    _attempt: _Attempt | None = None
    _since_s: float = 0.0
    _tries: int = 0

    def note(self, plan: Plan, outcome: Outcome, now_s: float) -> None:
        """Look at a push that a lock has stopped. Raises UnreachableError once the same lock has been there for
        LOCK_PATIENCE_S although none of the push's refs has moved."""
        attempt = (outcome.detail, tuple((update.name, update.expected_old) for update in plan.updates))
        if attempt != self._attempt:
            self._attempt, self._since_s, self._tries = attempt, now_s, 0
        self._tries += 1
        waited_s = now_s - self._since_s
        if self._tries > LOCK_TRIES and waited_s >= LOCK_PATIENCE_S:
            raise UnreachableError(
                f"a lock on the remote has been in the way for {waited_s:.0f} s, and nothing moves ({outcome.detail})",
                hint="a git that was killed there leaves such a file: where no git is at work on the remote, remove "
                "it there, then run the same command again",
            )
