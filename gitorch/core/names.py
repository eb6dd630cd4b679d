"""The only file that spells a ref name: builds and parses them, strictly, for a configurable namespace.

A name that does not parse is not ours: it is reported as damage and never acted upon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from gitorch.core.model import BRANCH_LIMIT, JOB_ID, WORKER_ID, JobId, require_line

DEFAULT_NAMESPACE = "refs/orch"
FALLBACK_NAMESPACE = "refs/heads/orch"
"""For hosts that take branches and tags only."""
NOTES = "refs/notes/orch"
MIRROR_ROOT = "refs/orch-remotes"
BRANCHES = "refs/heads/"

SELF = "."
"""The name of the remote of a repository without one: the repository itself."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./]|[./]$")
_SLOT = re.compile(r"[1-9][0-9]{0,5}")


class RefKind(Enum):
    """The kinds of refs in the namespace; the value is the folder (or the whole name) under its root."""

    JOB = "jobs"
    LEASE = "leases"
    WORKER = "workers"
    SLOT = "slots"
    GRAPH = "graph"
    ARCHIVE = "archive"
    SCRATCH = "scratch"


def is_branch_name(name: str) -> bool:
    """Whether git accepts `name` below refs/heads/ (the rules of git-check-ref-format) and a record can hold it: UTF-8
    without control characters or spaces at its ends, within our own bound."""
    if name in ("", "@", "HEAD") or _FORBIDDEN.search(name) is not None:
        return False
    try:
        require_line("branch", name, BRANCH_LIMIT)
    except ValueError:
        return False
    return True


def branch_ref(branch: str) -> str:
    """The full ref of a branch. Raises ValueError for what git would not accept as one."""
    if not is_branch_name(branch):
        raise ValueError("not a branch name")
    return BRANCHES + branch


def branch_of(ref: str) -> str | None:
    """The branch a full ref names, None for any other ref."""
    return ref.removeprefix(BRANCHES) if ref.startswith(BRANCHES) and len(ref) > len(BRANCHES) else None


def escape_target(target: str) -> str:
    """A target as one path component: `%` and `/` are written `%25` and `%2F`."""
    return target.replace("%", "%25").replace("/", "%2F")


