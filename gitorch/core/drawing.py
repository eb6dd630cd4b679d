"""The graph of what waits for what, drawn: as a tree for people, as DOT or Mermaid for other programs. Pure, without
recursion: ten thousand jobs in a row are drawn like ten.

Below a job stands what it waits for. A job that was drawn already is named again with `(above)`, and one that would be
drawn inside of itself, which only damaged data asks for, with `(cycle)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitorch.core.graph import on_cycles
from gitorch.core.model import JobId
from gitorch.core.text import escape, shorten

DEEP = 30
"""Levels that are indented; deeper ones only say their depth."""

TITLE_WIDTH = 50
_PLAIN = re.compile(r"[^A-Za-z0-9 ._/:,+=@-]")


@dataclass(frozen=True, slots=True)
class Node:
    """A job of the drawing: its id, a word for its state, and its title (untrusted)."""

    id: JobId
    word: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes by id, and what each waits for: all of it among the nodes."""

    nodes: Mapping[JobId, Node]
    edges: Mapping[JobId, tuple[JobId, ...]] = field(default_factory=dict)

    def below(self, start: JobId) -> Drawing:
        """The part that a job waits for, near or far, itself included."""
        kept, todo = {start}, [start]
        while todo:
            for dependency in self.edges.get(todo.pop(), ()):
                if dependency not in kept:
                    kept.add(dependency)
                    todo.append(dependency)
        return self.only(kept)

    def connected(self) -> Drawing:
        """Without the jobs that wait for nothing and that nobody waits for."""
        waited = {d for after in self.edges.values() for d in after}
        return self.only({job for job in self.nodes if self.edges.get(job) or job in waited})

    def only(self, kept: set[JobId]) -> Drawing:
        """The part of these jobs."""
        edges = {job: tuple(d for d in after if d in kept) for job, after in self.edges.items() if job in kept}
        return Drawing({job: node for job, node in self.nodes.items() if job in kept}, edges)

    def json(self) -> dict[str, Any]:
        """Nodes and edges as scripts rely on them: `job` waits for `after`."""
        nodes = [{"id": n.id, "state": n.word, "title": n.title} for n in self.nodes.values()]
        return {"nodes": nodes, "edges": [{"job": job, "after": d} for job, d in self.pairs()]}

    def pairs(self) -> Iterable[tuple[JobId, JobId]]:
        """Each edge: a job, and what it waits for."""
        return ((job, d) for job, after in self.edges.items() for d in after)


def tree(drawing: Drawing) -> str:
    """The drawing as text, one job a line: first the jobs that nobody waits for, then what is left (cycles)."""
    waited = {d for after in drawing.edges.values() for d in after}
    lines: list[str] = []
    drawn: set[JobId] = set()
    for root in [*(job for job in drawing.nodes if job not in waited), *drawing.nodes]:
        if root not in drawn:
            _branch(drawing, root, drawn, lines)
    return "".join(line + "\n" for line in lines)


def _branch(drawing: Drawing, root: JobId, drawn: set[JobId], lines: list[str]) -> None:
    """One tree, with a stack of its own. Each job comes twice: to be drawn, and, `leaving`, after what is below it."""
    inside: set[JobId] = set()
    stack = [(root, "", "", False)]
    while stack:
        job, before, below, leaving = stack.pop()
        if leaving:
            inside.discard(job)
            continue
        lines.append(before + _line(drawing, job, job in drawn, job in inside))
        if job in drawn:
            continue
        drawn.add(job)
        inside.add(job)
        stack.append((job, "", "", True))
        stack.extend((*child, False) for child in _children(drawing, job, below, len(inside)))


def _children(drawing: Drawing, job: JobId, below: str, depth: int) -> list[tuple[JobId, str, str]]:
    """What stands below a job, last first: a stack turns it round."""
    after = drawing.edges.get(job, ())
    if depth > DEEP:
        return [(d, f"{' ' * 4 * DEEP}[{depth}] ", "") for d in reversed(after)]
    ends = [("└─ ", "   ")] + [("├─ ", "│  ")] * (len(after) - 1)
    return [(d, below + mark, below + rest) for d, (mark, rest) in zip(reversed(after), ends, strict=False)]


def _line(drawing: Drawing, job: JobId, again: bool, inside: bool) -> str:
    node = drawing.nodes[job]
    if inside:
        return f"{job} (cycle)"
    if again:
        return f"{job} ({node.word}; above)" if drawing.edges.get(job) else f"{job} ({node.word})"
    return f"{job} ({node.word})" + (f" {shorten(node.title, TITLE_WIDTH)}" if node.title else "")


def dot(drawing: Drawing) -> str:
    """The drawing for Graphviz: an arrow from what comes first to what waits for it."""
    lines = ["digraph orch {", "    rankdir=LR;", "    node [shape=box];"]
    cyclic = on_cycles(drawing.edges)
    for node in drawing.nodes.values():
        label = _dot(f"{node.id}\n{node.word}" + (f"\n{shorten(node.title, TITLE_WIDTH)}" if node.title else ""))
        lines.append(f"    {_dot(node.id)} [label={label}{', color=red' if node.id in cyclic else ''}];")
    lines += [f"    {_dot(d)} -> {_dot(job)};" for job, d in drawing.pairs()]
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    parts = [escape(part).replace("\\", "\\\\").replace('"', '\\"') for part in text.split("\n")]
    return '"' + "\\n".join(parts) + '"'


def mermaid(drawing: Drawing) -> str:
    """The drawing for Mermaid. Nodes are numbered: an id may be a word of its language (`end`)."""
    number = {job: f"n{index}" for index, job in enumerate(drawing.nodes)}
    lines = ["flowchart LR"]
    for node in drawing.nodes.values():
        title = f"<br/>{_mermaid(shorten(node.title, TITLE_WIDTH))}" if node.title else ""
        lines.append(f'    {number[node.id]}["{_mermaid(node.id)}<br/>{_mermaid(node.word)}{title}"]')
    lines += [f"    {number[d]} --> {number[job]}" for job, d in drawing.pairs()]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Everything but plain characters as an entity, so that nothing in a title is markup."""
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", escape(text))
