"""Which pushes a server should take: the rules of `hooks/pre-receive`, in Python.

The hook is what runs on servers; this is the same judgement for whoever has no shell (a simulation, a test, a server of
another kind). The vectors in tests/hooks drive both, so that neither drifts. Pure: objects and refs are asked for
through a View, and an answer is None (the push is taken) or the first RefusalError.

What no rule can see: whether a verdict is true, who pushes (signatures tell), and whether the push is atomic:
`pre-receive` runs before the locks, and the old values that it is shown are the client's claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gitorch.core.codec import (
    MESSAGE_LIMIT,
    Decoded,
    decode_graph,
    decode_job,
    decode_lease,
    decode_slot,
    decode_worker,
    read_trailers,
)
from gitorch.core.errors import DamagedError
from gitorch.core.gitobjects import CommitParts
from gitorch.core.model import Job, Lease, Oid
from gitorch.core.names import MIRROR_ROOT, Namespace, RefKind, branch_of
from gitorch.core.signing import Signature, SigningRules, duty_of, fault
from gitorch.core.steps import graph_step, job_step, lease_step, slot_step, worker_step

MAX_UPDATES = 100
"""Refs below the namespace in one push; git orch itself sends at most 50."""

MAX_FILES = 20
"""Payloads of one event."""

FILE_LIMIT = 10_000_000
"""Bytes of one payload."""


class View(Protocol):
    """What a server knows while a push waits: its refs as they are, and all objects, the push's included."""

    def ref(self, name: str) -> Oid | None:
        """The present value of a ref."""

    def refs(self, prefix: str) -> Mapping[str, Oid]:
        """Present refs below a prefix."""

    def kind(self, oid: Oid) -> tuple[str, int]:
        """Type and size of an object; ("missing", 0) for none."""

    def commit(self, oid: Oid) -> CommitParts:
        """A commit, taken apart. Raises ValueError for what git itself would not write."""

    def files(self, tree: Oid) -> Mapping[bytes, tuple[str, int]]:
        """Every entry below a tree by its path: mode, and size (0 for what is not a blob). Raises ValueError for a tree
        that cannot be read."""

    def at(self, commit: Oid, path: str) -> Oid | None:
        """What a commit has at a path."""

    def diff(self, old: Oid | None, new: Oid) -> Sequence[tuple[bytes, Oid | None, Oid | None, str]]:
        """What changes from one commit's tree to another's, folders walked through: path, old and new id, new mode."""

    def blob(self, oid: Oid) -> bytes:
        """The content of a blob."""

    def is_ancestor(self, old: Oid, new: Oid) -> bool:
        """Whether `new` is `old` or descends from it."""

    def signature(self, commit: Oid) -> Signature:
        """Who signed a commit, by the allowed signers of the rules."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line that a hook is given: None stands for a ref that is not there (yet, any more)."""

    ref: str
    old: Oid | None
    new: Oid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the server is set up. `gates` has, for each target, the digest of the gate that its tip defines (None: none).
    `forge_merges`: a target may move alone, to the tree of a green candidate, because a forge merges there. `root` is
    the constant commit that begins chains, `empty_tree` the tree without files."""

    targets: frozenset[str]
    root: Oid
    empty_tree: Oid
    namespace: Namespace = field(default_factory=Namespace)
    gates: Mapping[str, Oid | None] = field(default_factory=dict)
    forge_merges: bool = False
    signing: SigningRules = field(default_factory=SigningRules)


class RefusalError(Exception):
    """Why a push is not taken: a word for programs, the ref, one sentence."""

    def __init__(self, code: str, ref: str, why: str) -> None:
        super().__init__(f"{ref}: {why} [{code}]")
        self.code, self.ref, self.why = code, ref, why


@dataclass(frozen=True, slots=True)
class Written:
    """An event of the push that is well-formed: what it follows, what it says, its commit."""

    change: Change
    name: str
    before: Decoded[Any] | None
    event: Decoded[Any]
    commit: CommitParts

    @property
    def record(self) -> Any:
        return self.event.record


_DECODE: Mapping[RefKind, tuple[Callable[[bytes], Decoded[Any]], Callable[[Any, Any], str]]] = {
    RefKind.JOB: (decode_job, job_step),
    RefKind.LEASE: (decode_lease, lease_step),
    RefKind.WORKER: (decode_worker, worker_step),
    RefKind.SLOT: (decode_slot, slot_step),
    RefKind.GRAPH: (decode_graph, graph_step),
}


@dataclass(frozen=True, slots=True)
class Push:
    """A push as it was read: its changes, and its events by kind and name."""

    rules: Rules
    view: View
    changes: Mapping[str, Change]
    events: dict[tuple[RefKind, str], Written]

    def job(self, job: str) -> Written | None:
        return self.events.get((RefKind.JOB, job))

    def after(self, ref: str) -> Oid | None:
        """The value of a ref once the push is taken."""
        return self.changes[ref].new if ref in self.changes else self.view.ref(ref)


def judge(changes: Sequence[Change], rules: Rules, view: View) -> RefusalError | None:
    """The first reason not to take a push; None when it may be taken."""
    # Later modules build on this one.
    from gitorch.core.admission_links import check_links
    from gitorch.core.admission_targets import check_target

    names = rules.namespace
    ours = [c for c in changes if c.ref == names.notes or c.ref.startswith((names.root + "/", MIRROR_ROOT + "/"))]
    targets = [c for c in changes if branch_of(c.ref) in rules.targets]
    push = Push(rules, view, {change.ref: change for change in changes}, {})
    try:
        if len(ours) > MAX_UPDATES:
            raise RefusalError("too-many", ours[0].ref, f"the push changes more than {MAX_UPDATES} refs of git orch")
        for change in (*ours, *targets):
            if view.ref(change.ref) != change.old:
                raise RefusalError(
                    "stale", change.ref, "somebody else was faster: its value is not the one that was seen"
                )
        for change in ours:
            _read(push, change)
        for change in ours:
            _check_signature(push, change)
        check_links(push, ours)
        for change in targets:
            check_target(push, change)
    except RefusalError as refusal:
        return refusal
    except ValueError:
        return RefusalError("broken", changes[0].ref, "the server could not read the push")
    return None


def _read(push: Push, change: Change) -> None:
    """Judge one ref of ours by itself, and remember its event."""
    names, view = push.rules.namespace, push.view
    if change.ref == names.notes:
        return
    parsed = None if change.ref.startswith(MIRROR_ROOT) else names.parse(change.ref)
    if parsed is None:
        raise RefusalError("unknown-ref", change.ref, "it is no ref of git orch's state")
    kind, name = parsed
    if change.new is None:
        if kind not in (RefKind.JOB, RefKind.WORKER, RefKind.SCRATCH):
            raise RefusalError("deletion", change.ref, "nothing deletes it")
        return
    commit = _commit(view, change)
    if kind is RefKind.SCRATCH:
        _check_scratch(push, change, commit)
    elif kind is not RefKind.ARCHIVE:
        push.events[parsed] = _event(push, change, kind, name, commit)


def _check_signature(push: Push, change: Change) -> None:
    """Of an event, or of the archive's growth; that of notes is judged by what they say."""
    parsed = push.rules.namespace.parse(change.ref)
    if change.new is None or parsed is None or parsed[0] is RefKind.SCRATCH or change.ref == push.rules.namespace.notes:
        return
    written = push.events.get(parsed)
    require_signature(push, change, duty_of(parsed[0], written.event.event) if written else None)


