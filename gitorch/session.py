"""Puts the parts together: a repository, the store on its remote, and the world that the engine works in.

The command line and programs that use git orch as a library both start here. Everything heavy is imported when it
is needed: a command that only looks never imports pygit2 or filelock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.core.gates import GateRequest, GateResult
from gitorch.core.model import Candidate, Oid, TextualConflict
from gitorch.core.names import SELF, Mirror
from gitorch.core.settings import Settings
from gitorch.shell.lastseen import LastSeen
from gitorch.shell.objects import Objects, open_objects
from gitorch.shell.repository import Repository, choose_remote, choose_target, open_repository
from gitorch.shell.store import GitStore
from gitorch.shell.system import RealClock, RealRandom, describe_holder

if TYPE_CHECKING:
    from gitorch.engine.world import World
    from gitorch.ports import CatchUp, GateRunner, Reporter, Trust
    from gitorch.shell.runner import Display
    from gitorch.shell.signatures import SignatureReader, SigningPolicy


class SilentReporter:
    """Implements ports.Reporter for programs: nothing is shown."""

    def say(self, text: str) -> None:
        """See ports.Reporter."""


@dataclass(frozen=True, slots=True)
class Session:
    """One command's view of a repository: where the truth is, which target is meant, and the store between them."""

    repository: Repository
    remote: str
    target: str
    mirror: Mirror
    objects: Objects
    store: GitStore

    @property
    def settings(self) -> Settings:
        """The clone's own configuration; what the target adds is known once its tip is."""
        return Settings(self.repository.config)

    @property
    def is_self(self) -> bool:
        return self.mirror.is_self

    def onto(self, target: str) -> str:
        """How people here name the remote's target."""
        return target if self.is_self else f"{self.remote}/{target}"

    def world(self, reporter: Reporter | None = None, gates: GateRunner | None = None) -> World:
        """The engine's world on this repository. `gates` runs gates; commands that run none leave it out."""
        from gitorch.engine.world import World
        from gitorch.shell.history import GitHistory
        from gitorch.shell.own_remote import NoCheckouts, OwnCheckouts
        from gitorch.shell.policy import GitPolicy
        from gitorch.shell.remembered import CloneMemory

        repository, clock = self.repository, RealClock()
        own = repository.git_dir / "orch"
        return World(
            store=self.store,
            history=GitHistory(repository.git, self.objects),
            catch_up=_LateCatchUp(repository),
            gates=gates or _NoGates(),
            policy=GitPolicy(repository.git, self.objects, repository.config),
            memory=CloneMemory(repository.orch_dir, own, self.remote, clock),
            checkouts=OwnCheckouts(repository.git, repository.common_dir) if self.is_self else NoCheckouts(),
            clock=clock,
            random=RealRandom(),
            reporter=reporter or SilentReporter(),
            namespace=self.mirror.namespace,
            holder=describe_holder(),
            missing_holds=self.settings.missing_holds,
            gc_grace_s=self.settings.gc_grace_s,
            trust=self.trust(),
        )

    def trust(self) -> Trust:
        """Judges signatures by the rules of the target of each job, with what this clone is told in addition."""
        from gitorch.shell.signatures import GitTrust

        return GitTrust(self.signature_reader(), self.signing_policy().rules, self.repository.git)

    def signature_reader(self) -> SignatureReader:
        from gitorch.shell.signatures import SignatureReader

        return SignatureReader(self.repository.git, RealClock())

    def signing_policy(self) -> SigningPolicy:
        """Which signatures a target wants."""
        from gitorch.shell.policy import GitPolicy
        from gitorch.shell.signatures import SigningPolicy

        git = self.repository.git
        return SigningPolicy(git, GitPolicy(git, self.objects, self.repository.config), self.settings)

    def root(self) -> Oid:
        """The id of the constant commit that all chains begin with."""
        from gitorch.core.gitobjects import object_id, root_commit

        kind = self.repository.object_format
        return object_id("commit", root_commit(object_id("tree", b"", kind)), kind)

    def gate_runner(self, display: Display | None = None) -> GateRunner:
        """Runs gates in a private worktree of this repository; `display` shows people what runs."""
        return _LateGates(self.repository, display)

    def close(self) -> None:
        """Bring the mirror up to date with what was published, end child processes."""
        self.store.close()


