"""A file system small enough to fill."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Run

_FILL = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
path.unlink(missing_ok=True)
with path.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 1024)
    except OSError:
        pass
"""

FILL = [sys.executable, "-c", _FILL]
"""A command that writes its argument, a file, until the disk is full."""


def run_on_small_disk(where: Path, kilobytes: int, script: str, *args: str) -> Run:
    """Run a Python script while `where` is an empty file system of this size; skips where that is not allowed."""
    where.mkdir()
    mount = f'mount -t tmpfs -o size={kilobytes}k none {shlex.quote(str(where))} && exec "$@"'
    prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount a small file system")
    done = subprocess.run([*prefix, sys.executable, "-c", script, *args], capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout, done.stderr)
