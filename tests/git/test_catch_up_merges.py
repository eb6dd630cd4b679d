"""A failure here means that catching up merges or conflicts where a plain `git rebase` would not, or names other
paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.git.rebases import (
    GITLINK,
    MOMENT,
    TEN,
    candidate,
    conflict,
    diverged,
    index_only,
    plain_rebase,
    private,
)
from tests.support import Clone, Files, make_alone


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GIT_COMMITTER_DATE", MOMENT)
    yield


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, {"README": TEN, "a/file": TEN, "b/file": TEN})


# Conflicts

CONFLICTS: dict[str, tuple[Files, Files]] = {
    "content": ({"a/file": "ours\n"}, {"a/file": "theirs\n"}),
    "several": ({"a/file": "ours\n", "b/file": "ours\n"}, {"a/file": "theirs\n", "b/file": "theirs\n"}),
    "modify/delete": ({"a/file": "ours\n"}, {"a/file": None}),
    "delete/modify": ({"a/file": None}, {"a/file": "theirs\n"}),
    "add/add": ({"new/file": "ours\n"}, {"new/file": "theirs\n"}),
    "rename/rename": ({"README": None, "one": TEN}, {"README": None, "two": TEN}),
    "rename/delete": ({"README": None, "one": TEN}, {"README": None}),
    "rename/add": ({"README": None, "one": TEN}, {"one": "theirs\n"}),
    "directory/file": ({"README/inside": "x", "README": None}, {"README": "theirs\n"}),
    "file/directory": ({"new": "ours\n"}, {"new/inside": "theirs\n"}),
    "folder renamed": ({"a/added": "x\n"}, {"a/file": None, "z/file": TEN}),
    "binary": ({"README": b"\0ours"}, {"README": b"\0theirs"}),
    "odd names": ({'new/"q\n\x1b[2J ä': "ours\n"}, {'new/"q\n\x1b[2J ä': "theirs\n"}),
    "not UTF-8": ({"new/\udcff": "ours\n"}, {"new/\udcff": "theirs\n"}),
}


@pytest.mark.parametrize(("ours", "theirs"), CONFLICTS.values(), ids=CONFLICTS.keys())
def test_a_conflict_names_the_paths_that_a_plain_rebase_stops_at(repo: Clone, ours: Files, theirs: Files) -> None:
    repo.git("config", "core.quotePath", "true")
    repo.branch("good", {"good": "x"}, "good")
    head, tip = diverged(repo, dict(sorted(ours.items(), key=lambda file: file[1] is not None)), theirs)
    found = conflict(repo, "topic")
    assert (found.head, found.tip) == (head, tip)
    assert found.paths
    assert frozenset(found.paths) == plain_rebase(repo.path, head, tip).paths
    assert "CONFLICT" in found.detail
    assert candidate(repo, "good").base == tip
    assert private(repo) == ["catchup-1"]


def test_folders_renamed_in_two_ways_are_a_conflict_although_git_leaves_no_unmerged_file(repo: Clone) -> None:
    repo.commit({"a/two": "two\n" * 9}, "files")
    ours: Files = {"a/file": None, "x/file": TEN, "a/two": None, "y/two": "two\n" * 9}
    head, tip = diverged(repo, ours, {"a/new": "theirs\n"})
    assert plain_rebase(repo.path, head, tip).commit is None
    repo.git("config", "merge.verbosity", "0")
    found = conflict(repo, "topic")
    assert found.paths == tuple(sorted(ours))
    assert "directory rename split" in found.detail


def test_submodule_entries_conflict_and_merge_without_a_submodule(repo: Clone) -> None:
    first = index_only(repo, "first", repo.git("rev-parse", "main"), f"{GITLINK},{'1' * 40},sub")
    ours = index_only(repo, "ours", first, f"{GITLINK},{'2' * 40},sub")
    theirs = index_only(repo, "theirs", first, f"{GITLINK},{'3' * 40},sub")
    other = index_only(repo, "other", first, f"{GITLINK},{'4' * 40},new")
    assert conflict(repo, ours, theirs).paths == ("sub",)
    merged = candidate(repo, other, theirs)
    assert repo.git("ls-tree", merged.commit, "sub").split()[:3] == [GITLINK, "commit", "3" * 40]


def test_submodules_that_the_user_filled_are_not_wanted_here(repo: Clone) -> None:
    repo.git("config", "submodule.recurse", "true")
    repo.git("config", "submodule.sub.active", "true")
    repo.git("config", "submodule.sub.url", "/nowhere")
    blob = repo.git("hash-object", "-w", "--stdin", stdin='[submodule "sub"]\n\tpath = sub\n\turl = /nowhere\n')
    start = repo.git("rev-parse", "main")
    theirs = index_only(repo, "theirs", start, f"100644,{blob},.gitmodules", f"{GITLINK},{'1' * 40},sub")
    head = repo.branch("topic", {"new": "x"}, "topic")
    assert candidate(repo, head, theirs).base == theirs


def test_a_conflict_says_which_commit_stopped(repo: Clone) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"a/file": "theirs\n"})
    lines = conflict(repo, "topic").detail.split("\n")
    assert "CONFLICT (content): Merge conflict in a/file" in lines
    assert [line for line in lines if line.startswith("error: could not apply") and line.endswith("ours")]


# Attributes


@pytest.mark.parametrize("where", [".gitattributes", "a/.gitattributes", "a/b c/[x]*/.gitattributes"])
def test_merge_attributes_count_wherever_they_are(repo: Clone, where: str) -> None:
    folder = where.removesuffix(".gitattributes")
    repo.commit({where: "*.u merge=union\n", f"{folder}list.u": "first\n"}, "attributes")
    diverged(repo, {f"{folder}list.u": "first\nours\n"}, {f"{folder}list.u": "first\ntheirs\n"})
    result = candidate(repo, "topic")
    assert repo.files(result.commit)[f"{folder}list.u"] == "first\ntheirs\nours\n"


def test_merge_attributes_that_the_branch_brings_count_from_then_on(repo: Clone) -> None:
    repo.commit({"a/list.u": "first\n"}, "list")
    repo.branch("topic", {"a/.gitattributes": "*.u merge=union\n"}, "attributes")
    repo.git("switch", "-q", "topic")
    head = repo.commit({"a/list.u": "first\nours\n"}, "ours")
    repo.git("switch", "-q", "main")
    tip = repo.commit({"a/list.u": "first\ntheirs\n"}, "theirs")
    result = candidate(repo, "topic")
    assert repo.files(result.commit)["a/list.u"] == "first\ntheirs\nours\n"
    assert result.commit == plain_rebase(repo.path, head, tip).commit


def test_merge_attributes_of_a_side_branch_that_its_merge_dropped_count_as_in_a_plain_rebase(repo: Clone) -> None:
    repo.commit({"a/list.u": "first\n"}, "list")
    repo.branch("side", {"a/.gitattributes": "*.u merge=union\n"}, "attributes")
    repo.git("switch", "-q", "side")
    repo.commit({"a/list.u": "first\nours\n"}, "ours")
    repo.git("switch", "-q", "-c", "topic", "main")
    repo.commit({"b/new": "x"}, "topic")
    repo.git("merge", "-q", "-s", "ours", "-m", "merge", "side")
    repo.git("switch", "-q", "main")
    tip = repo.commit({"a/list.u": "first\ntheirs\n"}, "theirs")
    result = candidate(repo, "topic")
    assert result.commit == plain_rebase(repo.path, str(repo.tip("topic")), tip).commit
    assert repo.files(result.commit)["a/list.u"] == "first\ntheirs\nours\n"


def test_merge_attributes_that_the_tip_lost_no_longer_count(repo: Clone) -> None:
    repo.commit({"a/.gitattributes": "*.u merge=union\n", "a/list.u": "first\n"}, "attributes")
    repo.branch("good", {"a/list.u": "first\nours\n"}, "good")
    repo.commit({"a/list.u": "first\ntheirs\n"}, "theirs")
    candidate(repo, "good")
    repo.commit({"a/.gitattributes": None}, "no attributes")
    assert conflict(repo, "good").paths == ("a/list.u",)


def test_the_users_own_attributes_and_drivers_count_when_they_change_too(repo: Clone) -> None:
    diverged(repo, {"a/file": "ours\n"}, {"a/file": "theirs\n"})
    conflict(repo, "topic")
    info = repo.path / ".git/info/attributes"
    info.write_text("a/* merge=mine")
    repo.git("config", "merge.mine.driver", "echo driven > %A")
    assert repo.files(candidate(repo, "topic").commit)["a/file"] == "driven\n"
    info.unlink()
    conflict(repo, "topic")


def test_line_endings_that_contradict_the_attributes_stop_nothing(repo: Clone) -> None:
    """A plain rebase refuses here: a checkout of these files is dirty from the start."""
    repo.git("config", "core.autocrlf", "false")
    crlf = TEN.replace("\n", "\r\n")
    repo.commit({"README": crlf, "a/text": crlf, ".gitattributes": "# x\r\n"}, "crlf")
    blob = repo.git("hash-object", "-w", "--stdin", stdin="* text eol=lf\r\n")
    index_only(repo, "start", "main", f"100644,{blob},.gitattributes", f"100644,{blob},a/.gitattributes")
    readme = [repo.git("hash-object", "-w", "--stdin", stdin=crlf + "x\r\n" * n) for n in range(1, 4)]
    theirs = repo.git("hash-object", "-w", "--stdin", stdin="theirs\r\n" + crlf)
    one = index_only(repo, "one", "start", f"100644,{readme[0]},README", f"100644,{readme[0]},a/text")
    two = index_only(repo, "two", one, f"100644,{readme[1]},README")
    head = index_only(repo, "topic", two, f"100644,{readme[2]},README")
    for number in range(3):
        tip = index_only(repo, f"tip{number}", "start", f"100644,{theirs},README", f"100644,{blob},tip{number}")
        files = repo.files(candidate(repo, head, tip).commit)
        assert files["README"] == "theirs\r\n" + crlf + "x\r\n" * 3
        assert files["a/text"] == crlf + "x\r\n"


def test_filters_do_not_run(repo: Clone) -> None:
    repo.git("config", "filter.broken.smudge", "false")
    repo.git("config", "filter.broken.clean", "false")
    start = repo.tip()
    repo.git("config", "filter.broken.required", "true")
    blob = repo.git("hash-object", "-w", "--stdin", stdin="* filter=broken ident working-tree-encoding=UTF-16\n")
    attributed = index_only(repo, "attributed", str(start), f"100644,{blob},.gitattributes")
    ours = index_only(repo, "ours", attributed, f"100644,{blob},ours")
    theirs = index_only(repo, "theirs", attributed, f"100644,{blob},theirs")
    assert sorted(repo.files(candidate(repo, ours, theirs).commit))[-2:] == ["ours", "theirs"]
