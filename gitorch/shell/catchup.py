"""Catch-up: a head, rebased onto a tip by git itself. Implements ports.CatchUp.

Promises: the result is what a plain `git rebase` gives in an ordinary checkout (authors, author dates and messages
kept, commits that became empty dropped, merges flattened); nothing of the user's is touched, objects are only added.
A conflict is reported only when git could not merge; every other failure is an error that says why. Does not promise:
message bytes that are not text in the commit's declared encoding (git makes them UTF-8), the user's
`merge.renormalize`, `rebase.*` and `commit.cleanup`, and submodules that only a checkout could fast-forward.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitorch.core.errors import MissingError, OrchError
from gitorch.core.model import Candidate, Oid, TextualConflict
from gitorch.core.text import escape, escape_block
from gitorch.shell.fileless import TRUE_HISTORY, Fileless
from gitorch.shell.gitcmd import Git, GitError, GitResult
from gitorch.shell.worktrees import Kind, Worktrees, disk_faults, require_space

_DETAIL_LIMIT = 2_000

# What git says when an object is not there, or could not be fetched in a partial clone.
_MISSING = ("unable to read", "could not read", "bad object", "promisor", "could not fetch", "missing")
_SIGNING = ("gpg failed", "failed to sign", "user.signingkey", "signing", "public key", "ssh-keygen")


class GitCatchUp:
    """Rebases in private repositories without files, taken from `worktrees` for one catch-up at a time."""

    def __init__(self, worktrees: Worktrees, git: Git, identity_env: Mapping[str, str]) -> None:
        """`identity_env` names the committer of rebased commits: GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL."""
        self._worktrees = worktrees
        self._git = git
        self._identity = identity_env

    def catch_up(self, head: Oid, tip: Oid, *, keep_merges: bool) -> Candidate | TextualConflict:
        """See ports.CatchUp. Raises OrchError when it cannot be done for any reason but a conflict: objects missing,
        signing failed, disk full."""
        behind, ahead = self._distance(head, tip)
        if ahead == 0:
            return self._nothing_left(tip)
        if behind == 0:
            tree, linear = self._look(head, tip)
            if linear or keep_merges:
                return Candidate(head, tree, tip)
        self._refuse_cut_history(head, tip)
        place = self._worktrees.take(Kind.CATCH_UP)
        try:
            with disk_faults(place.path):
                fileless = Fileless(place.path, self._git, self._worktrees.common_dir, self._identity)
                return self._rebase(fileless, head, tip, fresh=fileless.open(tip))
        except GitError as error:
            raise self._failure(head, tip, error.result) from error
        finally:
            place.release()

    def _distance(self, head: Oid, tip: Oid) -> tuple[int, int]:
        """How many commits only the tip and only the head has."""
        result = self._ask("rev-list", "--left-right", "--count", f"{tip}...{head}", "--", ok=())
        if result.status != 0:
            raise self._missing(head, tip, result)
        behind, ahead = result.text().split()
        return int(behind), int(ahead)

    def _look(self, head: Oid, tip: Oid) -> tuple[Oid, bool]:
        """The tree of a head that contains the tip, and whether it is linear on top of it."""
        lines = self._ask("rev-list", "--no-commit-header", "--format=%T %P", f"{tip}..{head}", "--").text().split("\n")
        return Oid(lines[0].split(" ")[0]), all(line.count(" ") == 1 for line in lines)

    def _nothing_left(self, tip: Oid) -> Candidate:
        tree = self._ask("rev-parse", "--verify", f"{tip}^{{tree}}").text()
        return Candidate(tip, Oid(tree), tip)

    def _refuse_cut_history(self, head: Oid, tip: Oid) -> None:
        """In a shallow clone, a commit whose parents were cut off looks as if it had added every file; a rebase over
        it would conflict or, worse, succeed."""
        try:
            cut = set((self._worktrees.common_dir / "shallow").read_text("ascii").split())
        except FileNotFoundError:
            return
        if cut.isdisjoint(self._ask("rev-list", f"{tip}...{head}", "--").text().split()):
            return
        raise OrchError(
            f"this clone is shallow: the history that {head[:12]} and {tip[:12]} share is not here",
            hint="git fetch --unshallow",
        )

    def _rebase(self, fileless: Fileless, head: Oid, tip: Oid, *, fresh: bool) -> Candidate | TextualConflict:
        result, paths = self._run(fileless, head, tip, fresh=fresh)
        rebased = None if paths else fileless.outcome(tip)
        touched = rebased.folders if rebased else fileless.folders_touched(head, tip)
        if not touched <= fileless.folders:
            # The commits bring attributes of their own, and git had no files to see them in. (`build` learns them.)
            fileless.build(tip, touched)
            return self._rebase(fileless, head, tip, fresh=True)
        if rebased is None:
            return TextualConflict(head, tip, paths, _detail(result))
        fileless.keep(rebased.commit)
        return Candidate(rebased.commit, rebased.tree, tip)

    def _run(self, fileless: Fileless, head: Oid, tip: Oid, *, fresh: bool) -> tuple[GitResult, tuple[str, ...]]:
        """Rebase, once more in a new private repository if the old one may have been at fault. Returns what git said
        and the conflicting paths."""
        result = fileless.rebase(head, tip)
        paths = fileless.conflicting(result)
        if result.status == 0 or paths:
            return result, paths
        if fresh:
            raise self._failure(head, tip, result)
        fileless.build(tip)
        return self._run(fileless, head, tip, fresh=True)

    def _failure(self, head: Oid, tip: Oid, result: GitResult) -> OrchError:
        """Why git could not even try."""
        require_space(result.err, self._worktrees.common_dir)
        text = result.error_text()
        if any(words in text.lower() for words in _SIGNING):
            return OrchError(
                f"a rebased commit could not be signed: {_complaint(text)}",
                hint="git config --show-origin --get-regexp '^(commit|gpg|user)[.]'",
            )
        if any(words in text.lower() for words in _MISSING):
            return self._missing(head, tip, result)
        return OrchError(f"git cannot rebase {head[:12]} onto {tip[:12]}: {_complaint(text)}", hint="git orch doctor")

    def _missing(self, head: Oid, tip: Oid, result: GitResult) -> MissingError:
        return MissingError(
            f"objects that {head[:12]} or {tip[:12]} needs are missing here: {_complaint(result.error_text())}",
            hint="git fetch, then git orch doctor",
        )

    def _ask(self, *args: str, ok: tuple[int, ...] = (0,)) -> GitResult:
        return self._git.run(*args, ok=ok, env=TRUE_HISTORY)


def _complaint(text: str) -> str:
    """The first thing that git called an error, fit to be shown."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines or ["no reason given"]
    return escape(said[0].partition(": ")[2] or said[0])


def _detail(result: GitResult) -> str:
    """What git said about the conflicts: where it stopped, and why."""
    lines = (result.out + b"\n" + result.err).decode("utf-8", "surrogateescape").splitlines()
    told = [line for line in lines if line.startswith(("CONFLICT", "error: could not apply"))]
    return escape_block("\n".join(told))[:_DETAIL_LIMIT]
