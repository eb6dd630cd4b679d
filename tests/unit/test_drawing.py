"""Drawing the graph: no shape of it is drawn wrongly, endlessly, or as somebody's markup."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.drawing import DEEP, Drawing, Node, dot, mermaid, tree
from gitorch.core.model import JobId


def drawing(**edges: str) -> Drawing:
    """`drawing(a="b c")`: a waits for b and c."""
    after = {JobId(job): tuple(map(JobId, deps.split())) for job, deps in edges.items()}
    names = dict.fromkeys([*after, *(d for deps in after.values() for d in deps)])
    return Drawing({job: Node(job, "queued") for job in names}, after)


def row(length: int) -> Drawing:
    """A chain: each waits for the next."""
    ids = [JobId(f"j{number}") for number in range(length)]
    return Drawing({job: Node(job, "queued") for job in ids}, dict(zip(ids, [(d,) for d in ids[1:]], strict=False)))


def test_a_job_that_was_drawn_is_named_again_and_not_repeated() -> None:
    assert tree(drawing(top="left right", left="base", right="base", base="root")).splitlines() == [
        "top (queued)",
        "├─ left (queued)",
        "│  └─ base (queued)",
        "│     └─ root (queued)",
        "└─ right (queued)",
        "   └─ base (queued; above)",
    ]


def test_a_cycle_is_marked_where_it_closes_and_everything_on_it_is_drawn() -> None:
    assert tree(drawing(a="b", b="c", c="a", d="b")).splitlines() == [
        "d (queued)",
        "└─ b (queued)",
        "   └─ c (queued)",
        "      └─ a (queued)",
        "         └─ b (cycle)",
    ]
    assert tree(drawing(a="a")).splitlines() == ["a (queued)", "└─ a (cycle)"]


def test_ten_thousand_jobs_in_a_row_are_drawn_without_recursion_and_in_bounded_width() -> None:
    began = time.monotonic()
    lines = tree(row(10_000)).splitlines()
    assert len(lines) == 10_000
    assert max(map(len, lines)) < 5 * DEEP + 30
    assert lines[-1].endswith("[9999] j9999 (queued)")
    assert time.monotonic() - began < 5
    assert len(row(10_000).below(JobId("j5000")).nodes) == 5_000
    assert dot(row(10_000)).count("->") == mermaid(row(10_000)).count("-->") == 9_999


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4, unique=True)))
def test_any_graph_is_drawn_with_each_job_once_and_each_edge_once(shape: dict[str, list[str]]) -> None:
    found = drawing(**{job: " ".join(after) for job, after in shape.items()})
    lines = tree(found).splitlines()
    whole = [line for line in lines if not re.search(r"\(cycle\)|above\)", line)]
    named = {re.sub(r"^[^a-f]*", "", line)[0] for line in whole}
    assert named == set(found.nodes)
    roots = [line for line in lines if line[0] in "abcdef"]
    assert len(lines) - len(roots) == sum(1 for _ in found.pairs())


def test_jobs_without_edges_are_left_out_of_what_is_connected() -> None:
    found = Drawing({**drawing(a="b").nodes, JobId("c"): Node(JobId("c"), "queued")}, drawing(a="b").edges)
    assert list(found.connected().nodes) == ["a", "b"]
    assert "c (queued)" in tree(found)


@pytest.mark.parametrize("title", ['"]; evil[', "a\\", "<script>", "x\ny", "`rm`", "end", "\u202e", "#35;", "|"])
def test_a_title_is_no_markup(title: str) -> None:
    found = Drawing({JobId("end"): Node(JobId("end"), "queued", title)})
    (line,) = (line for line in dot(found).splitlines() if "label=" in line)
    label = line.split("label=", 1)[1].removesuffix(";")[:-1]
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', label), label
    (line,) = mermaid(found).splitlines()[1:]
    text = line.strip().removeprefix('n0["').removesuffix('"]')
    assert re.fullmatch(r"(?:[A-Za-z0-9 ._/:,+=@-]|#[0-9]+;|<br/>)*", text), text
    assert "\u202e" not in tree(found) + dot(found) + mermaid(found)


def test_a_cycle_is_red_in_dot() -> None:
    text = dot(drawing(a="b", b="a", c="a"))
    assert [line.strip()[1] for line in text.splitlines() if "color=red" in line] == ["a", "b"]
