"""Plant each bug in a copy of the tree, and see what catches it: the simulation, then the small stories in it, then the
contract suite, then the kills. Prints a table; the exit status is 1 when something was not caught.

`python -m planted [WORD]` takes the bugs whose name has the word, `--from N` all from the N-th on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from planted.bugs import BUGS, Bug

ROOT = Path(__file__).parents[1]
COPIED = ("gitorch", "sim", "tests", "hooks", "pyproject.toml")
SEEDS = 60
LIMIT_S = 600.0
_FOUND = re.compile(
    r"^seed ([0-9]+): (?:BrokenPromiseError: )?(.*?)(?: \(by .*)?$|^FAILED (?:\S*::)?(\S+)", re.MULTILINE
)
HARNESSES = {
    "simulation": ["-m", "sim", "--stop", "--seeds", str(SEEDS)],
    "stories": [
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        "0",
        *(f"tests/simulation/test_{n}.py" for n in ("claims", "leases", "verdicts")),
    ],
    "contract suite": ["-m", "pytest", "-q", "-x", "-n", "2", "tests/contract"],
    "kills": ["-m", "pytest", "-q", "-x", "-n", "2", "tests/git/test_crashes.py", "tests/git/test_landing.py"],
}


@dataclass(frozen=True, slots=True)
class Caught:
    """What caught a bug, by what, after how long. `by` is empty when nothing did."""

    bug: Bug
    by: str
    how: str
    seconds: float


def main(words: list[str]) -> int:
    """Plant what was asked for. Returns the exit status."""
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    if words[:1] == ["--from"]:
        chosen = list(BUGS[int(words[1]) - 1 :])
    found = []
    for bug in chosen:
        caught = plant(bug)
        found.append(caught)
        print(f"| {bug.name} | {caught.by or 'NOTHING'} | {caught.how} | {caught.seconds:.0f} s |", flush=True)
    missed = [caught for caught in found if not caught.by]
    print(f"\n{len(found) - len(missed)} of {len(found)} planted bugs were caught")
    return 1 if missed or not found else 0


def plant(bug: Bug) -> Caught:
    """One bug, in a copy of the tree. Raises ValueError where its place is gone."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        text = (copy / bug.file).read_text()
        if bug.old not in text:
            raise ValueError(f"{bug.name}: its place in {bug.file} is gone")
        (copy / bug.file).write_text(text.replace(bug.old, bug.new, 1))
        for harness, argv in HARNESSES.items():
            how = run(argv, copy)
            if how:
                return Caught(bug, harness, how, time.monotonic() - began_s)
    return Caught(bug, "", "", time.monotonic() - began_s)


def run(argv: list[str], folder: Path) -> str:
    """What a harness says of the tree in `folder`; empty when it finds nothing."""
    env = {**os.environ, "PYTHONHASHSEED": "0", "ORCH_TEST_PLAIN": "1", "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, *argv], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    watch = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
    watch.start()
    said = ""
    for line in process.stdout:
        said += line
        if found := _FOUND.search(line):
            # What else it does is of no interest.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            watch.cancel()
            return shown(f"seed {found[1]}: {found[2]}" if found[1] else found[3])
    status = process.wait()
    if status == -signal.SIGKILL and watch.finished.is_set():
        return "it never ended"
    watch.cancel()
    return "" if status == 0 else shown(said.strip().splitlines()[-1] if said.strip() else "it crashed")


def shown(text: str) -> str:
    """On one line of a table."""
    line = " ".join(text.replace("|", "/").split())
    return line if len(line) <= 110 else line[:109] + "…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
