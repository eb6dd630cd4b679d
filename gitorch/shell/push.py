"""Reads what `git push --porcelain` said and tells the three outcomes apart.

Flags are the interface, reasons are not: their texts changed between git versions. Only refusals that a retry
cannot cure are recognised by text, and what is not recognised counts as a conflict, which is observed again and
tried a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitorch.core.errors import OrchError, RefusedError, UnreachableError
from gitorch.core.text import escape
from gitorch.core.writes import OutcomeKind
from gitorch.shell.gitcmd import GitResult

_LINE = re.compile(rb"^([ +\-*!=])\t([^\t]*):([^\t:]*)\t(.*)$")
_LOST = re.compile(
    r"stale info|atomic|cannot lock|failed to update ref|incorrect old value|already exists|does not exist"
    r"|refname conflict|failed to lock|reference|unable to migrate objects|deleting a non-existent"
)
# Why a ref could not be written although nobody was faster: trying again changes nothing.
_STUCK = re.compile(
    r"cannot lock ref .*(?:File name too long|; cannot create|Permission denied|Read-only file system|No space left)"
)
# Our own hook looks at the old values before git locks the refs: a race that is lost there is no refusal.
_LATE = re.compile(r"^remote: git orch refuses .*\[stale\]\s*$", re.MULTILINE)
_DONE = frozenset(" +*-")
_UNPACK = "remote unpack failed: "
_MIGRATION = "unable to migrate objects"
_DISK = "look at the disk and the permissions of the remote, then `git orch doctor`"
_HINTS = (
    (
        ("Working directory has", "updateInstead", "Could not update working tree", "Up-to-date check failed"),
        "commit or stash what `git status` shows in the checkout of the target, then try again",
    ),
    (("hook declined",), "read what the remote's hook said above; `git orch doctor` shows what the remote accepts"),
    (
        ("non-fast-forward",),
        "the remote forbids rewriting branches: git switch -c NEW-NAME, then git orch submit",
    ),
    (("hidden ref",), "on the server: git config --get-all transfer.hideRefs (what git orch writes must be visible)"),
    (("unpacker error",), _DISK),
)
_ATOMIC_FOLLOWER = re.compile(r"atomic (push|transaction) fail|transaction aborted")
_DENIED = re.compile(
    r"error: 40[13]\b|\bdenied\b|service not enabled|not authori[sz]ed|not allowed to|authentication failed"
    r"|could not read (username|password)|pack exceeds|unpack(er)? (error|failed)|unable to create temporary|read-only",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RefStatus:
    """One line of the porcelain output."""

    flag: str
    name: str
    summary: str


def parse_porcelain(out: bytes) -> list[RefStatus]:
    """The status of each ref, in git's order; other lines are skipped."""
    found = (_LINE.match(line) for line in out.splitlines())
    return [
        RefStatus(m[1].decode(), m[3].decode("utf-8", "surrogateescape"), m[4].decode("utf-8", "replace"))
        for m in found
        if m
    ]


def judge_push(result: GitResult, names: Sequence[str], events: frozenset[str]) -> tuple[OutcomeKind, str]:
    """What a push of `names` did, and a line of detail. `events` are the refs whose new value carries a nonce.
    Raises RefusedError or UnreachableError, see the port."""
    rows = parse_porcelain(result.out)
    statuses = {status.name: status for status in rows}
    if len(rows) > len(statuses) and len({(row.name, _outcome(row.flag)) for row in rows}) > len(statuses):
        # One remote, several URLs: what holds is what the first of them has, from which we fetch.
        return OutcomeKind.UNKNOWN, "the remote is pushed to several places, and they did not answer the same"
    rejected = [status for status in statuses.values() if status.flag == "!"]
    accepted = [status for status in statuses.values() if status.flag in _DONE]
    if rejected and accepted:
        raise _torn(rejected, accepted)
    if rejected:
        return _judge_rejection(rejected, result)
    if set(statuses) >= set(names):
        return _judge_accepted(statuses, events, result)
    return _judge_silence(result)


def _outcome(flag: str) -> str:
    """What a flag says about a ref, without how its value changed."""
    return "done" if flag in _DONE else flag


def _torn(rejected: list[RefStatus], accepted: list[RefStatus]) -> RefusedError:
    """A ref that a server hides is refused by itself, and the rest of the "atomic" push goes through."""
    refused = ", ".join(f"{status.name}: {_reason(status.summary)}" for status in rejected[:3])
    taken = ", ".join(status.name for status in accepted[:3])
    return RefusedError(
        escape(f"the remote carried out a part of an all-or-nothing push: it took {taken} and refused {refused}"),
        hint="on the server: git config --get-all receive.hideRefs (what git orch writes must not be hidden)",
    )


