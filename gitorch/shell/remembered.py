"""What a clone remembers between commands: how long a ref was seen unchanged, verdicts that are not published yet,
lease tokens.

Plain files below the git directory, each written whole and renamed into place. All of it may be deleted at any
time: an observation starts anew, a gate runs again, a lease runs out.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitorch.core.lease import token_digest
from gitorch.core.model import JOB_ID, OID, JobId, Oid, Verdict
from gitorch.core.names import escape_target
from gitorch.core.verdicts import format_verdict, parse_verdicts
from gitorch.ports import KeptToken
from gitorch.shell.crash import crash_point

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from gitorch.ports import Clock

MAX_VERDICTS = 500
_VERDICTS_KEPT = 400
MAX_TOKENS = 8


class CloneMemory:
    """Implements ports.Memory. Observations and verdicts are shared by all worktrees of the clone (`shared`);
    tokens belong to one worktree (`own`): two agents in two worktrees are two holders."""

    def __init__(self, shared: Path, own: Path, remote: str, clock: Clock) -> None:
        self._seen = shared / "seen" / escape_target(remote)
        self._verdicts = shared / "verdicts"
        self._tokens = own / "tokens"
        self._claims = own / "claims"
        self._clock = clock
        self._locks: dict[str, BaseFileLock] = {}

    # -- observations

    def unchanged_s(self, ref: str, oid: Oid) -> float:
        """See ports.Memory. Observations of another boot are void: the clock they were made by is gone."""
        path = self._seen / escape_target(ref)
        now_s, boot = self._clock.boot_s(), self._clock.boot_id()
        known = _read_json(path)
        since_s = known.get("since_s")
        same = known.get("oid") == oid and known.get("boot") == boot
        # Anything else is not a time of this boot; an infinite one would make every lease a dead one.
        if same and isinstance(since_s, int | float) and 0.0 <= since_s <= now_s:
            return now_s - float(since_s)
        _write(path, json.dumps({"oid": oid, "boot": boot, "since_s": now_s}))
        return 0.0

    # -- verdicts

    def verdict(self, tree: Oid, gate: Oid) -> Verdict | None:
        """See ports.Memory."""
        assert OID.fullmatch(tree) and OID.fullmatch(gate)
        try:
            text = (self._verdicts / f"{tree}-{gate}").read_text("utf-8")
        except (OSError, ValueError):
            return None
        found = [v for v in parse_verdicts(text) if v.tree == tree and v.gate == gate]
        return found[-1] if found else None

    def keep_verdict(self, verdict: Verdict) -> None:
        """See ports.Memory. The oldest are dropped beyond MAX_VERDICTS."""
        crash_point("before a verdict is remembered")
        _write(self._verdicts / f"{verdict.tree}-{verdict.gate}", format_verdict(verdict) + "\n")
        crash_point("after a verdict is remembered")
        self._prune()

    def _prune(self) -> None:
        with contextlib.suppress(OSError):
            files = list(os.scandir(self._verdicts))
            if len(files) > MAX_VERDICTS:
                files.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in files[:-_VERDICTS_KEPT]:
                    Path(entry.path).unlink(missing_ok=True)

    # -- tokens

    def enter(self, target: str) -> bool:
        """See ports.Memory. A file lock says whether another process of this worktree lives; it ends with its
        process."""
        if target in self._locks:
            return True
        # Late: the library costs more to import than most commands take.
        from filelock import FileLock, Timeout

        try:
            self._tokens.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._tokens / f"{escape_target(target)}.lock")
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            # Held, or there is no place for locks (a full or read-only disk): then nothing is known of a token either.
            return False
        self._locks[target] = lock
        return True

    def tokens(self, target: str) -> tuple[KeptToken, ...]:
        """See ports.Memory."""
        kept = _read_json(self._token_path(target)).get("tokens")
        found = (_kept_token(each) for each in kept) if isinstance(kept, list) else ()
        return tuple(token for token in found if token is not None)

    def keep_token(self, target: str, token: KeptToken) -> bool:
        """See ports.Memory. Only its owner may read it. The oldest are dropped beyond MAX_TOKENS."""
        crash_point("before a token is kept")
        all_of_them = [*(kept for kept in self.tokens(target) if kept != token), token][-MAX_TOKENS:]
        text = json.dumps({"tokens": [{"token": kept.token, "command": kept.command} for kept in all_of_them]})
        kept = _write(self._token_path(target), text, mode=0o600)
        crash_point("after a token is kept")
        return kept

    def forget_tokens(self, target: str) -> None:
        """See ports.Memory. What cannot be removed opens nothing any more."""
        with contextlib.suppress(OSError):
            self._token_path(target).unlink()

    # -- tokens of claims

    def claims(self) -> Mapping[JobId, tuple[str, ...]]:
        """See ports.Memory."""
        found: dict[JobId, tuple[str, ...]] = {}
        for name in self._claim_files():
            job, token = JobId(name.split(".")[0]), _read_json(self._claims / name).get("token")
            if isinstance(token, str) and JOB_ID.fullmatch(job):
                found[job] = (*found.get(job, ()), token)
        return found

    def keep_claim(self, job: JobId, token: str) -> bool:
        """See ports.Memory. Only its owner may read it. A file a token: several that race for one job in one worktree
        must not take the winner's away."""
        crash_point("before the token of a claim is kept")
        kept = _write(self._claims / self._claim_file(job, token), json.dumps({"token": token}), mode=0o600)
        crash_point("after the token of a claim is kept")
        return kept

    def forget_claim(self, job: JobId, token: str | None = None) -> None:
        """See ports.Memory."""
        names = [n for n in self._claim_files() if n.startswith(f"{job}.")]
        for name in names if token is None else [self._claim_file(job, token)]:
            with contextlib.suppress(OSError):
                (self._claims / name).unlink()

    def _claim_files(self) -> list[str]:
        try:
            return sorted(e.name for e in os.scandir(self._claims) if e.name.endswith(".json") and e.name[0] != ".")
        except OSError:
            return []

    @staticmethod
    def _claim_file(job: JobId, token: str) -> str:
        return f"{job}.{token_digest(token)[:12]}.json"

    def _token_path(self, target: str) -> Path:
        return self._tokens / f"{escape_target(target)}.json"


def _kept_token(entry: object) -> KeptToken | None:
    """One entry of the file, whatever somebody wrote into it."""
    known = entry if isinstance(entry, dict) else {}
    token, command = known.get("token"), known.get("command")
    return KeptToken(token, command) if isinstance(token, str) and isinstance(command, str) else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a whole file or none of it. What cannot be kept (a full disk, a read-only directory) is simply not
    remembered. Returns whether it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return True
