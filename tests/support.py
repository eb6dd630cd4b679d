"""Real git for tests: a bare remote, clones of it, commits and branches, and `git orch` as a real process.

Everything here is small on purpose and assumes the sealed environment of conftest.py. Commits made through a Clone
get one logical minute each, so that histories are the same in every run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.warm import Forked, warm_start

Files = Mapping[str, str | bytes | None]
"""Path to content; None deletes the file, a content that begins with `#!` makes it executable."""

FIRST_COMMIT_S = 1_600_000_000

SERVER_HOOK = Path(__file__).parents[1] / "hooks" / "pre-receive"
GUARDED = bool(os.environ.get("ORCH_TEST_GUARDED"))
"""Whether every bare remote of the tests gets the server's hook: `make test-guarded`."""

THOROUGH = bool(os.environ.get("ORCH_TEST_THOROUGH"))
"""Whether tests also do what tells little more and takes long: `make test-thorough`."""


class GitFailedError(AssertionError):
    """A git process that a test relied on did not succeed."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished process: exit status and both streams."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    def said(self) -> str:
        """Both streams, for messages of failed assertions."""
        return f"status {self.status}\n--- out\n{self.out}--- err\n{self.err}"


def try_git(path: Path, *args: str, stdin: str | bytes | None = None, **env: str) -> Run:
    """`git ARGS` in `path`, whatever its exit status. `env` is added to the environment."""
    data = stdin.encode("utf-8", "surrogateescape") if isinstance(stdin, str) else stdin
    done = subprocess.run(
        ["git", *args], cwd=path, input=data or b"", capture_output=True, env={**os.environ, **env}, check=False
    )
    return Run(done.returncode, _text(done.stdout), _text(done.stderr))


def git(path: Path, *args: str, stdin: str | bytes | None = None, **env: str) -> str:
    """The output of `git ARGS` in `path`, without the final newline. Raises GitFailedError."""
    run = try_git(path, *args, stdin=stdin, **env)
    if run.status != 0:
        raise GitFailedError(f"git {' '.join(args)}: {run.said()}")
    return run.out.removesuffix("\n")


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Poll until `condition()` is true; fails with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"this did not happen within {timeout_s} s: {what}"
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Repo:
    """Any repository of a test. `ticks` numbers the commits of all clones of one remote."""

    path: Path
    ticks: Iterator[int] = field(default_factory=count, repr=False, compare=False)

    def git(self, *args: str, stdin: str | bytes | None = None, **env: str) -> str:
        return git(self.path, *args, stdin=stdin, **env)

    def tip(self, branch: str = "main") -> str | None:
        """The commit of a branch here, None when there is no such branch."""
        return self.ref(f"refs/heads/{branch}")

    def ref(self, name: str) -> str | None:
        """The value of a full ref, None when it does not exist."""
        run = try_git(self.path, "rev-parse", "--verify", "--quiet", name)
        return run.out.strip() if run.status == 0 else None

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Full ref names to object ids."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def files(self, rev: str = "main") -> dict[str, str]:
        """The files of a commit, by path, with their exact content."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", rev).split("\0")[:-1]
        return {name: try_git(self.path, "cat-file", "blob", f"{rev}:{name}").out for name in names}

    def hook(self, name: str, script: str) -> Path:
        """Install a hook, replacing one of that name. The script is sh."""
        folder = Path(self.git("rev-parse", "--absolute-git-dir")) / "hooks"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path


@dataclass(frozen=True, slots=True)
class Remote(Repo):
    """A bare repository with one commit on `main`."""

    def clone(self, name: str, *options: str) -> Clone:
        """A clone beside the remote, on `main`, its remote named origin."""
        path = self.path.parent / name
        git(self.path.parent, "clone", "--quiet", *options, str(self.path), str(path))
        return Clone(path, self.ticks)


