"""A remote that cannot write: told apart from others who are faster.

Both look the same at first. Git says "cannot lock" to whoever comes while another push is being carried out, and
"unable to migrate objects" to whoever comes while the server collects garbage: trying again helps. But a lock that a
killed git has left, or a disk that nobody may write to, stays in the way; and others who are faster change something.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitorch.core.errors import UnreachableError
from gitorch.core.model import Oid
from gitorch.core.writes import Outcome, Plan

PATIENCE_S = 5.0
"""Git waits a tenth of a second for a ref's lock and a second for packed refs; hooks may take longer."""

TRIES = 5

_Attempt = tuple[str, tuple[tuple[str, Oid | None], ...]]


@dataclass(slots=True)
class StuckWatch:
    """The push that the remote could not write last, and since when by `Clock.boot_s`."""

    _attempt: _Attempt | None = None
    _since_s: float = 0.0
    _tries: int = 0

    def note(self, plan: Plan, outcome: Outcome, now_s: float) -> None:
        """Look at a push that nobody was faster than, as its outcome says (`remedy`). Raises UnreachableError once the
        same has been in the way for PATIENCE_S although none of the push's refs has moved."""
        attempt = (outcome.detail, tuple((update.name, update.expected_old) for update in plan.updates))
        if attempt != self._attempt:
            self._attempt, self._since_s, self._tries = attempt, now_s, 0
        self._tries += 1
        waited_s = now_s - self._since_s
        if self._tries > TRIES and waited_s >= PATIENCE_S:
            raise UnreachableError(
                f"the remote has not been able to write for {waited_s:.0f} s, and nothing moves there"
                f" ({outcome.detail})",
                hint=outcome.remedy,
            )
