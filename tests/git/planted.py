"""Records planted in a remote past all rules, as somebody with push rights might, or as an earlier fault would leave
them."""

from __future__ import annotations

from itertools import count
from typing import Any

from gitorch.core.codec import AnyRecord, encode
from gitorch.core.gitobjects import encode_commit
from gitorch.core.model import GraphEdit, Job, JobId, Lease, Oid, Slot, State, Worker
from gitorch.core.names import Namespace
from tests.support import Repo

NAMES = Namespace()
TIME_MS = 1_700_000_000_000
_IDENT = "Eve <eve@example.org>"
_nonces = count(1)


def queued(name: str, *after: str, **changes: Any) -> Job:
    """A queued job."""
    values: dict[str, Any] = {"state": State.QUEUED, "title": f"Do {name}", "target": "main"}
    values |= {"created_ms": TIME_MS, "updated_ms": TIME_MS, "after": tuple(JobId(d) for d in after)}
    return Job(id=JobId(name), **(values | changes))


def claimed(name: str, worker: str = "w-1", **changes: Any) -> Job:
    """A claimed job; its token is made of its name."""
    claim = {"state": State.CLAIMED, "worker": worker, "token": token(name), "ttl_s": 300, "attempt": 1}
    return queued(name, **(claim | changes))


def token(name: str) -> str:
    """The digest that `claimed` gives a job."""
    return name.encode().hex().ljust(40, "0")[:40]


def worker(name: str, **changes: Any) -> Worker:
    """A worker that is there."""
    values: dict[str, Any] = {"holder": "eve on host (pid 7)", "present": True, "capacity": 2, "ttl_s": 300}
    values |= {"since_ms": TIME_MS, "updated_ms": TIME_MS}
    return Worker(id=name, **(values | changes))


def slot(number: int, name: str, *, held: bool = True) -> Slot:
    """A slot, held for what `claimed` gives."""
    return Slot(
        number=number,
        held=held,
        updated_ms=TIME_MS,
        job=JobId(name) if held else None,
        token=token(name) if held else None,
    )


def ref_of(record: AnyRecord) -> str:
    """Where a record belongs."""
    if isinstance(record, Job):
        return NAMES.job(record.id)
    if isinstance(record, Lease):
        return NAMES.lease(record.target)
    if isinstance(record, Worker):
        return NAMES.worker(record.id)
    return NAMES.graph if isinstance(record, GraphEdit) else NAMES.slot(record.number)


def plant(repo: Repo, record: AnyRecord, event: str, *, on: bool = False, **options: Any) -> Oid:
    """Write an event and point its ref at it, `on` top of what the ref has or as the first of a chain. `ref`, `parents`
    and `nonce` override what belongs there."""
    name = options.get("ref") or ref_of(record)
    before = repo.ref(name) if on else None
    parents = options.get("parents", [before] if before else [])
    nonce = options.get("nonce") or f"{next(_nonces):032x}"
    message = encode(record, event=event, subject="planted", nonce=nonce)
    return put(repo, name, message, parents)


def put(repo: Repo, ref: str, message: str, parents: list[str], tree: str | None = None) -> Oid:
    """Write any commit and point a ref at it."""
    tree = tree or repo.git("mktree", stdin="")
    data = encode_commit(Oid(tree), [Oid(parent) for parent in parents], _IDENT, TIME_MS, message)
    oid = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=data)
    repo.git("update-ref", ref, oid)
    return Oid(oid)
