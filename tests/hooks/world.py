"""A bare repository in which vectors build pushes, object by object, and both judges of a push."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pygit2

from gitorch.core.admission import Change, RefusalError, Rules, judge
from gitorch.core.archive import branch_path, entry_path, entry_text
from gitorch.core.codec import AnyRecord, encode
from gitorch.core.gitobjects import CommitParts, TreeEntry, decode_commit, encode_commit, encode_tree, root_commit
from gitorch.core.model import GraphEdit, Job, JobId, Lease, Oid, Slot, State, Worker
from gitorch.core.names import Namespace, branch_ref
from gitorch.core.signing import Signature, SigningRules
from gitorch.core.writes import ArchiveEntry
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import GitObjects
from gitorch.shell.signatures import SignatureReader, SignedObjects
from gitorch.shell.system import RealClock
from tests.git.signing import SshKey
from tests.support import Run, try_git

HOOK = Path(__file__).parents[2] / "hooks" / "pre-receive"
SHELLS = {"dash": ("dash",), "busybox": ("busybox", "sh"), "bash": ("bash",)}
NS = Namespace()
MAIN = branch_ref("main")
TOKEN, OTHER_TOKEN = "a" * 40, "b" * 40
NOW_MS = 1_700_000_000_123
IDENT = "Ada <ada@example.org>"
_CODE = re.compile(r"\[([a-z-]+)\]$", re.MULTILINE)


@dataclass
class World:
    """A bare repository. `changes` are what the vector pushes; `config` and `forge` how the server is set up."""

    path: Path
    repo: pygit2.Repository = field(init=False)
    changes: list[Change] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=lambda: {"orch.target": "main"})
    forge: bool = False
    signing: SigningRules = field(default_factory=SigningRules)
    numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.repo = pygit2.init_repository(str(self.path), bare=True, initial_head="main")
        self.empty = self.tree({})
        self.root = self.write(pygit2.GIT_OBJECT_COMMIT, root_commit(self.empty))

    # -- objects

    def write(self, kind: int, data: bytes) -> Oid:
        return Oid(str(self.repo.odb.write(kind, data)))

    def blob(self, data: bytes | str) -> Oid:
        return self.write(pygit2.GIT_OBJECT_BLOB, data.encode() if isinstance(data, str) else data)

    def tree(self, files: Mapping[str, bytes | str | tuple[str, Oid]]) -> Oid:
        """A tree of files by path; a pair is a mode and an object."""
        entries: list[TreeEntry] = []
        folders: dict[str, dict[str, bytes | str | tuple[str, Oid]]] = {}
        for path, content in files.items():
            folder, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(folder, {})[rest] = content
            else:
                mode, oid = content if isinstance(content, tuple) else ("100644", self.blob(content))
                entries.append(TreeEntry(mode, path.encode(), oid))
        entries += [TreeEntry("40000", name.encode(), self.tree(inside)) for name, inside in folders.items()]
        return self.write(pygit2.GIT_OBJECT_TREE, encode_tree(entries))

    def commit(self, message: str = "work\n", parents: Sequence[Oid] = (), tree: Oid | None = None) -> Oid:
        return self.write(pygit2.GIT_OBJECT_COMMIT, encode_commit(tree or self.empty, parents, IDENT, NOW_MS, message))

    def code(self, text: str, *parents: Oid, **files: str) -> Oid:
        """A commit of source code."""
        return self.commit(f"{text}\n", parents, self.tree({"code": text, **files}))

    def event(
        self,
        record: AnyRecord,
        word: str,
        old: Oid | None = None,
        *,
        parents: Sequence[Oid] | None = None,
        tree: Oid | None = None,
        nonce: str | None = None,
        edit: tuple[str, str] | None = None,
        body: str = "",
    ) -> Oid:
        """An event on top of `old`, as git orch writes it; `edit` replaces a part of its message."""
        message = encode(record, event=word, subject=word, nonce=nonce or f"n{next(self.numbers):09}", body=body)
        if edit is not None:
            assert edit[0] in message, message
            message = message.replace(*edit)
        if parents is None:
            parents = [old or self.root]
            head = getattr(record, "head", None) if word in ("submit", "catch-up") else None
            parents += [head] if head else []
        return self.commit(message, parents, tree)

    # -- refs

    def put(self, ref: str, oid: Oid) -> Oid:
        """What stands there before the push."""
        path = self.path / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(oid + "\n")
        return oid

    def now(self, ref: str) -> Oid | None:
        path = self.path / ref
        return Oid(path.read_text().strip()) if path.is_file() else None

    def push(self, ref: str, new: Oid | None, old: Oid | str | None = "now") -> None:
        """A line of the push. Without `old`, the client knows the present value."""
        self.changes.append(Change(ref, self.now(ref) if old == "now" else (Oid(old) if old else None), new))

    # -- signatures

    def require(self, *lines: str, **may: str) -> None:
        """Let the server want signatures by these allowed signers, which main names."""
        files = {".gitorch-signers": "".join(lines), ".gitorch": "[orch]\n\trequireSigned = yes\n"}
        files[".gitorch"] += "".join(f"\tmay{duty} = {who}\n" for duty, who in may.items())
        self.put(MAIN, self.commit("first\n", [], self.tree(files)))
        limits = {duty.lower(): frozenset(who.split()) for duty, who in may.items()}
        self.signing = SigningRules(required=True, signers="".join(lines), may=limits)

    def sign(self, commit: Oid, key: SshKey) -> Oid:
        """The same commit, signed."""
        settings = {"gpg.format": "ssh", "user.signingKey": str(key.path)}
        extra = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_DIR": str(self.path)}
        for number, (name, value) in enumerate(settings.items()):
            extra |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        git = Git(self.path, extra=extra)
        return SignedObjects(git, GitObjects(git)).write("commit", self.repo.odb.read(commit)[1])

    # -- the two judges

    def rules(self) -> Rules:
        return Rules(
            targets=frozenset({"main"}),
            root=self.root,
            empty_tree=self.empty,
            namespace=Namespace(self.config.get("orch.namespace", "refs/orch")),
            gates={"main": self.gate_in_force()},
            forge_merges=self.forge,
            signing=self.signing,
        )

    def gate_in_force(self) -> Oid | None:
        """The digest of the gate that the present main defines."""
        tip = self.now(MAIN)
        run = subprocess.run(
            ["git", "config", "--blob", f"{tip}:.gitorch", "--get-all", "orch.gate"],
            cwd=self.path,
            capture_output=True,
            check=False,
        )
        return self.blob(run.stdout) if run.returncode == 0 and run.stdout.strip() else None

    def python(self) -> RefusalError | None:
        """The refusal in Python; None where the push is taken."""
        return judge(self.changes, self.rules(), RepoView(self.repo, self.signing.signers))

    def shell(self, name: str) -> str:
        """The word of the refusal by the hook in a shell, empty for none."""
        run = self.run_hook(name)
        found = _CODE.search(run.err)
        assert (run.status == 0) == (found is None), run.said()
        return found[1] if found else ""

    def run_hook(self, name: str, **env: str) -> Run:
        """The hook with nothing on its PATH but git, and the lines that git would give it."""
        config = {**self.config, **({"orch.forgeMerge": "true"} if self.forge else {})}
        text = "".join(f"[{key.split('.')[0]}]\n\t{key.split('.')[1]} = {value}\n" for key, value in config.items())
        (self.path / "config").write_text("[core]\n\tbare = true\n\trepositoryformatversion = 0\n" + text)
        zero = "0" * 40
        lines = "".join(f"{c.old or zero} {c.new or zero} {c.ref}\n" for c in self.changes)
        program = shutil.which(SHELLS[name][0])
        assert program is not None
        done = subprocess.run(
            [program, *SHELLS[name][1:], str(HOOK)],
            cwd=self.path,
            input=lines.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env={"PATH": str(only_git(self.path)), "GIT_DIR": ".", "GIT_CONFIG_GLOBAL": os.devnull, **env},
            check=False,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))


def only_git(path: Path) -> Path:
    """A folder that has git and nothing else, but what git itself calls to check a signature."""
    folder = path.parent / "only-git"
    if not folder.exists():
        folder.mkdir()
        for program in ("git", "ssh-keygen", "gpg"):
            if found := shutil.which(program):
                (folder / program).symlink_to(found)
    return folder


@dataclass(frozen=True)
class RepoView:
    """`gitorch.core.admission.View` of a repository on disk."""

    repo: pygit2.Repository
    signers: str = ""

    def signature(self, commit: Oid) -> Signature:
        reader = SignatureReader(Git(Path(self.repo.path)), RealClock())
        return reader.read([commit], self.signers).get(commit, Signature())

    def ref(self, name: str) -> Oid | None:
        found = self.repo.references.get(name)
        return None if found is None else Oid(str(found.target))

    def refs(self, prefix: str) -> Mapping[str, Oid]:
        names = [name for name in self.repo.references if name.startswith(prefix)]
        return {name: oid for name in names if (oid := self.ref(name)) is not None}

    def _read(self, oid: Oid) -> tuple[int, bytes]:
        try:
            kind, data = self.repo.odb.read(oid)
        except (KeyError, pygit2.GitError) as problem:
            raise ValueError(str(problem)) from None
        return int(kind), data

    def kind(self, oid: Oid) -> tuple[str, int]:
        if pygit2.Oid(hex=oid) not in self.repo.odb:
            return "missing", 0
        kind, data = self._read(oid)
        return {1: "commit", 2: "tree", 3: "blob", 4: "tag"}[int(kind)], len(data)

    def commit(self, oid: Oid) -> CommitParts:
        return decode_commit(self._read(oid)[1])

    def files(self, tree: Oid) -> Mapping[bytes, tuple[str, int]]:
        run = try_git(Path(self.repo.path), "ls-tree", "-r", "-t", "-l", "-z", tree)
        if run.status != 0:
            raise ValueError(run.err)
        text = run.out
        found = (entry.partition("\t") for entry in text.split("\0") if entry)
        return {
            path.encode(): (head.split()[0], int(head.split()[3]) if head.split()[3] != "-" else 0)
            for head, _, path in found
        }

    def at(self, commit: Oid, path: str) -> Oid | None:
        run = try_git(Path(self.repo.path), "rev-parse", "-q", "--verify", f"{commit}:{path}")
        return Oid(run.out.strip()) if run.status == 0 else None

    def diff(self, old: Oid | None, new: Oid) -> Sequence[tuple[bytes, Oid | None, Oid | None, str]]:
        before, after = self._flat(old), self._flat(new)
        changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
        return [
            (
                path,
                before[path][1] if path in before else None,
                after[path][1] if path in after else None,
                after.get(path, ("000000", ""))[0],
            )
            for path in sorted(changed)
        ]

    def _flat(self, commit: Oid | None) -> dict[bytes, tuple[str, Oid]]:
        if commit is None:
            return {}
        run = try_git(Path(self.repo.path), "ls-tree", "-r", "-z", commit)
        if run.status != 0:
            raise ValueError(run.err)
        text = run.out
        found = (entry.partition("\t") for entry in text.split("\0") if entry)
        return {
            path.encode("utf-8", "surrogateescape"): (head.split()[0], Oid(head.split()[2])) for head, _, path in found
        }

    def blob(self, oid: Oid) -> bytes:
        return self._read(oid)[1]

    def is_ancestor(self, old: Oid, new: Oid) -> bool:
        return old == new or try_git(Path(self.repo.path), "merge-base", "--is-ancestor", old, new).status == 0


# -- records as the vectors need them


def job(job_id: str = "a", **more: Any) -> Job:
    return Job(
        **{
            "id": JobId(job_id),
            "title": "Work",
            "state": State.QUEUED,
            "target": "main",
            "created_ms": NOW_MS,
            "updated_ms": NOW_MS,
            **more,
        }
    )


def claimed(before: Job, **more: Any) -> Job:
    claim = {"state": State.CLAIMED, "worker": "ada", "token": TOKEN, "ttl_s": 300, "attempt": before.attempt + 1}
    return replace(before, **{**claim, **more})


def lease(**more: Any) -> Lease:
    return Lease(
        **{
            "target": "main",
            "epoch": 1,
            "held": True,
            "ttl_s": 300,
            "since_ms": NOW_MS,
            "updated_ms": NOW_MS,
            "holder": "ada",
            "token": TOKEN,
            **more,
        }
    )


def free(before: Lease, **more: Any) -> Lease:
    return replace(before, **{"held": False, "holder": None, "token": None, **more})


def worker(**more: Any) -> Worker:
    base = {"id": "w1", "holder": "ada on a", "present": True, "capacity": 1, "ttl_s": 60}
    return Worker(**{**base, "since_ms": NOW_MS, "updated_ms": NOW_MS, **more})


def slot(**more: Any) -> Slot:
    return Slot(**{"number": 1, "held": True, "updated_ms": NOW_MS, "job": JobId("a"), "token": TOKEN, **more})


def graph(job_id: str, edits: int, *after: str) -> GraphEdit:
    return GraphEdit(job=JobId(job_id), edits=edits, updated_ms=NOW_MS, after=tuple(JobId(word) for word in after))


def archive_files(world: World, *tips: tuple[Oid, Job]) -> dict[str, str]:
    """The files of an archive that has these jobs, each at its last event."""
    files: dict[str, str] = {}
    for tip, record in tips:
        message = world.repo.odb.read(tip)[1].partition(b"\n\n")[2].decode()
        entry = ArchiveEntry(record.id, tip, message, record.branch, ("ends",))
        files["/".join(entry_path(record.id))] = entry_text(entry)
        if record.branch is not None:
            path = "/".join(branch_path(record.branch))
            files[path] = files.get(path, "") + f"{record.id}\n"
    return files


ARCHIVE_MESSAGE = "Archive jobs\n\nOrch-Format: 1\nRecord: archive\nEvent: fold\nNonce: x1\n"
