"""Repositories with submitted branches, made once a worker and copied: most of a test would be spent on getting
there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.git.landing import add_branches, project, project_alone
from tests.support import Clone, Remote

JOB_IDS = ("one", "two", "three")
"""The ids of the submitted jobs, of the branches b1, b2, b3."""

_LATER = 1_000


def submitted(tmp_path: Path, branches: int = 1, *, more: int = 0, behind: bool = True) -> tuple[Remote, Clone]:
    """A remote and a clone `a` with submitted branches b1..bN and `more` that are not submitted or pushed. `behind`:
    main moved since, so that a landing has to rebase."""

    def make(folder: Path) -> None:
        clone = project(folder).clone("a")
        _submit(clone, branches, more)
        if behind:
            clone.commit({"src/m.txt": "call base\n"}, "main moves")
            clone.push("main")

    _copy(tmp_path, f"submitted-{branches}-{more}-{behind}", make)
    remote = Remote(tmp_path / "remote.git", count(_LATER))
    clone = Clone(tmp_path / "a", remote.ticks)
    clone.git("config", "remote.origin.url", str(remote.path))
    return remote, clone


def submitted_alone(tmp_path: Path, branches: int = 1) -> Clone:
    """A repository that is its own remote, with submitted branches b1..bN."""
    _copy(tmp_path, f"submitted-alone-{branches}", lambda folder: _submit(project_alone(folder), branches, 0))
    return Clone(tmp_path / "alone", count(_LATER))


def _submit(clone: Clone, branches: int, more: int) -> None:
    names = add_branches(clone, branches + more)
    for job_id, name in zip(JOB_IDS, names[:branches], strict=False):
        clone.orch("submit", name, "--id", job_id)


def _copy(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    """Copy what `make` makes in a folder, which it does once a worker."""
    template = tmp_path.parent / name
    if not template.exists():
        part = template.with_name(name + ".part")
        part.mkdir()
        make(part)
        part.rename(template)
    for made in template.iterdir():
        shutil.copytree(made, tmp_path / made.name, symlinks=True)