def open_session(
    directory: Path | None = None, *, remote: str | None = None, target: str | None = None, bulk: bool = False
) -> Session:
    """Open the repository around `directory`. `bulk` says that many objects will be read and written. Raises
    UsageError outside of a repository and for a remote or target that makes no sense."""
    repository = open_repository(directory)
    name = choose_remote(repository, remote)
    mirror = Mirror(name, Settings(repository.config).namespace)
    objects = open_objects(repository.git, repository.git_dir, repository.object_format, bulk=bulk)
    chosen = choose_target(repository, name, target)
    store = GitStore(
        repository.git,
        mirror,
        objects,
        ident=repository.ident(),
        url=str(repository.common_dir) if name == SELF else name,
        clock=RealClock(),
        random=RealRandom(),
        seen=LastSeen(repository.orch_dir, name, mirror.namespace),
        mend=lambda: _forget_half_made(repository),
        signs=lambda: _signs(repository, name, mirror, chosen),
    )
    return Session(repository, name, chosen, mirror, objects, store)


def _forget_half_made(repository: Repository) -> None:
    from gitorch.shell.worktrees import Worktrees

    Worktrees(repository.git, repository.common_dir).forget_half_made()


def _signs(repository: Repository, remote: str, mirror: Mirror, target: str) -> bool:
    """Whether events are signed here: because this clone wants to (orch.sign), or because the target's rules do."""
    settings = Settings(repository.config)
    if settings.text("orch.sign") is not None:
        return settings.flag("orch.sign", False)
    if settings.text("orch.requireSigned") is not None:
        return settings.flag("orch.requireSigned", False)
    from gitorch.shell.signatures import shared_wish

    return shared_wish(repository.git, remote, mirror, target)


class _LateCatchUp:
    """The catch-up of a repository, built when the first job needs it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._real: CatchUp | None = None

    def catch_up(self, head: Oid, tip: Oid, *, keep_merges: bool) -> Candidate | TextualConflict:
        """See ports.CatchUp."""
        if self._real is None:
            from gitorch.shell.catchup import GitCatchUp
            from gitorch.shell.worktrees import Worktrees

            git = self._repository.git
            worktrees = Worktrees(git, self._repository.common_dir)
            self._real = GitCatchUp(worktrees, git, self._repository.ident_variables())
        return self._real.catch_up(head, tip, keep_merges=keep_merges)


class _LateGates:
    """The gate runner of a repository, built when the first gate runs: a landing with a known verdict runs none."""

    def __init__(self, repository: Repository, display: Display | None) -> None:
        self._repository = repository
        self._display = display
        self._real: GateRunner | None = None

    def run(self, request: GateRequest, tick: Callable[[float], bool]) -> GateResult:
        """See ports.GateRunner."""
        if self._real is None:
            from gitorch.shell.checkout import GateWorktree
            from gitorch.shell.runner import ShellGateRunner
            from gitorch.shell.worktrees import Worktrees

            worktrees = Worktrees(self._repository.git, self._repository.common_dir)
            self._real = ShellGateRunner(
                lambda gate: GateWorktree.take(worktrees, keep_ignored=gate.keep_ignored),
                self._repository.common_dir,
                RealClock(),
                display=self._display,
            )
        return self._real.run(request, tick)


class _NoGates:
    """For commands that never run a gate."""

    def run(self, request: GateRequest, tick: Callable[[float], bool]) -> GateResult:
        """See ports.GateRunner."""
        del tick
        raise AssertionError(f"this command runs no gate, and {request.commit} was to be tested")
