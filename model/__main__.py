"""Check the models: as the protocol is, no promise may be broken; with any one part left out, one must be.

Needs spin and a C compiler (Debian: spin, gcc). The models say in their heads what they leave out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MODELS = {
    "landing": ("NO_BUMP", "NO_NONCE", "NO_ATOMIC", "NO_BASE"),
    "claim": ("NO_NONCE", "NO_TOKEN", "NO_GUARD", "BELIEVE"),
    "graph": ("NO_GRAPH", "ONE_LOOK", "NO_AGREE"),
}
DEPTH = 20_000
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Checked:
    """One run of the checker. `broken` is the assertion that failed; empty when none did."""

    model: str
    without: str
    states: int
    seconds: float
    broken: str

    @property
    def right(self) -> bool:
        """Whether that is how it must end."""
        return bool(self.broken) == bool(self.without)


def main() -> int:
    """Check everything; the exit status is 0 when all ended as they must."""
    missing = [name for name in ("spin", "gcc") if shutil.which(name) is None]
    if missing:
        print(f"make model needs {' and '.join(missing)}\nhint: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    began_s = time.monotonic()
    runs = [(model, without) for model, left_out in MODELS.items() for without in ("", *left_out)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda run: check(*run), runs))
    for done in results:
        name = f"{done.model}, {done.without}" if done.without else done.model
        found = f"breaks {done.broken}" if done.broken else "no promise can be broken"
        mark = "ok  " if done.right else "BAD "
        print(f"{mark} {name:28} {done.states:>12,} states {done.seconds:6.1f} s  {found}")
    bad = [done for done in results if not done.right]
    print(f"{len(results) - len(bad)} of {len(results)} as they must be, in {time.monotonic() - began_s:.0f} s")
    return 1 if bad else 0


def check(model: str, without: str) -> Checked:
    """One model, with a part left out or none. Raises RuntimeError where the search was not exhaustive."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        source = str(HERE / f"{model}.pml")
        _run(["spin", "-a", *([f"-D{without}"] if without else []), source], folder)
        _run(["gcc", "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", "-DNOCLAIM", "-o", "pan", "pan.c"], folder)
        said = _run(["./pan", f"-m{DEPTH}", "-w24"], folder)
    states = re.search(r"^\s*([0-9.e+]+) states, stored", said, re.MULTILINE)
    errors = re.search(r"errors: ([0-9]+)", said)
    if states is None or errors is None or ("not completed" in said and errors[1] == "0"):
        raise RuntimeError(f"{model} {without}: the search did not end\n{said}")
    broken = re.search(r"^pan:[0-9]+: (.*?) \(at depth", said, re.MULTILINE)
    seconds = time.monotonic() - began_s
    return Checked(
        model,
        without,
        int(float(states[1])),
        seconds,
        broken[1].removeprefix("assertion violated").strip() if broken else "",
    )


def _run(argv: list[str], folder: str) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