def require_signature(push: Push, change: Change, duty: str | None) -> None:
    """Raises RefusalError unless who signed the new value may do this."""
    rules = push.rules.signing
    if not rules.required:
        return
    assert change.new is not None
    signature = push.view.signature(change.new)
    wrong = fault(signature, duty, rules)
    if wrong:
        code = "signature" if fault(signature, None, rules) else "may"
        raise RefusalError(code, change.ref, f"the event {wrong}")


def _commit(view: View, change: Change) -> CommitParts:
    assert change.new is not None
    found, size = view.kind(change.new)
    if found != "commit":
        raise RefusalError("kind", change.ref, f"it would be a {found}, not a commit")
    if size > 2 * MESSAGE_LIMIT:
        raise RefusalError("size", change.ref, "the commit is too large")
    try:
        commit = view.commit(change.new)
    except ValueError:
        raise RefusalError("kind", change.ref, "the commit is malformed") from None
    if b"\0" in commit.message:
        # Git itself and every shell see only what stands before it.
        raise RefusalError("kind", change.ref, "the commit is malformed")
    return commit


def _check_scratch(push: Push, change: Change, commit: CommitParts) -> None:
    follows = () if change.old is None else (change.old,)
    if commit.tree != push.rules.empty_tree or commit.parents not in ((), follows):
        raise RefusalError("scratch", change.ref, "a scratch ref holds one empty commit")


