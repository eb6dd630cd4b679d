"""A process that runs a gate as a lander does, in a worktree made by plain git, so that tests can kill it.

`python -m tests.git.lander WORKTREE GIT_DIR COMMIT COMMAND...` prints the result's end and reason.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gitorch.core.gates import Gate, GateRequest
from gitorch.core.model import JobId, Oid
from gitorch.shell.runner import ShellGateRunner
from gitorch.shell.system import Interrupted, RealClock, handle_signals
from tests.support import git

NOWHERE = Oid("0" * 40)


class PlainTree:
    """runner.GateTree by plain git."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.released = False

    def checkout(self, commit: Oid) -> None:
        git(self.path, "checkout", "-q", "--force", "--detach", commit)

    def inspect(self, commit: Oid) -> str:
        if git(self.path, "rev-parse", "HEAD") != commit:
            return "the gate moved HEAD"
        changed = git(self.path, "status", "--porcelain", "--untracked-files=no")
        return "the gate changed tracked files" if changed else ""

    def release(self) -> None:
        self.released = True


def request(
    commit: str,
    commands: Sequence[str],
    *,
    timeout_s: float = 60.0,
    retries: int = 0,
    job: str | None = "abc123",
) -> GateRequest:
    gate = Gate(commands=tuple(commands), digest=NOWHERE, origin="test", timeout_s=timeout_s, retries=retries)
    named = None if job is None else JobId(job)
    return GateRequest(gate=gate, commit=Oid(commit), tree=NOWHERE, target="main", base=NOWHERE, job=named)


def main(worktree: str, git_dir: str, commit: str, *commands: str) -> None:
    runner = ShellGateRunner(lambda gate: PlainTree(Path(worktree)), Path(git_dir), RealClock(), grace_s=0.5)
    try:
        with handle_signals():
            result = runner.run(request(commit, commands), lambda seconds: True)
    except Interrupted as error:
        print("interrupted", error.signum)
    else:
        print(result.end.value, result.reason)


if __name__ == "__main__":
    main(*sys.argv[1:])
