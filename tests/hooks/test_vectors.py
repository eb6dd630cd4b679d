"""Every vector, judged in Python and by the hook under each shell: they must agree with what is written
there, and so with each other."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from gitorch.core.admission import RefusalError
from tests.hooks import (
    vectors_archive,
    vectors_forgeries,
    vectors_jobs,
    vectors_landing,
    vectors_notes,
    vectors_records,
    vectors_signatures,
    vectors_state,
)
from tests.hooks.vectors import VECTORS, Vector
from tests.hooks.world import SHELLS, World
from tests.support import THOROUGH

PYTHON_ALONE = bool(os.environ.get("ORCH_TEST_PYTHON_ALONE"))
"""Whether no shell is asked: `make mutants`, which mutates what is in Python."""

assert all(
    (
        vectors_archive,
        vectors_forgeries,
        vectors_jobs,
        vectors_landing,
        vectors_notes,
        vectors_records,
        vectors_signatures,
        vectors_state,
    )
)
WRITE = bool(os.environ.get("ORCH_TEST_WRITE"))
SENTENCES_FILE = Path(__file__).with_name("sentences.txt")
SENTENCES = dict(line.split("\t") for line in SENTENCES_FILE.read_text("utf-8").splitlines())
"""What each vector is refused with in Python, in full."""

WORDS = frozenset(
    [
        "stale",
        "unknown-ref",
        "deletion",
        "kind",
        "size",
        "scratch",
        "format",
        "name",
        "damaged",
        "parents",
        "files",
        "step",
        "archived",
        "graph",
        "landed",
        "slot",
        "cycle",
        "archive",
        "notes",
        "target-deleted",
        "target-created",
        "not-fast-forward",
        "no-landing",
        "no-lease",
        "base",
        "untested",
        "not-green",
        "gate",
        "no-job",
        "too-many",
        "signature",
        "may",
    ]
)


def sentence(refusal: RefusalError | None) -> str:
    """In full, but for the ids of keys, which are made anew in every run."""
    return re.sub(r"SHA256:[\w+/]+", "SHA256:…", str(refusal or "taken"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_push_is_judged_alike_everywhere(vector: Vector, tmp_path: Path) -> None:
    world = World(tmp_path / "server.git")
    vector.build(world)
    refusal = world.python()
    assert SENTENCES[vector.name] == sentence(refusal)
    found = {"python": refusal.code if refusal else ""}
    for shell, (program, *_) in SHELLS.items():
        # bash tells little more than dash, and takes twice as long; busybox is asked about every third.
        asked = THOROUGH or shell == "dash" or (shell == "busybox" and VECTORS.index(vector) % 3 == 0)
        if asked and not PYTHON_ALONE and shutil.which(program) is not None:
            found[shell] = world.shell(shell)
    assert set(found.values()) == {vector.word}, found


def test_the_sentences_are_those_of_the_vectors_and_no_others(tmp_path: Path) -> None:
    """ORCH_TEST_WRITE=1 writes them anew, for whoever changed one to read the difference."""
    if WRITE:
        found = []
        for number, vector in enumerate(VECTORS):
            world = World(tmp_path / f"{number}.git")
            vector.build(world)
            found.append(f"{vector.name}\t{sentence(world.python())}\n")
        SENTENCES_FILE.write_text("".join(found), "utf-8")
    assert list(SENTENCES) == [vector.name for vector in VECTORS] or WRITE


def test_there_is_a_vector_for_every_word() -> None:
    assert {vector.word for vector in VECTORS} == WORDS | {""}
