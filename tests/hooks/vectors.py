"""What a server is asked to take, and the word with which it refuses; an empty word means that it takes it.

A vector is a function that builds a push in a World.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitorch.core.model import JobId, Oid
from tests.hooks.world import (
    NS,
    World,
    job,
)

Build = Callable[[World], None]


@dataclass(frozen=True)
class Vector:
    name: str
    word: str
    build: Build


VECTORS: list[Vector] = []


def vector(word: str) -> Callable[[Build], Build]:
    """Register a push that is refused with `word`, or taken when that is empty."""

    def register(build: Build) -> Build:
        name = build.__name__.strip("_").replace("_", "-")
        assert all(known.name != name for known in VECTORS), name
        VECTORS.append(Vector(name, word, build))
        return build

    return register


def several(word: str, **builds: Build) -> None:
    """Vectors that differ in little; the names are those of the keywords."""
    VECTORS.extend(Vector(name.replace("_", "-"), word, build) for name, build in builds.items())


A, B, C = (NS.job(JobId(name)) for name in "abc")
GRAPH, ARCHIVE, NOTES = NS.graph, NS.archive, NS.notes


def queued(w: World, name: str = "a", **more: object) -> Oid:
    """A queued job that is there before the push."""
    return w.put(NS.job(JobId(name)), w.event(job(name, **more), "add"))
