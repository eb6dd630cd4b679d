"""The store on a git remote: one fetch gives one Snapshot, one plan is one atomic push.

Promises: every ref of a push carries its expected old value, whatever is relied on is written, and nothing but
`published` means that it happened. Does not promise that a snapshot is of one instant (readers may see half of a
multi-ref update); the push settles that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitorch.core.errors import OrchError
from gitorch.core.gitobjects import ROOT_MESSAGE, decode_commit
from gitorch.core.model import OID, DiaryEntry, Oid, Snapshot
from gitorch.core.names import NOTES, Mirror, branch_of, is_branch_name
from gitorch.core.observation import RawRef, build_snapshot, missing_dependencies
from gitorch.core.plan_queue import BODY
from gitorch.core.text import escape
from gitorch.core.writes import ArchiveFold, EventCommit, NotesAppend, Outcome, OutcomeKind, Plan, RefUpdate
from gitorch.shell.archive import GitArchive
from gitorch.shell.gitcmd import NETWORK_TIMEOUT_S, NO_HOOKS, Git, GitResult, GitTimeoutError
from gitorch.shell.notes import read_notes
from gitorch.shell.objects import read_files
from gitorch.shell.push import judge_push, remedy, unreachable
from gitorch.shell.send import send
from gitorch.shell.writing import EventWriter

if TYPE_CHECKING:
    from gitorch.ports import Clock, Random
    from gitorch.shell.lastseen import LastSeen
    from gitorch.shell.objects import Objects

# The whole of each event in one process: its name, id, kind and size, then the raw commit of exactly that size.
_FORMAT = (
    "%(refname)%00%(objectname)%00%(objecttype)%00%(objectsize)%00"
    "%(if:equals=commit)%(objecttype)%(then)%(raw)%(end)%00"
)

_FETCH_TRIES = 6
_HALF_MADE = re.compile(r"bad object worktrees/([^\n]{1,200})/HEAD")

_OURS = (EventCommit, NotesAppend, ArchiveFold)
"""What carries a nonce of ours, so that nobody else can have written the same."""


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    oid: Oid
    kind: str
    data: bytes


class GitStore:
    """Implements ports.Store. `url` is what git is told to talk to: the remote's name, or this repository's path."""

    def __init__(
        self,
        git: Git,
        mirror: Mirror,
        objects: Objects,
        *,
        ident: str,
        url: str,
        clock: Clock,
        random: Random,
        seen: LastSeen | None = None,
        signs: Callable[[], bool] = bool,
        mend: Callable[[], None] = lambda: None,
    ) -> None:
        """`signs` says, when the first event is written, whether events are signed; `mend` removes what a killed git
        orch left in this clone that git stumbles over."""
        self.mirror = mirror
        self._git = git
        self._objects = objects
        self._url = url
        self._clock = clock
        self._random = random
        self._mend = mend
        self._seen = None if mirror.is_self else seen
        self._written: dict[str, Oid | None] = {}
        self._writer = EventWriter(git, mirror, objects, ident, signs)

    # -- observe

    def observe(self, branches: Iterable[str] = ()) -> Snapshot:
        """See ports.Store. Branch names that git would not accept are treated as absent."""
        asked = frozenset(branches)
        legal = frozenset(branch for branch in asked if is_branch_name(branch))
        if not self.mirror.is_self:
            self._fetch(self.mirror.refspecs(legal), legal)
            self._forget_written(legal)
        snapshot = self._read(legal, asked)
        return self._with_archived(snapshot, legal) if missing_dependencies(snapshot) else snapshot

    def _forget_written(self, branches: frozenset[str]) -> None:
        """What was fetched after a push is newer than the push: at the end, a long-lived process must not move the
        mirror back."""
        kept = {self.mirror.namespace.archive}
        self._written = {
            name: oid
            for name, oid in self._written.items()
            if name in kept or ((branch := branch_of(name)) is not None and branch not in branches)
        }

    def _with_archived(self, snapshot: Snapshot, branches: frozenset[str]) -> Snapshot:
        """The snapshot with what live jobs wait for and is not live. What is not in the archive either may have been
        seen half way through an archiving push: that is looked at once more."""
        missing = missing_dependencies(snapshot)
        found = self.archive(fresh=False).find(missing)
        if len(found) < len(missing) and not self.mirror.is_self:
            found = self.archive().find(missing)
            if len(found) < len(missing):
                self._fetch(self.mirror.refspecs(branches), branches)
                snapshot = self._read(branches, snapshot.asked)
                found = self.archive(fresh=False).find(missing_dependencies(snapshot))
        return replace(snapshot, archived=found)

    def last_seen(self, branches: Iterable[str] = ()) -> Snapshot:
        """The snapshot of the previous observation, without talking to the remote."""
        asked = frozenset(branches)
        snapshot = self._read(frozenset(branch for branch in asked if is_branch_name(branch)), asked)
        return replace(snapshot, archived=self.archive(fresh=False).find(missing_dependencies(snapshot)))

    def _fetch(self, specs: Sequence[str], branches: frozenset[str] = frozenset()) -> None:
        """One fetch with explicit refspecs. Parallel commands of one clone may meet at a ref's lock: try again."""
        options = ("--no-tags", "--no-write-fetch-head", "--prune", "--quiet", "--no-recurse-submodules", "--refmap=")
        for attempt in range(1, _FETCH_TRIES + 1):
            try:
                command = (*NO_HOOKS, "fetch", *options, "--", self._url, *specs)
                result = self._git.run(*command, ok=(), timeout_s=NETWORK_TIMEOUT_S)
            except GitTimeoutError as problem:
                raise unreachable(problem.message) from None
            if result.status == 0:
                return
            if _is_half_made(result):
                self._mend()
                if attempt == _FETCH_TRIES:
                    raise _half_made(result)
            elif attempt == _FETCH_TRIES or not _is_lock_trouble(result):
                raise unreachable(_last_line(result))
            self._forget_folders(branches)
            self._clock.sleep(self._random.uniform(0.0, 0.1 * attempt))

    def _forget_folders(self, branches: frozenset[str]) -> None:
        """A branch `a` that was seen once, and is gone, would for ever be in the way of `a/b`."""
        parents = {branch[:at] for branch in branches for at, char in enumerate(branch) if char == "/"}
        for parent in sorted(parents):
            self._git.run(*NO_HOOKS, "update-ref", "-d", self.mirror.heads + parent, ok=())

    def _read(self, branches: frozenset[str], asked: frozenset[str]) -> Snapshot:
        mirror = self.mirror
        wanted = {mirror.heads + branch: branch for branch in branches}
        listed = self._list([mirror.state, mirror.notes, NOTES, *wanted])
        heads, notes, notes_kind, own_notes, state = {}, None, "commit", None, []
        for ref in listed:
            if ref.name in wanted:
                heads[wanted[ref.name]] = ref.oid
            elif (name := mirror.remote_name(ref.name)) is not None and name != mirror.namespace.notes:
                state.append(RawRef(name, ref.oid, ref.kind, _message(ref)))
            if ref.name == mirror.notes:
                notes, notes_kind = ref.oid, ref.kind
            if ref.name == NOTES:
                own_notes = ref.oid
        if self._seen is not None:
            noted = {} if notes is None else {mirror.namespace.notes: notes}
            self._seen.keep({ref.name: ref.oid for ref in state} | noted)
        if notes_kind == "commit":
            self._copy_notes(notes, own_notes)
        return build_snapshot(mirror.namespace, state, heads=heads, asked=asked, notes=notes, notes_kind=notes_kind)

    def _list(self, patterns: Sequence[str]) -> list[_Listed]:
        out = self._git.run("for-each-ref", f"--format={_FORMAT}", *patterns).out
        found, at = [], 0
        while at < len(out):
            name, oid, kind, size, _ = out[at : at + 5_000].split(b"\x00", 4)
            start = at + len(name) + len(oid) + len(kind) + len(size) + 4
            end = start + (int(size) if kind == b"commit" else 0)
            text = name.decode("utf-8", "surrogateescape")
            found.append(_Listed(text, Oid(oid.decode()), kind.decode(), out[start:end]))
            at = end + 2  # the NUL that closes the record, and for-each-ref's newline
        return found

    def _copy_notes(self, seen: Oid | None, own: Oid | None) -> None:
        """Keep the clone's own refs/notes/orch at what the remote has, so that `git log --notes=orch` works; unless
        something foreign is there, which is left alone."""
        if self.mirror.is_self or seen is None or seen == own:
            return
        if own is None or self._is_ancestor(own, seen):
            self._git.run(*NO_HOOKS, "update-ref", "-m", "git orch", NOTES, seen, own or "0" * len(seen), ok=())

    def _is_ancestor(self, older: Oid, newer: str) -> bool:
        return self._git.run("merge-base", "--is-ancestor", older, newer, ok=()).status == 0

    # -- publish

    def publish(self, plan: Plan, *, timeout_s: float | None = None) -> Outcome:
        """See ports.Store."""
        oids = {update.name: self._writer.write(update) for update in plan.updates}
        changes = [(update.name, update.expected_old, oids[update.name]) for update in plan.updates]
        try:
            result = send(self._git, self._url, changes, own=self.mirror.is_self, timeout_s=timeout_s)
            if self.mirror.is_self and _is_half_made(result):
                self._mend()
                result = send(self._git, self._url, changes, own=True, timeout_s=timeout_s)
        except GitTimeoutError as problem:
            return Outcome(OutcomeKind.UNKNOWN, oids, problem.message)
        events = frozenset(u.name for u in plan.updates if isinstance(u.new, _OURS))
        kind, detail = judge_push(result, list(oids), events)
        if kind is OutcomeKind.PUBLISHED:
            self._written.update(oids)
        return Outcome(kind, oids, detail, remedy=remedy(detail) if kind is OutcomeKind.CONFLICT else "")

    def write(self, update: RefUpdate) -> Oid | None:
        """The new value of an update as publishing would write it, signed where that is wanted; nothing is sent."""
        return self._writer.write(update)

    # -- look up

    def archive(self, *, fresh: bool = True) -> GitArchive:
        """See ports.Store."""
        if fresh and not self.mirror.is_self:
            self._fetch([self.mirror.archive_refspec])
        name = self.mirror.local_name(self.mirror.namespace.archive)
        tip = self._git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", ok=()).text()
        return GitArchive(self._objects, Oid(tip) if tip else None)

    def body(self, event: Oid) -> bytes:
        """See ports.Store."""
        options = ("--first-parent", "--diff-merges=first-parent", "--diff-filter=AM", "--max-count=1", "--format=%H")
        commit = self._git.run("log", *options, "--root", "--no-patch", event, "--", BODY, ok=()).text()
        return read_files(self._objects, Oid(commit)).get(BODY, b"") if OID.fullmatch(commit) else b""

    def holds(self, name: str, oid: Oid) -> bool:
        """See ports.Store."""
        return self._is_ancestor(oid, self.mirror.local_name(name))

    def notes(self, snapshot: Snapshot, targets: Sequence[Oid]) -> Mapping[Oid, str]:
        """See ports.Store."""
        return {} if snapshot.notes is None else read_notes(self._objects, snapshot.notes, targets)

    def diary(self, name: str, limit: int = 1_000) -> list[DiaryEntry]:
        """See ports.Store."""
        return self.diaries([name if OID.fullmatch(name) else self.mirror.local_name(name)], limit)

    def diaries(self, starts: Iterable[str], limit: int) -> list[DiaryEntry]:
        """The events of many chains, newest first, at most `limit`, read by one process. `starts` are oids of events,
        or refs of this clone."""
        options = (f"--max-count={limit}", "--format=%H%x00%an%x00%at%x00%B%x00", "--no-show-signature")
        names = "".join(f"{start}\n" for start in starts).encode()
        command = ("log", "--first-parent", *options, "--stdin")
        out = self._git.run(*command, stdin=names + b"--\n", ok=()).out if names else b""
        parts = out.decode("utf-8", "replace").split("\x00")
        return [
            DiaryEntry(Oid(oid.strip()), who, _time_ms(time_s), message)
            for oid, who, time_s, message in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=False)
            if message.strip() != ROOT_MESSAGE.strip()
        ]

    def archived_events(self) -> list[Oid]:
        """The last events of all jobs that were ever archived, those first that were archived last: what the commits of
        the archive keep alive beside each other. As of the last look into the archive."""
        name = self.mirror.local_name(self.mirror.namespace.archive)
        lines = self._git.run("rev-list", "--first-parent", "--parents", name, "--", ok=()).text().splitlines()
        return [Oid(parent) for line in lines for parent in line.split(" ")[2:]]

    def files(self, event: Oid) -> dict[str, bytes]:
        """The payloads of an event, by name."""
        return read_files(self._objects, event)

    # -- what the remote may have lost

    def remembered(self) -> Mapping[str, Oid]:
        """All refs of the state that this clone has seen, each at the last value that it had; also those that the
        remote has no more. Their objects may be gone."""
        return {} if self._seen is None else self._seen.known()

    def complete(self, refs: Mapping[str, Oid]) -> frozenset[str]:
        """Of which of these refs all objects are here."""
        if self._is_complete(refs.values()):
            return frozenset(refs)
        return frozenset(name for name, oid in refs.items() if self._is_complete((oid,)))

    def _is_complete(self, oids: Iterable[Oid]) -> bool:
        command = ("rev-list", "--objects", "--stdin", "--not", "--all", "--quiet")
        return self._git.run(*command, stdin="".join(f"{oid}\n" for oid in oids).encode(), ok=()).status == 0

    def lost(self) -> list[str]:
        """The refs that nobody ever deletes and that the remote lacks although this clone has seen them."""
        return [] if self._seen is None else self._seen.lost()

    def forget_gone(self) -> None:
        """Nothing is missing any more of what this clone has seen."""
        if self._seen is not None:
            self._seen.forget_gone()

    def close(self) -> None:
        """Move the mirror to what was published, so that the next command and `git log --notes=orch` see it at once."""
        if self._written and not self.mirror.is_self:
            if self._seen is not None:
                self._seen.add(self._written)
            notes = self._written.get(self.mirror.namespace.notes)
            lines = [_mirror_line(self.mirror.local_name(name), oid) for name, oid in self._written.items()]
            self._git.run(*NO_HOOKS, "update-ref", "--stdin", stdin="".join(lines).encode(), ok=())
            if notes is not None:
                own = self._git.run("rev-parse", "--verify", "--quiet", NOTES, ok=()).text()
                self._copy_notes(notes, Oid(own) if own else None)
        self._written.clear()
        self._objects.close()


