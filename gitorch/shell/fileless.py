"""A private repository without files, in which git rebases: it borrows the user's objects and nothing else.

It has its own HEAD, index, refs and state, so whatever git does here cannot reach the user's checkout, refs, notes or
reflogs, and there is nothing to register and nothing that `git worktree prune` could take away. Its index is sparse
(folders stay unopened trees), which makes a rebase cost what changed and not what exists. It costs one process to
build, so it is never repaired: `ready` exists only while everything is known to be in order, and without it the whole
is built anew. That covers `kill -9` at any moment, conflicts, and damage.

Files that do exist: those at the root (git offers no sparse index without them) and those directly in folders with a
`.gitattributes`; attributes.py says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitorch.core.model import Oid
from gitorch.shell.attributes import PATHSPEC, AttributeFolders, cone, listed_folders
from gitorch.shell.crash import crash_point
from gitorch.shell.gitcmd import Git, GitResult
from gitorch.shell.worktrees import delete_tree

# Files here are nobody's: written and compared byte for byte. Line endings and filters would make git see files that
# differ from what it wrote itself (a CRLF file in the repository under `* text` does), and run filters for nothing.
_NO_CONVERSION = b"\n* -text !eol !ident !filter !working-tree-encoding\n"

TRUE_HISTORY = {"GIT_NO_REPLACE_OBJECTS": "1"}
"""Replaced objects exist in one clone only; what lands must mean the same everywhere."""

# Given on the command line, so that nothing the user configured, in files or in the environment, comes after it. Only
# what would change a result or cost time is here: refs, notes, hooks and recorded resolutions of the user's are out of
# reach anyway.
_SPARSE = (
    "core.sparseCheckout=true",
    "core.sparseCheckoutCone=true",
    "index.sparse=true",
    "core.splitIndex=false",  # does not go with a sparse index
    "core.logAllRefUpdates=false",
    "core.hooksPath=/dev/null",
    "submodule.recurse=false",
)
_REBASE = (
    "commit.cleanup=verbatim",  # messages as they are, comment lines included
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "merge.renormalize=false",  # it would ask for conversions
    "merge.verbosity=2",  # says what conflicts there are
    "rebase.instructionFormat=%s",
    "rebase.rebaseMerges=false",  # git 2.41
)
_LOG = ("diff.orderFile=/dev/null", "log.follow=false", "log.showSignature=false", "color.ui=false")
_REBASE_OPTIONS = ("--quiet", "--merge", "--no-autosquash", "--no-stat")
_ABOUT_OBJECTS = ("objectformat", "compatobjectformat", "partialclone")
_LOG_OPTIONS = ("-z", "--no-renames", "--diff-merges=separate", "--name-only")


@dataclass(frozen=True, slots=True)
class Rebased:
    """What a rebase gave. `folders` have a `.gitattributes` that one of the new commits touched."""

    commit: Oid
    tree: Oid
    folders: frozenset[str]


class Fileless:
    """One private repository, in a place that this process holds."""

    def __init__(self, place: Path, git: Git, common_dir: Path, identity: Mapping[str, str]) -> None:
        """`git` runs in the user's repository, `identity` is the environment that names the committer."""
        self._user_git = git
        self._common_dir = common_dir
        self._files = place / "files"
        self._git_dir = place / "git"
        self._ready = place / "ready"
        if not place.is_dir():
            delete_tree(place)
            place.mkdir()
        borrowed = {
            "GIT_OBJECT_DIRECTORY": str(common_dir / "objects"),
            "GIT_SHALLOW_FILE": str(common_dir / "shallow"),
        }
        self._git = Git(
            self._files,
            git_dir=self._git_dir,
            work_tree=self._files,
            extra={**borrowed, **identity},
        )
        self._attributes = AttributeFolders(place / "folders", self._attributes_changed)

    @property
    def folders(self) -> frozenset[str]:
        """The folders whose attributes git sees here, besides the root."""
        return self._attributes.folders

    def open(self, tip: Oid) -> bool:
        """Make it ready for a rebase onto `tip`. Returns whether it had to be built anew."""
        was_ready = self._take_ready()
        self._attributes.learn(tip)
        fits = (
            was_ready
            and self._files.is_dir()
            and all(_read(self._git_dir / name) == data for name, data in self._fitted().items())
        )
        if not fits:
            self.build(tip)
        return not fits

    def build(self, tip: Oid, folders: frozenset[str] = frozenset()) -> None:
        """Make it anew, with attributes in these folders too."""
        delete_tree(self._git_dir)
        delete_tree(self._files)
        for folder in (self._files, self._git_dir / "info", self._git_dir / "refs"):
            folder.mkdir(parents=True)
        self._attributes.cover(tip, folders)
        fixed = {"config": self._config(), "HEAD": tip.encode() + b"\n"}
        for name, data in (fixed | self._fitted()).items():
            (self._git_dir / name).write_bytes(data)
        crash_point("after a private repository is written")
        self._run(_SPARSE, "read-tree", "-m", "-u", tip)

    def rebase(self, head: Oid, tip: Oid) -> GitResult:
        """`git rebase`, whatever comes of it: 0 is success, 1 with `conflicting` paths a conflict."""
        return self._run(_SPARSE + _REBASE, "rebase", *_REBASE_OPTIONS, tip, head, ok=())

    def conflicting(self, result: GitResult) -> tuple[str, ...]:
        """The paths at which a rebase stopped; none if it failed for another reason."""
        if result.status != 1:
            return ()
        listed = self._run(_SPARSE, "ls-files", "--unmerged", "-z").out.split(b"\0")[:-1]
        paths = {entry.partition(b"\t")[2] for entry in listed}
        if not paths and b"\nCONFLICT (" in b"\n" + result.out:
            # Folders that were renamed in two ways leave no unmerged file: then it is what the commit touches.
            options = ("-r", "-z", "--root", "--no-renames", "--no-commit-id", "--name-only", "REBASE_HEAD")
            paths = set(self._run(_SPARSE, "diff-tree", *options).out.split(b"\0")[:-1])
        return tuple(sorted(path.decode("utf-8", "surrogateescape") for path in paths))

    def outcome(self, tip: Oid) -> Rebased:
        """What the rebase onto `tip` gave: the tip itself if nothing is left on top of it."""
        # --sparse: all commits, not only those that touch attributes. The first one is HEAD.
        output = self._log("--sparse", "--format=%H %T", f"{tip}..HEAD")
        if not output:
            tree = self._run(_SPARSE, "rev-parse", "--verify", f"{tip}^{{tree}}").text()
            return Rebased(tip, Oid(tree), frozenset())
        commit, tree = output.partition(b"\0")[0].decode("ascii").split(" ")
        return Rebased(Oid(commit), Oid(tree), listed_folders(output))

    def folders_touched(self, head: Oid, tip: Oid) -> frozenset[str]:
        """Folders whose attributes a commit of `tip..head` touches."""
        return listed_folders(self._log("--full-history", "--format=", f"{tip}..{head}"))

    def keep(self, commit: Oid) -> None:
        """Say that all is in order, with `commit` checked out, which has attributes in no other folders."""
        self._attributes.cover(commit, ())
        crash_point("before a private repository is kept")
        self._ready.touch()
        crash_point("after a private repository is kept")

    def _take_ready(self) -> bool:
        """Whether `keep` was the last word. From now on, until the next one, this repository counts as damaged."""
        try:
            self._ready.unlink()
        except FileNotFoundError:
            return False
        crash_point("after a private repository is opened")
        return True

    def _fitted(self) -> dict[str, bytes]:
        """The files that depend on what is rebased, and on what the user changes between two rebases."""
        attributes = _read(self._common_dir / "info" / "attributes") or b""
        return {"info/attributes": attributes + _NO_CONVERSION, "info/sparse-checkout": cone(self.folders)}

    def _config(self) -> bytes:
        """The user's configuration (drivers, identity, signing, where a partial clone fetches from), in a repository
        of the same kind."""
        shared = self._common_dir / "config"
        extensions = self._extensions(shared)
        lines = [
            "[core]",
            f"\trepositoryformatversion = {1 if extensions else 0}",
            "\tbare = false",
            *(["[extensions]"] if extensions else []),
            *(f"\t{name} = {_quoted(value)}" for name, value in extensions),
            "[include]",
            f"\tpath = {_quoted(str(shared))}",
        ]
        return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"

    def _extensions(self, shared: Path) -> list[tuple[str, str]]:
        """What kind of repository the user's is, as far as its objects go."""
        if b"extensions" not in (_read(shared) or b"").lower():
            return []
        listed = self._user_git.run("config", "-z", "--file", str(shared), "--get-regexp", r"^extensions\.", ok=(0, 1))
        found = [entry.partition("\n") for entry in listed.out.decode("utf-8", "surrogateescape").split("\0")[:-1]]
        named = [(name.removeprefix("extensions."), value) for name, _, value in found]
        return [(name, value) for name, value in named if name in _ABOUT_OBJECTS]

    def _attributes_changed(self, old: Oid, new: Oid) -> bytes:
        options = ("-r", "-z", "--no-renames", "--name-only", old, new, "--", PATHSPEC)
        return self._user_git.run("diff-tree", *options, env=TRUE_HISTORY).out

    def _log(self, *what: str) -> bytes:
        return self._run(_SPARSE + _LOG, "log", *_LOG_OPTIONS, *what, "--", PATHSPEC).out

    def _run(self, config: tuple[str, ...], *args: str, ok: tuple[int, ...] = (0,)) -> GitResult:
        return self._git.run(*options(config), *args, ok=ok)


def options(config: tuple[str, ...]) -> list[str]:
    """Configuration as options of git."""
    return [word for value in config for word in ("-c", value)]


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
