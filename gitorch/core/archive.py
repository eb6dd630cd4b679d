"""How a finished job is written into the archive: where, and as what text.

An entry is a file `<2 hex>/<id>`: the id of the job's last event, its diary (a line an event, oldest first), a blank
line, and the message of that last event, whose trailers are the final record. `by-branch/<2 hex>/<hex>` lists the ids
that a branch had, so that a branch can be asked for without reading everything. Pure: git objects are the business of
`gitorch.shell.archive`.
"""

from __future__ import annotations

import hashlib

from gitorch.core.errors import DamagedError
from gitorch.core.model import OID, Job, JobId, Oid, Seen
from gitorch.core.observation import read_job
from gitorch.core.writes import ArchiveEntry

BY_BRANCH = "by-branch"
DIARY_LIMIT = 1_000


def entry_path(job: JobId) -> tuple[str, str]:
    """Folder and file of a job in the archive's tree."""
    return _shard(job), job


def branch_path(branch: str) -> tuple[str, str, str]:
    """Folders and file that list the jobs of a branch."""
    digest = hashlib.sha1(branch.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return BY_BRANCH, digest[:2], digest


def _shard(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:2]


def entry_text(entry: ArchiveEntry) -> str:
    """The text of an entry."""
    lines = [line.replace("\n", " ") for line in entry.diary[-DIARY_LIMIT:] if line.strip()]
    return "\n".join([f"tip {entry.tip}", *lines]) + "\n\n" + entry.message


def read_entry(data: bytes, job: JobId) -> Seen[Job] | None:
    """The final record of an archived job; None when the entry is damaged."""
    head, _, message = data.partition(b"\n\n")
    word, _, tip = head.split(b"\n", 1)[0].decode("ascii", "replace").partition(" ")
    try:
        return Seen(Oid(tip), read_job(message, job)) if word == "tip" and OID.fullmatch(tip) else None
    except DamagedError:
        return None
