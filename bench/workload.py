"""The workload of a benchmark: a bare remote, a clone, and branches that touch nothing of one another's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

SEALED = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "LC_ALL": "C",
}


def environment() -> dict[str, str]:
    """The caller's environment without its git configuration. Compiled modules may be written, as an installation does:
    otherwise every start would measure the compiler."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") and name not in dropped}
    return kept | SEALED


def run(where: Path, *argv: str, stdin: bytes | None = None) -> str:
    """Run a program that must succeed; its output."""
    done = subprocess.run(argv, cwd=where, input=stdin, capture_output=True, env=environment(), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} failed: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout.decode().strip()


def make(where: Path, branches: int, files: int = 200) -> Path:
    """A bare remote and a clone of it in `where`, with local branches b1..bN off main. Returns the clone."""
    where.mkdir(parents=True)
    remote, clone = where / "remote.git", where / "clone"
    run(where, "git", "init", "-q", "--bare", "-b", "main", str(remote))
    run(remote, "git", "fast-import", "--quiet", stdin="".join(_history(branches, files)).encode())
    run(where, "git", "clone", "-q", str(remote), str(clone))
    for number in range(1, branches + 1):
        run(clone, "git", "branch", "-q", "--no-track", f"b{number}", f"origin/b{number}")
    run(clone, "git", "config", "gc.auto", "0")
    run(clone, "git", "config", "orch.gate", "true")
    return clone


def _history(branches: int, files: int) -> Iterator[str]:
    who = "Bench <bench@example.org>"
    yield f"commit refs/heads/main\nmark :1\ncommitter {who} 1767225600 +0000\ndata 4\nbase\n"
    for number in range(files):
        yield f"M 100644 inline lib/{number % 20}/f{number}.txt\ndata 5\nfile\n\n"
    for number in range(1, branches + 1):
        yield f"\ncommit refs/heads/b{number}\ncommitter {who} {1767225600 + number} +0000\ndata 3\nadd\nfrom :1\n"
        yield f"M 100644 inline src/mod{number}.txt\ndata 4\nmod\n\n"
