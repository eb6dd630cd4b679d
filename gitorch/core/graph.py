"""Cycles in a directed graph. Generic over node ids, and without recursion: a chain may have 10,000 links."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def path_between(edges: Mapping[Node, Iterable[Node]], start: Node, goals: frozenset[Node]) -> tuple[Node, ...] | None:
    """A path from `start` to one of `goals` along `edges`, both ends included; None when there is none. `start` itself
    counts as a goal."""
    came_from: dict[Node, Node | None] = {start: None}
    todo = [start]
    while todo:
        at = todo.pop()
        if at in goals:
            return _back_from(at, came_from)
        for neighbour in edges.get(at, ()):
            if neighbour not in came_from:
                came_from[neighbour] = at
                todo.append(neighbour)
    return None


def _back_from(at: Node, came_from: Mapping[Node, Node | None]) -> tuple[Node, ...]:
    path = [at]
    before = came_from[at]
    while before is not None:
        path.append(before)
        before = came_from[before]
    return tuple(reversed(path))


def closing_path(
    edges: Mapping[Node, Iterable[Node]], node: Node, additions: Iterable[Node]
) -> tuple[Node, ...] | None:
    """The cycle that new edges from `node` to `additions` would close: a path from one of them back to `node`. None
    when the graph stays free of cycles through `node`."""
    goal = frozenset((node,))
    for addition in additions:
        path = path_between(edges, addition, goal)
        if path is not None:
            return path
    return None


def on_cycles(edges: Mapping[Node, Iterable[Node]]) -> frozenset[Node]:
    """Every node that lies on a cycle, that is in a strongly connected component of more than one node, or that points
    at itself. Tarjan's algorithm (SIAM J. Comput. 1972), with a stack of its own."""
    if not edges:
        return frozenset()
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    found: set[Node] = set()
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for neighbour in rest:
                if neighbour not in index:
                    index[neighbour] = low[neighbour] = len(index)
                    stack.append(neighbour)
                    on_stack.add(neighbour)
                    work.append((neighbour, iter(edges.get(neighbour, ()))))
                    break
                if neighbour in on_stack:
                    low[node] = min(low[node], index[neighbour])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.update(_component(node, stack, on_stack, edges))
    return frozenset(found)


def _component(
    root: Node, stack: list[Node], on_stack: set[Node], edges: Mapping[Node, Iterable[Node]]
) -> Iterable[Node]:
    """Take the component of `root` off the stack; its nodes if they lie on a cycle."""
    members: list[Node] = []
    while not members or members[-1] != root:
        members.append(stack.pop())
        on_stack.discard(members[-1])
    return members if len(members) > 1 or root in edges.get(root, ()) else ()
