"""The few kinds of failure. Expected outcomes (busy, lost, red, conflict, nothing) are returned values, not these.

An error carries one sentence for people and one hint: the next command to type. It knows nothing about colours or exit
codes; `gitorch.cli.outcome` translates its `code` in one place.
"""

from __future__ import annotations

from typing import ClassVar


class OrchError(Exception):
    """A failure with a sentence and a hint. `code` is the word of the command contract; `retryable` says whether
    the very same command may work later without anything being changed."""

    code: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OrchError):
    """Wrong arguments, an unknown or ambiguous id, an illegal transition: the caller must type something else."""

    code = "usage"


class RefusedError(OrchError):
    """The remote answered and said no: a hook, a permission, a protected branch, a missing capability. `refs` are
    those that it refused by themselves, where it said so."""

    code = "refused"

    def __init__(self, message: str, *, hint: str, refs: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.refs = refs


class UnreachableError(OrchError):
    """The remote cannot be reached, or it is not known whether a push took effect."""

    code = "unreachable"
    retryable = True


class MissingError(OrchError):
    """Objects that a commit needs are not in this clone, so nothing can be built on it here."""

    code = "failed"


class DamagedError(OrchError):
    """A record read from the remote is not what this format allows, or is of a newer format."""

    code = "failed"
