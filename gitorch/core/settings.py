"""Configuration as values: `git config`, then `.gitorch` of the target's tip, then the default.

Reading files and starting git is the shell's business; this module only decides what the entries mean. A value that
makes no sense is an error with the key and its origin, never a silent default.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from gitorch.core.errors import UsageError
from gitorch.core.gates import Gate
from gitorch.core.model import SLOT_LIMIT, Oid
from gitorch.core.names import DEFAULT_NAMESPACE, Namespace, is_branch_name

NO_GATE = "none"
GC_GRACE_S = 600
SHARED_FILE = ".gitorch"


class Rebase(Enum):
    """When a head is rebased: always (a linear head on top of the tip stays as it is), or only when it lacks the
    tip."""

    ALWAYS = "always"
    WHEN_BEHIND = "when-behind"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of one key, and where it stands (`.git/config`, `command line`, `.gitorch of main`)."""

    value: str
    origin: str


Entries = Mapping[str, Sequence[Entry]]
"""Lower-case key (`orch.gatetimeout`) to its values in order."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Both layers of configuration, asked by key. `local` wins over `shared`."""

    local: Entries = field(default_factory=dict)
    shared: Entries = field(default_factory=dict)

    def entries(self, key: str) -> Sequence[Entry]:
        name = key.lower()
        return self.local.get(name) or self.shared.get(name) or ()

    def text(self, key: str) -> str | None:
        """The last value of a key; None when it is not set."""
        found = self.entries(key)
        return found[-1].value if found else None

    def seconds(self, key: str, default: int, *, low: int = 1, high: int = 31_536_000) -> int:
        """A duration in whole seconds. Raises UsageError outside `low`..`high`."""
        return self.number(key, default, low=low, high=high)

    def number(self, key: str, default: int, *, low: int, high: int) -> int:
        """A whole number. Raises UsageError when it is none or outside `low`..`high`."""
        text = self.text(key)
        if text is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise self._invalid(key, f"a whole number from {low} to {high}")
        return int(text)

    def flag(self, key: str, default: bool) -> bool:
        """A git boolean. Raises UsageError."""
        text = self.text(key)
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if text is None:
            return default
        if text.lower() not in words:
            raise self._invalid(key, "true or false")
        return words[text.lower()]

    def _invalid(self, key: str, expected: str) -> UsageError:
        entry = self.entries(key)[-1]
        return UsageError(f"{key} in {entry.origin} must be {expected}", hint=f"git config {key} VALUE")

    @property
    def namespace(self) -> Namespace:
        """Where the state lives. From `git config` alone: it must be known before anything is fetched."""
        found = self.local.get("orch.namespace")
        try:
            return Namespace(found[-1].value if found else DEFAULT_NAMESPACE)
        except ValueError as problem:
            hint = f"git config orch.namespace {DEFAULT_NAMESPACE}"
            raise UsageError(f"orch.namespace: {problem}", hint=hint) from None

    @property
    def target(self) -> str | None:
        """The configured target. Raises UsageError when it is not a branch name."""
        text = self.text("orch.target")
        if text is not None and not is_branch_name(text):
            raise self._invalid("orch.target", "the name of a branch")
        return text

    @property
    def rebase(self) -> Rebase:
        text = self.text("orch.rebase")
        if text is None:
            return Rebase.ALWAYS
        try:
            return Rebase(text)
        except ValueError:
            raise self._invalid("orch.rebase", "always or when-behind") from None

    @property
    def lease_ttl_s(self) -> int:
        return self.seconds("orch.leaseTTL", 300)

    @property
    def claim_ttl_s(self) -> int:
        """How long a claim lives behind which no process runs."""
        return self.seconds("orch.claimTTL", 86_400)

    @property
    def worker_ttl_s(self) -> int:
        """How long a running worker may be silent before its claims count as dead."""
        return self.seconds("orch.workerTTL", 300)

    @property
    def max_concurrency(self) -> int:
        """How many jobs may be claimed at once, everywhere; 0: as many as there are."""
        return self.number("orch.maxConcurrency", 0, low=0, high=SLOT_LIMIT)

    @property
    def gc_grace_s(self) -> int:
        """How old a job must be before it is folded away."""
        return self.seconds("orch.gcGrace", GC_GRACE_S, low=0)

    @property
    def missing_holds(self) -> bool:
        """Whether a dependency that cannot be found holds a job back (`closed`) or does not (`open`)."""
        text = self.text("orch.missingDependency")
        if text not in (None, "open", "closed"):
            raise self._invalid("orch.missingDependency", "open or closed")
        return text == "closed"

    @property
    def job_commands(self) -> bool:
        """Whether workers of this clone run the command that a job brings along."""
        return self.flag("orch.jobCommands", True)

    @property
    def max_attempts(self) -> int:
        return self.number("orch.maxAttempts", 3, low=0, high=1_000_000)

    @property
    def poll_interval_s(self) -> int:
        return self.seconds("orch.pollInterval", 5, high=86_400)

    @property
    def keep_ignored(self) -> bool:
        """Whether ignored files of an earlier gate stay in the gate's worktree (a build cache), at the price of
        purity."""
        return self.flag("orch.gateKeepIgnored", False)

    def check(self) -> None:
        """Look at everything that a landing will ask for. Raises UsageError now and not when the gate has run."""
        _ = (self.rebase, self.lease_ttl_s, self.max_attempts, self.gate())

    def gate(self, object_format: str = "sha1") -> Gate | None:
        """The gate that this clone runs; None when none is configured. `none` is explicit: no commands, always
        green."""
        entries = self.entries("orch.gate")
        found = [entry for entry in entries if entry.value.strip()]
        if not found:
            return None
        texts = [entry.value for entry in found]
        return Gate(
            commands=() if texts == [NO_GATE] else tuple(texts),
            # Of all entries, empty ones too: a shell hook sees those as well.
            digest=gate_digest([entry.value for entry in entries], object_format),
            origin=found[-1].origin,
            timeout_s=float(self.seconds("orch.gateTimeout", 3600)),
            retries=self.number("orch.gateRetries", 0, low=0, high=100),
            keep_ignored=self.keep_ignored,
        )

    def overrides_shared_gate(self) -> bool:
        """Whether this clone's gate differs from the one that the target's tip defines: a server hook will refuse
        it."""
        local, shared = self.local.get("orch.gate"), self.shared.get("orch.gate")
        return bool(local and shared) and [e.value for e in local or ()] != [e.value for e in shared or ()]


def gate_digest(commands: Sequence[str], object_format: str = "sha1") -> Oid:
    """The git blob id of the gate's text, one command a line. The same as `git config --blob TIP:.gitorch --get-all
    orch.gate | git hash-object --stdin`, so that a shell hook can compute it."""
    text = "".join(f"{command}\n" for command in commands).encode("utf-8", "surrogateescape")
    return Oid(hashlib.new(object_format, b"blob %d\x00" % len(text) + text).hexdigest())