def unescape_target(component: str) -> str | None:
    """The inverse of escape_target; None for a component that escape_target never gives."""
    target = component.replace("%2F", "/").replace("%25", "%")
    return target if escape_target(target) == component and is_branch_name(target) else None


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where the state lives on the remote: `refs/orch`, or another root for hosts that accept only `refs/heads/*`."""

    root: str = DEFAULT_NAMESPACE

    def __post_init__(self) -> None:
        parts = self.root.split("/")
        legal = len(parts) >= 2 and parts[0] == "refs" and _FORBIDDEN.search(self.root) is None
        if not legal or self.root.startswith(MIRROR_ROOT) or self.root in ("refs/heads", "refs/tags", "refs/remotes"):
            raise ValueError("the namespace must be a folder below refs/, such as refs/orch or refs/heads/orch")

    @property
    def notes(self) -> str:
        """Where verdicts and landings are noted; beside the state on hosts where the usual place is not writable."""
        return NOTES if self.root == DEFAULT_NAMESPACE else f"{self.root}/notes"

    @property
    def graph(self) -> str:
        return f"{self.root}/{RefKind.GRAPH.value}"

    @property
    def archive(self) -> str:
        return f"{self.root}/{RefKind.ARCHIVE.value}"

    def job(self, job: JobId) -> str:
        assert JOB_ID.fullmatch(job), f"not a job id: {job!r}"
        return f"{self.root}/{RefKind.JOB.value}/{job}"

    def lease(self, target: str) -> str:
        return f"{self.root}/{RefKind.LEASE.value}/{escape_target(target)}"

    def worker(self, worker: str) -> str:
        assert WORKER_ID.fullmatch(worker), f"not a worker's id: {worker!r}"
        return f"{self.root}/{RefKind.WORKER.value}/{worker}"

    def slot(self, number: int) -> str:
        return f"{self.root}/{RefKind.SLOT.value}/{number}"

    def scratch(self, name: str) -> str:
        """A ref that probes may create and must delete."""
        assert JOB_ID.fullmatch(name), f"not a scratch name: {name!r}"
        return f"{self.root}/{RefKind.SCRATCH.value}/{name}"

    def parse(self, ref: str) -> tuple[RefKind, str] | None:
        """What a ref of the remote is: its kind and its id, target or number; None when it is nothing of ours."""
        if ref in (self.graph, self.archive):
            return RefKind(ref.rsplit("/", 1)[1]), ""
        prefix = self.root + "/"
        folder, slash, rest = ref.removeprefix(prefix).partition("/")
        if not ref.startswith(prefix) or not slash:
            return None
        return _parse_member(folder, rest)


def _parse_member(folder: str, rest: str) -> tuple[RefKind, str] | None:
    if folder == RefKind.LEASE.value:
        target = unescape_target(rest)
        return None if target is None else (RefKind.LEASE, target)
    patterns = {
        RefKind.JOB.value: (RefKind.JOB, JOB_ID),
        RefKind.WORKER.value: (RefKind.WORKER, WORKER_ID),
        RefKind.SLOT.value: (RefKind.SLOT, _SLOT),
        RefKind.SCRATCH.value: (RefKind.SCRATCH, JOB_ID),
    }
    if folder not in patterns:
        return None
    kind, pattern = patterns[folder]
    return (kind, rest) if pattern.fullmatch(rest) else None


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where a clone keeps what it saw last of one remote. For the repository that is its own remote there is no copy:
    the mirror *is* the state."""

    remote: str
    namespace: Namespace

    @property
    def is_self(self) -> bool:
        return self.remote == SELF

    @property
    def root(self) -> str:
        return f"{MIRROR_ROOT}/{self.remote}"

    @property
    def state(self) -> str:
        """The folder that mirrors the namespace, with a final slash."""
        return f"{self.namespace.root}/" if self.is_self else f"{self.root}/state/"

    @property
    def heads(self) -> str:
        """The folder that mirrors the branches that were asked for, with a final slash."""
        return BRANCHES if self.is_self else f"{self.root}/heads/"

    @property
    def notes(self) -> str:
        if self.is_self:
            return self.namespace.notes
        return f"{self.root}/notes/orch" if self.namespace.notes == NOTES else f"{self.state}notes"

    def remote_name(self, local: str) -> str | None:
        """The remote's name of a mirrored ref of the namespace; None for a ref outside the mirrored state."""
        return f"{self.namespace.root}/{local.removeprefix(self.state)}" if local.startswith(self.state) else None

    def local_name(self, remote_ref: str) -> str:
        """Where a ref of the remote is mirrored. Branches, notes and the namespace are the only things mirrored."""
        if remote_ref == self.namespace.notes:
            return self.notes
        if remote_ref.startswith(self.namespace.root + "/"):
            return self.state + remote_ref.removeprefix(self.namespace.root + "/")
        branch = branch_of(remote_ref)
        assert branch is not None, f"nothing mirrors {remote_ref}"
        return self.heads + branch

    @property
    def archive_refspec(self) -> str:
        """What a look-up in the archive fetches; with a `*`, because the remote may have none."""
        return f"+{self.namespace.archive}*:{self.local_name(self.namespace.archive)}*"

    def refspecs(self, branches: frozenset[str]) -> tuple[str, ...]:
        """What one observation fetches. The patterns end in `*` where the ref may be missing: an explicit name that
        the remote lacks would fail the whole fetch. The archive is left out; it is read when something is looked up
        in it."""
        root = self.namespace.root
        specs = [f"+{root}/*:{self.root}/state/*", f"^{root}/archive*", f"^{root}/{RefKind.SCRATCH.value}/*"]
        if self.namespace.notes == NOTES:
            specs.append(f"+{NOTES}*:{self.notes}*")
        specs.extend(f"+{BRANCHES}{branch}*:{self.heads}{branch}*" for branch in sorted(branches))
        return tuple(specs)
