"""A failure here means that catching up gives something else than `git rebase` in an ordinary checkout would.

`CATCH_UP_EXAMPLES=2000` makes a long run on new random histories.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gitorch.core.model import Candidate, Oid
from tests.git.histories import ATTRIBUTED, GENERAL, MOVES, History, histories, write
from tests.git.rebases import MOMENT, catcher, plain_rebase
from tests.support import git

EXAMPLES = int(os.environ.get("CATCH_UP_EXAMPLES", "0"))

PROPERTY = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One repository for all random histories: the private one is used again and again, as in life."""
    path = tmp_path_factory.mktemp("crowded")
    git(path, "init", "-q", "-b", "main", ".", GIT_CONFIG_GLOBAL=os.devnull)
    git(path, "config", "merge.ours-always.driver", "true")
    git(path, "config", "gc.auto", "0")
    return path


def check_against_plain_rebase(path: Path, history: History) -> None:
    stream, tip_mark, head_mark = write(history)
    git(path, "fast-import", "--quiet", "--force", stdin=stream)
    tip, head = git(path, "rev-parse", f"refs/history/{tip_mark}", f"refs/history/{head_mark}").split()
    ours = catcher(path).catch_up(Oid(head), Oid(tip), keep_merges=False)
    plain = plain_rebase(path, head, tip)
    if isinstance(ours, Candidate):
        # Trees, authors, dates and messages are all in the id, for the committer and the time are the same.
        assert ours.commit == plain.commit, plain.err
        assert ours.tree == git(path, "rev-parse", f"{ours.commit}^{{tree}}")
    else:
        assert plain.commit is None
        assert ours.paths
        # A folder renamed in two ways is a conflict without unmerged files.
        assert not plain.paths or frozenset(ours.paths) == plain.paths, plain.err


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GIT_COMMITTER_DATE", MOMENT)
    yield


@PROPERTY
@given(history=histories(GENERAL))
def test_random_histories_give_the_commits_of_a_plain_rebase(crowded: Path, history: History) -> None:
    check_against_plain_rebase(crowded, history)


@PROPERTY
@given(history=histories(MOVES))
def test_random_renames_of_files_and_folders_give_the_commits_of_a_plain_rebase(
    crowded: Path, history: History
) -> None:
    check_against_plain_rebase(crowded, history)


@PROPERTY
@given(history=histories(ATTRIBUTED))
def test_random_merge_attributes_give_the_commits_of_a_plain_rebase(crowded: Path, history: History) -> None:
    check_against_plain_rebase(crowded, history)