@dataclass(frozen=True, slots=True)
class Running:
    """A `git orch` that was started and not waited for. It leads its own process group."""

    process: subprocess.Popen[bytes] | Forked

    def wait(self, timeout_s: float = 60.0) -> Run:
        """Its end. After `timeout_s` the whole group is killed and the test fails."""
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"still running after {timeout_s} s\n{_text(out)}{_text(err)}") from None
        return Run(self.process.wait(), _text(out), _text(err))

    def kill(self) -> None:
        """`kill -9` to the whole process group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@dataclass(frozen=True, slots=True)
class Clone(Repo):
    """A repository with files in it."""

    def write(self, files: Files) -> None:
        """Put files into the working tree."""
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(data)
            if data.startswith(b"#!"):
                path.chmod(0o755)

    def commit(self, files: Files, message: str) -> str:
        """Commit files on what is checked out. Returns the commit's id."""
        self.write(files)
        moment = f"{FIRST_COMMIT_S + 60 * next(self.ticks)} +0000"
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message, GIT_AUTHOR_DATE=moment, GIT_COMMITTER_DATE=moment)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, files: Files, message: str, start: str = "main") -> str:
        """Make a branch off `start` with one commit, and go back to what was checked out. Returns the commit's id."""
        self.git("switch", "-q", "--no-track", "-c", name, start)
        commit = self.commit(files, message)
        self.git("switch", "-q", "-")
        return commit

    def push(self, *refs: str) -> None:
        """Push to origin, whatever a server's hook thinks of it."""
        around = ("-o", "orch.bypass=somebody goes around") if GUARDED else ()
        self.git("push", "-q", *around, "origin", *refs)

    def orch(
        self,
        *args: str,
        check: int | None = 0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout_s: float = 60.0,
    ) -> Run:
        """`git orch ARGS` as a process of its own in the clone. Fails unless it exits with `check` (None: any)."""
        run = self.start_orch(*args, env=env, stdin=stdin).wait(timeout_s)
        assert check is None or run.status == check, f"git orch {' '.join(args)}: expected {check}, {run.said()}"
        return run

    def start_orch(self, *args: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Running:
        """Like `orch`, without waiting for its end."""
        environ = {**os.environ, **(env or {})}
        process = warm_start(list(args), self.path, environ, stdin is not None) or subprocess.Popen(
            [sys.executable, "-m", "gitorch", *args],
            cwd=self.path,
            env=environ,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A crash that a test asks for kills the whole group: it must not be ours.
            start_new_session=True,
        )
        if stdin is not None:
            assert process.stdin is not None
            process.stdin.write(stdin.encode())
            process.stdin.close()
            process.stdin = None
        return Running(process)


def make_remote(tmp_path: Path, files: Files | None = None, name: str = "remote.git") -> Remote:
    """A bare repository `tmp_path/NAME` with one commit on `main` that holds `files`."""
    path = tmp_path / name
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(path))
    git(path, "fast-import", "--quiet", stdin=_first_commit(files or {"README": "first\n"}))
    if GUARDED:
        guard(path)
    return Remote(path)


def guard(path: Path) -> Path:
    """Put the server's hook into a bare repository."""
    hook = path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.unlink(missing_ok=True)
    shutil.copy(SERVER_HOOK, hook)
    git(path, "config", "receive.advertisePushOptions", "true")
    git(path, "config", "orch.allowBypass", "true")
    return hook


def make_alone(tmp_path: Path, files: Files | None = None, name: str = "alone") -> Clone:
    """A repository without a remote, with one commit on `main`, checked out."""
    path = tmp_path / name
    git(tmp_path, "init", "-q", "-b", "main", str(path))
    git(path, "fast-import", "--quiet", stdin=_first_commit(files or {"README": "first\n"}))
    git(path, "reset", "-q", "--hard", "main")
    return Clone(path)


def _first_commit(files: Files) -> bytes:
    """A fast-import stream: one process instead of five."""
    stamp = f"Ada Author <ada@example.org> {FIRST_COMMIT_S - 60} +0000"
    parts = [f"commit refs/heads/main\nauthor {stamp}\ncommitter {stamp}\ndata 5\nfirst\n".encode()]
    for path, content in files.items():
        assert content is not None, "the first commit has nothing to delete"
        data = content.encode() if isinstance(content, str) else content
        mode = "100755" if data.startswith(b"#!") else "100644"
        parts.append(f"M {mode} inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
    return b"".join(parts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
