"""Cycles and paths, held against brute force. A failure here lets jobs wait for each other for ever."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.graph import closing_path, on_cycles, path_between

NODES = range(7)
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=4), max_size=7)


def reachable(edges: dict[int, list[int]], start: int) -> set[int]:
    """What can be reached in one step or more."""
    found: set[int] = set()
    for _ in range(len(NODES) + 1):
        found |= {b for a in {start, *found} for b in edges.get(a, [])}
    return found


@given(GRAPHS)
def test_on_a_cycle_is_exactly_what_reaches_itself(edges: dict[int, list[int]]) -> None:
    assert on_cycles(edges) == {node for node in NODES if node in reachable(edges, node)}


@given(GRAPHS, st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=3))
def test_a_closing_path_is_found_exactly_when_there_is_one(
    edges: dict[int, list[int]], node: int, more: list[int]
) -> None:
    path = closing_path(edges, node, more)
    closes = any(addition == node or node in reachable(edges, addition) for addition in more)
    assert (path is not None) == closes
    if path is not None:
        assert path[0] in more and path[-1] == node
        assert all(b in edges[a] for a, b in itertools.pairwise(path))


def test_a_chain_of_ten_thousand_needs_no_recursion() -> None:
    edges = {number: [number + 1] for number in range(10_000)}
    path = path_between(edges, 0, frozenset((10_000,)))
    assert path is not None and len(path) == 10_001
    assert on_cycles(edges) == frozenset()
    assert len(on_cycles({**edges, 10_000: [0]})) == 10_001


def test_a_path_names_every_node_from_the_first_to_the_goal() -> None:
    edges = {1: [2], 2: [3, 4], 3: [5], 4: [1]}
    assert path_between(edges, 1, frozenset((5,))) == (1, 2, 3, 5)
    assert path_between(edges, 5, frozenset((5,))) == (5,)
    assert path_between(edges, 5, frozenset((1,))) is None