def _event(push: Push, change: Change, kind: RefKind, name: str, commit: CommitParts) -> Written:
    decode, step = _DECODE[kind]
    try:
        event = decode(commit.message)
    except DamagedError as problem:
        raise RefusalError("format", change.ref, problem.message) from None
    if _name_of(kind, event.record) != name:
        raise RefusalError("name", change.ref, "its record is about something else")
    anew = kind is RefKind.WORKER and not commit.parents
    before = None if change.old is None or anew else _before(push.view, change, decode)
    _check_parents(push, change, commit, event, anew)
    _check_files(push, change, commit)
    wrong = step(before, event)
    if wrong:
        raise RefusalError("step", change.ref, f"{event.event}: {wrong}")
    return Written(change, name, before, event, commit)


def _name_of(kind: RefKind, record: Any) -> str:
    key = {RefKind.LEASE: "target", RefKind.SLOT: "number", RefKind.GRAPH: ""}.get(kind, "id")
    return str(getattr(record, key)) if key else ""


def _before(view: View, change: Change, decode: Callable[[bytes], Decoded[Any]]) -> Decoded[Any]:
    assert change.old is not None
    try:
        return decode(view.commit(change.old).message if view.kind(change.old)[0] == "commit" else b"")
    except (DamagedError, ValueError):
        raise RefusalError("damaged", change.ref, "what stands there now is damaged") from None


def _check_parents(push: Push, change: Change, commit: CommitParts, event: Decoded[Any], anew: bool) -> None:
    """One event on top of the old tip; further parents are the commits that it keeps alive, and no others."""
    record = event.record
    kept = {Job: getattr(record, "head", None), Lease: getattr(record, "candidate", None)}.get(type(record))
    first = change.old if change.old is not None else push.rules.root
    parents = commit.parents
    if anew or (change.old is None and not parents):
        legal: tuple[tuple[Oid, ...], ...] = ((),)
    else:
        legal = ((first,),) if kept is None else ((first,), (first, kept))
    if parents not in legal:
        raise RefusalError("parents", change.ref, "it is not one event on top of the present one")
    if isinstance(record, Job) and event.event in ("submit", "catch-up") and len(parents) != 2:
        raise RefusalError("parents", change.ref, "it does not keep the submitted commit alive")


def _check_files(push: Push, change: Change, commit: CommitParts) -> None:
    if commit.tree == push.rules.empty_tree:
        return
    try:
        files = push.view.files(commit.tree)
    except ValueError:
        raise RefusalError("files", change.ref, "its files cannot be read") from None
    if len(files) > MAX_FILES or any(mode != "100644" or size > FILE_LIMIT for mode, size in files.values()):
        raise RefusalError("files", change.ref, "its files are too many, too large, or no plain files")


def archive_word(message: bytes) -> str:
    """`fold` for the message of a commit that archives; what is wrong otherwise, empty for that."""
    try:
        found = read_trailers(message)
    except DamagedError:
        return ""
    return "fold" if (found.get("Record"), found.get("Event")) == ("archive", "fold") and found.get("Nonce") else ""