def _judge_accepted(
    statuses: dict[str, RefStatus], events: frozenset[str], result: GitResult
) -> tuple[OutcomeKind, str]:
    same = [name for name, status in statuses.items() if status.flag == "="]
    if same and set(same) == set(statuses):
        # Git looked at the identical object before it looked at our guard: whoever put it there won, not we.
        return OutcomeKind.CONFLICT, "everything was there already"
    if any(name in events for name in same):
        return OutcomeKind.UNKNOWN, "an event of ours was there already"
    return OutcomeKind.PUBLISHED, ""


def _judge_rejection(rejected: list[RefStatus], result: GitResult) -> tuple[OutcomeKind, str]:
    leaders = [status for status in rejected if not _ATOMIC_FOLLOWER.search(status.summary)] or rejected
    reasons = "; ".join(sorted({_reason(status.summary) for status in leaders}))
    if "remote failed to report status" in reasons or "remote failure" in reasons:
        return OutcomeKind.UNKNOWN, reasons
    lost = [status for status in leaders if _LOST.search(_reason(status.summary))]
    said = result.error_text()
    if len(lost) == len(leaders) and "Working directory has" not in said and not _STUCK.search(said):
        return OutcomeKind.CONFLICT, _lock_trouble(said) or reasons
    if _LATE.search(said):
        return OutcomeKind.CONFLICT, "somebody else was faster"
    refs = tuple(status.name for status in leaders)
    raise RefusedError(_refusal(leaders, said), hint=_refusal_hint(reasons + said), refs=refs)


def _lock_trouble(said: str) -> str | None:
    """What the server said about what it could not lock: one ref, or for a deletion all packed ones."""
    line = next((line for line in said.splitlines() if "cannot lock ref" in line or remedy(line)), None)
    return None if line is None else escape(line.removeprefix("remote: ").strip())


def remedy(detail: str) -> str:
    """What to do about a lost push that nobody was faster than, as judge_push tells of it, if that stays so; empty for
    a lost race."""
    if ".lock'" in detail and "File exists" in detail:
        return (
            "a git that was killed there leaves such a file: where no git is at work on the remote, remove it there, "
            "then run the same command again"
        )
    # Git's garbage collection takes away the folder that a push is about to write to, and that is all right again a
    # moment later; where it stays so, nobody may write there.
    return _DISK if _MIGRATION in detail else ""


def _reason(summary: str) -> str:
    """What stands in the brackets at the end. Not by a pattern, which takes the square of a row of brackets."""
    text = summary.rstrip()
    at = text.find("(")
    return text[at + 1 : -1] if at >= 0 and text.endswith(")") else summary


def _refusal(leaders: list[RefStatus], said: str) -> str:
    spoken = [line.removeprefix("remote: ").strip() for line in said.splitlines() if line.startswith("remote: ")]
    spoken += [line.partition(_UNPACK)[2] for line in said.splitlines() if not spoken and _UNPACK in line]
    spoken = [line for line in spoken if line][:5]
    what = ", ".join(f"{status.name}: {_reason(status.summary)}" for status in leaders[:3])
    return escape(f"the remote refused the push ({what})" + (": " + " / ".join(spoken) if spoken else ""))


def _refusal_hint(text: str) -> str:
    return next((hint for words, hint in _HINTS if any(word in text for word in words)), "git orch doctor")


def _judge_silence(result: GitResult) -> tuple[OutcomeKind, str]:
    """No answer about our refs: nothing was sent, or the answer was lost on the way. A fetch will tell."""
    said = result.error_text()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "does not support --atomic" in said:
        raise RefusedError(
            "the remote cannot do atomic pushes, on which every promise of git orch rests",
            hint="on the server: git config receive.advertiseAtomic true",
        )
    if "aborted by hook" in said:
        spoken = "; ".join(line.removeprefix("remote: ") for line in lines if line.startswith("remote: "))
        raise RefusedError(
            escape("a reference-transaction hook of the remote refused the push" + (f": {spoken}" if spoken else "")),
            hint="read what the remote's hook said; `git orch doctor` shows what the remote accepts",
        )
    denial = next((line for line in lines if _DENIED.search(line)), None)
    if denial is not None:
        raise RefusedError(
            escape(f"the remote does not let you push: {denial}"),
            hint="check your rights with `git push --dry-run`, then `git orch doctor`",
        )
    trouble = next((line for line in lines if line.startswith(("fatal: ", "error: ", "ssh: "))), None)
    return OutcomeKind.UNKNOWN, escape(trouble or (lines[-1] if lines else f"exit status {result.status}"))


def unreachable(detail: str) -> OrchError:
    """The remote gave no answer. `detail` is git's last line."""
    return UnreachableError(
        escape(f"the remote cannot be reached: {detail.removeprefix('fatal: ').strip().removesuffix('.')}"),
        hint="check the connection with `git orch doctor`, then run the same command again",
    )
