"""What the tests of `git orch fsck` share."""

from __future__ import annotations

from gitorch.core.model import JobId
from tests.git.planted import NAMES
from tests.support import Clone

ONE = NAMES.job(JobId("one"))
Faults = list[dict[str, str]]


def fsck(clone: Clone, status: int | None) -> Faults:
    """What fsck finds; fails unless it exits so."""
    found: Faults = clone.orch("fsck", "--json", check=status).json()["data"]["faults"]
    return found


def only(found: Faults, severity: str = "fault") -> list[tuple[str, str, str]]:
    return [(f["ref"], f["promise"], f["problem"]) for f in found if f["severity"] == severity]


def submit(clone: Clone, name: str, *options: str, text: str = "call base\n") -> None:
    clone.branch(name, {f"src/{name}.txt": text}, f"Add {name}")
    clone.orch("submit", name, "--id", name, *options)


def land(clone: Clone, *names: str) -> None:
    for name in names:
        clone.orch("land", name)
