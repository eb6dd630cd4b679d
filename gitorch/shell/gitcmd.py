"""The one door to the `git` program: every git process of this project starts here.

Promises: an explicit directory, a scrubbed `GIT_*` environment, `LC_ALL=C`, no prompt unless there is a terminal, a
time limit, stderr kept. Does not promise that arguments are safe: callers pass full ref names, or put user text
after `--`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitorch.core.errors import OrchError
from gitorch.shell.crash import crash_point

# Kept from the caller's environment; every other GIT_* variable could redirect us to another repository, index or
# object store.
KEPT_GIT_VARIABLES = frozenset(
    {
        "GIT_ALLOW_PROTOCOL",  # a policy of the user's
        "GIT_ASKPASS",  # how to ask for credentials
        "GIT_AUTHOR_DATE",  # identity and time, also how tests make history reproducible
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_DATE",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CEILING_DIRECTORIES",  # how far discovery may climb
        "GIT_CONFIG_COUNT",  # `git -c key=value orch ...` and configuration by environment in CI
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",  # which git
        "GIT_PROXY_COMMAND",  # how to reach the remote
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
        "GIT_SSL_NO_VERIFY",
        "GIT_TRACE",  # debugging
        "GIT_TRACE2",
        "GIT_TRACE2_EVENT",
        "GIT_TRACE_CURL",
        "GIT_TRACE_PACKET",
    }
)
KEPT_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")

LOCAL_TIMEOUT_S = 600.0
"""Bound for commands that stay on this machine; a rebase of a long branch on a slow disk is the longest of them."""

NETWORK_TIMEOUT_S = 120.0
"""Bound for one fetch or push."""

# Answers that must not depend on the user's configuration; background maintenance would race with our next command.
QUIET_CONFIG = (
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "advice.detachedHead=false",
)


_SEE_DOCTOR = "run `git orch doctor` to see what is wrong with this repository"


NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
"""For commands that move refs of our own in a clone: hooks of the clone are there for what its user does. Not for
everybody: it would hide where the user's hooks are."""


class GitError(OrchError):
    """A git process ended in a way its caller did not expect."""

    def __init__(self, argv: Sequence[str], result: GitResult) -> None:
        self.result = result
        said = result.error_text().strip().splitlines()
        why = said[-1] if said else f"exit status {result.status}"
        full = "No space left on device" in why
        hint = "make room (`df -h .`), then try again" if full else _SEE_DOCTOR
        super().__init__(f"git {_verb(argv)} failed: {why}", hint=hint)


class GitTimeoutError(OrchError):
    """A git process did not end in time and was killed."""

    code = "unreachable"
    retryable = True

    def __init__(self, argv: Sequence[str], timeout_s: float) -> None:
        super().__init__(
            f"git {_verb(argv)} gave no answer for {timeout_s:.0f} s and was stopped",
            hint="run `git orch doctor` to see whether the remote can be reached, then try again",
        )


@dataclass(frozen=True, slots=True)
class GitResult:
    """What a git process left: its exit status and both streams, undecoded."""

    status: int
    out: bytes
    err: bytes

    def text(self) -> str:
        """Standard output as text, without the final newline; what is not UTF-8 becomes a surrogate, never an error."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")

    def error_text(self) -> str:
        return self.err.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Git:
    """Starts git in one place: a directory, plus `GIT_DIR` and `GIT_WORK_TREE` where discovery must not be left to
    chance."""

    directory: Path
    git_dir: Path | None = None
    work_tree: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        ok: Sequence[int] = (0,),
        timeout_s: float = LOCAL_TIMEOUT_S,
        env: Mapping[str, str] | None = None,
    ) -> GitResult:
        """Run `git ARGS` and wait. Raises GitError for an exit status that is not in `ok` (an empty `ok` accepts
        all), GitTimeoutError when `timeout_s` passes; git gets a SIGTERM first, so that it removes its lock
        files."""
        argv = ["git", *QUIET_CONFIG, *args]
        crash_point(f"before git {_verb(args)}")
        with self._spawn(argv, env, stdin=stdin is not None, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                try:
                    process.communicate(timeout=2.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                raise GitTimeoutError(args, timeout_s) from None
        result = GitResult(process.returncode, out, err)
        crash_point(f"after git {_verb(args)}")
        if ok and result.status not in ok:
            raise GitError(args, result)
        return result

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start a git that answers over pipes until its standard input is closed; the caller ends it."""
        return self._spawn(["git", *QUIET_CONFIG, *args], None, stdin=True, stderr=subprocess.DEVNULL)

    def _spawn(
        self, argv: Sequence[str], env: Mapping[str, str] | None, *, stdin: bool, stderr: int
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                argv,
                cwd=self.directory,
                env=self.environment(env),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except OSError as problem:
            raise OrchError(
                f"git could not be started in {self.directory}: {problem.strerror}",
                hint="git --version (is git installed, and does the directory still exist?)",
            ) from None

    def line(self, *args: str) -> str:
        """The output of a command that answers with one line."""
        return self.run(*args).text()

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment that every git process gets; see KEPT_GIT_VARIABLES."""
        env = scrubbed_environment()
        env["LC_ALL"] = "C"
        env["GIT_OPTIONAL_LOCKS"] = "0"
        # A replaced object is one that nobody else sees: what is tested must be what is pushed.
        env["GIT_NO_REPLACE_OBJECTS"] = "1"
        env["GIT_EDITOR"] = env["GIT_SEQUENCE_EDITOR"] = "true"
        if not _has_terminal():
            env["GIT_TERMINAL_PROMPT"] = "0"
            env.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        if self.git_dir is not None:
            env["GIT_DIR"] = str(self.git_dir)
        if self.work_tree is not None:
            env["GIT_WORK_TREE"] = str(self.work_tree)
        env.update(self.extra)
        env.update(more or {})
        return env


def scrubbed_environment() -> dict[str, str]:
    """The caller's environment without the `GIT_*` variables that would lead git elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in KEPT_GIT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }


def _has_terminal() -> bool:
    return os.isatty(0) and os.isatty(2)


def _verb(args: Sequence[str]) -> str:
    """The subcommand, for messages: the first word that is neither an option nor an option's value."""
    skip = False
    for word in args:
        if skip:
            skip = False
        elif word in ("-c", "-C"):
            skip = True
        elif not word.startswith("-"):
            return word
    return "command"
