"""Reads everything that `fsck` judges, with a handful of git processes however many jobs there are."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.core.fsck import Evidence, TargetCommit
from gitorch.core.fsck_chains import Commit
from gitorch.core.model import OID, Oid, Snapshot
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import Objects
from gitorch.shell.store import GitStore


class Inspector:
    """Reads one remote through its store."""

    def __init__(self, git: Git, objects: Objects, store: GitStore) -> None:
        self._git = git
        self._objects = objects
        self._store = store

    def evidence(self, target: str, slots: int) -> Evidence:
        """Everything, as of now. The archive is read after the jobs: one that moves there meanwhile is seen in both
        places and not in none. Raises UnreachableError."""
        store = self._store
        found = store.observe()
        names = {seen.record.target for seen in found.jobs.values()} | {target, *found.leases}
        archive = store.archive()
        archived = archive.find(archive.ids())
        names |= {seen.record.target for seen in archived.values()}
        snapshot = store.observe(names)
        archive = store.archive()
        archived = archive.find(ids := archive.ids())
        starts = [*_tips(snapshot), *(seen.oid for seen in archived.values()), *store.archived_events()]
        if archive.tip is not None:
            starts.append(archive.tip)
        return Evidence(
            namespace=store.mirror.namespace,
            snapshot=snapshot,
            commits=self._chains(starts),
            archive=archive.tip,
            archived=archived,
            unreadable=tuple(job for job in ids if job not in archived),
            targets={name: self._history(tip) for name, tip in snapshot.heads.items()},
            notes=self._notes(snapshot),
            slots=slots,
            partial=self._git.run("rev-parse", "--is-shallow-repository", ok=()).text() == "true",
        )

    def _chains(self, starts: list[Oid]) -> dict[Oid, Commit]:
        """The commits of all chains. What is missing here is left out, and shows as a chain that breaks off."""
        names = "".join(f"{oid}\n" for oid in dict.fromkeys(starts)).encode()
        options = ("--first-parent", "--no-show-signature", "--format=%H%x00%P%x00%B%x00", "--ignore-missing")
        out = self._git.run("log", *options, "--stdin", stdin=names + b"--\n", ok=()).out if names else b""
        parts = out.split(b"\x00")
        return {
            Oid(oid.strip().decode()): Commit(_oids(parents), message.rstrip(b"\n") + b"\n")
            for oid, parents, message in zip(parts[::3], parts[1::3], parts[2::3], strict=False)
        }

    def _history(self, tip: Oid) -> dict[Oid, TargetCommit]:
        out = self._git.run("log", "--no-show-signature", "--format=%H %T %P", tip, "--", ok=()).text()
        rows = (line.split(" ") for line in out.splitlines())
        return {Oid(row[0]): TargetCommit(Oid(row[1]), tuple(map(Oid, filter(None, row[2:])))) for row in rows}

    def _notes(self, snapshot: Snapshot) -> dict[Oid, str]:
        """All notes, whatever folders they lie in; what is split in two after a merge of notes is put together."""
        if snapshot.notes is None:
            return {}
        found: dict[Oid, str] = {}
        for line in self._git.run("ls-tree", "-r", "-z", snapshot.notes, ok=()).out.split(b"\x00"):
            about, _, path = line.partition(b"\t")
            name = path.replace(b"/", b"").decode("ascii", "replace")
            blob = self._objects.read(Oid(about.split(b" ")[-1].decode())) if OID.fullmatch(name) else None
            if blob is not None:
                found[Oid(name)] = found.get(Oid(name), "") + blob[1].decode("utf-8", "replace") + "\n"
        return found


def _tips(snapshot: Snapshot) -> Iterable[Oid]:
    for kind in (snapshot.jobs, snapshot.leases, snapshot.workers, snapshot.slots):
        yield from (seen.oid for seen in kind.values())
    if snapshot.graph is not None:
        yield snapshot.graph.oid


def _oids(text: bytes) -> tuple[Oid, ...]:
    return tuple(Oid(word.decode()) for word in text.split())
