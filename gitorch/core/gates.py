"""Gates: what must pass, one run of it, and how that ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gitorch.core.model import JobId, Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must pass on a candidate: shell commands, run in order. `origin` says where they were defined.
    `keep_ignored` leaves ignored files of earlier gates in the worktree."""

    commands: tuple[str, ...]
    digest: Oid
    origin: str
    timeout_s: float = 3600.0
    retries: int = 0
    keep_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """One run of a gate on one tree."""

    gate: Gate
    commit: Oid
    tree: Oid
    target: str
    base: Oid
    job: JobId | None


class GateEnd(Enum):
    """How a gate run ended. STOPPED: we stopped it (the lease was lost, or a signal came); it said nothing about
    the tree."""

    GREEN = "green"
    RED = "red"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate run left. `reason` is one sentence for RED and STOPPED; `log` is the path of the whole output."""

    end: GateEnd
    seconds: float
    reason: str = ""
    tail: bytes = b""
    log: str | None = None
    runs: int = 1
