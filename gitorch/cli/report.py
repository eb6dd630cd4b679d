"""The report of a fault: what somebody needs who was not there, in a file that only the user can read.

It goes into `orch/reports/` of the repository, or where that cannot be written into the folder for temporary
files. Credentials in URLs are masked; nothing of the environment is written. Nothing is sent anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from gitorch import __version__
from gitorch.core.mask import mask_urls
from gitorch.shell.crash import crash_point

_GIT_TIMEOUT_S = 5.0


def write_report(problem: BaseException) -> Path | None:
    """Write the report of an exception, readable by its owner only. Returns where, None when no folder takes
    it."""
    text = mask_urls(report_text(problem, sys.argv))
    for folder in _folders():
        try:
            return _write(folder, text)
        except OSError:
            continue
    return None


def report_text(problem: BaseException, argv: list[str]) -> str:
    """The report itself, credentials not masked yet."""
    import platform
    import traceback

    lines = [
        f"git orch {__version__}",
        f"arguments: {argv!r}",
        f"python {sys.version}",
        _git_version(),
        platform.platform(),
        "",
        *(line.rstrip("\n") for line in traceback.format_exception(problem)),
    ]
    return "\n".join(lines) + "\n"


def _folders() -> Iterator[Path]:
    import tempfile

    orch_dir = _orch_dir()
    if orch_dir is not None:
        yield orch_dir / "reports"
    yield Path(tempfile.gettempdir())


def _orch_dir() -> Path | None:
    """The folder of git orch in this repository, None outside of one. The report matters more than what is
    wrong with the repository."""
    try:
        from gitorch.shell.repository import open_repository

        return open_repository().orch_dir
    except Exception:
        return None


def _git_version() -> str:
    try:
        from gitorch.shell.gitcmd import Git

        return Git(Path("/")).run("--version", timeout_s=_GIT_TIMEOUT_S).text()
    except Exception as problem:
        return f"git gave no version: {problem}"


def _write(folder: Path, text: str) -> Path:
    """mkstemp creates with mode 0600 and a name that nobody else has."""
    import os
    import tempfile

    crash_point("before report")
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="git-orch-report-", suffix=".txt", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    crash_point("after report")
    return Path(name)