def _message(ref: _Listed) -> bytes | None:
    """The commit message of an event; None for anything else that somebody put there."""
    try:
        return decode_commit(ref.data).message if ref.kind == "commit" else None
    except ValueError:
        return None


def _time_ms(seconds: str) -> int:
    """The date of a commit; 0 for one that is no date: anybody may have written it."""
    return int(seconds) * 1000 if re.fullmatch(r"[0-9]{1,11}", seconds) else 0


def _mirror_line(name: str, oid: Oid | None) -> str:
    return f"delete {name}\n" if oid is None else f"update {name} {oid}\n"


def _is_lock_trouble(result: GitResult) -> bool:
    said = result.error_text()
    return "cannot lock ref" in said or ".lock'" in said or "unable to update local ref" in said


def _is_half_made(result: GitResult) -> bool:
    """Whether git stumbled over a worktree of this clone that is being made, or was when its git was killed."""
    return result.status != 0 and _HALF_MADE.search(result.error_text()) is not None


def _half_made(result: GitResult) -> OrchError:
    found = _HALF_MADE.search(result.error_text())
    name = escape(found[1]) if found else "?"
    return OrchError(
        f"git cannot fetch in this clone: the worktree {name} was half made when its git was killed",
        hint="git worktree list, then git worktree unlock PATH for that one, and git worktree prune",
    )


def _last_line(result: GitResult) -> str:
    """What git complained about first. What ssh says stands before that, and helps more."""
    lines = [line.strip() for line in result.error_text().splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    if said and "Could not read from remote repository" in said[0] and lines[0] != said[0]:
        return lines[0]
    return said[0] if said else f"git fetch ended with status {result.status}"
