"""A failure here means that catching up lost something of a commit, touched what is not ours, or became dear."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitorch.core.model import Candidate, Oid, TextualConflict
from tests.git.rebases import (
    MOMENT,
    TEN,
    bystanders,
    candidate,
    catch_up,
    catcher,
    commit_object,
    conflict,
    diverged,
    plain_rebase,
    private,
    raw_commit,
)
from tests.support import Clone, Files, git, make_alone, try_git


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GIT_COMMITTER_DATE", MOMENT)
    yield


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    return make_alone(tmp_path, {"README": TEN, "a/file": TEN, "b/file": TEN})


# What needs no rebase


def test_a_head_that_contains_the_tip_keeps_its_commit_and_costs_no_private_repository(repo: Clone) -> None:
    head = repo.branch("topic", {"new": "x"}, "new")
    assert candidate(repo, "topic").commit == head
    assert private(repo) == []


def test_a_head_that_the_tip_contains_leaves_nothing_to_land(repo: Clone) -> None:
    old = repo.git("rev-parse", "main")
    tip = repo.commit({"new": "x"}, "new")
    for head in (old, tip):
        result = candidate(repo, head)
        assert result.commit == result.base == tip


def merged_branch(repo: Clone) -> str:
    """A branch on top of main with a merge inside."""
    repo.branch("side", {"side": "x"}, "side")
    repo.branch("topic", {"topic": "x"}, "topic")
    repo.git("switch", "-q", "topic")
    repo.git("merge", "-q", "--no-edit", "--no-ff", "side")
    repo.git("switch", "-q", "main")
    return repo.git("rev-parse", "topic")


def test_merges_on_top_of_the_tip_are_kept_where_that_is_wanted(repo: Clone) -> None:
    head = merged_branch(repo)
    assert candidate(repo, "topic", keep_merges=True).commit == head


def test_merges_on_top_of_the_tip_are_flattened_otherwise(repo: Clone) -> None:
    head = merged_branch(repo)
    result = candidate(repo, "topic")
    assert result.commit == plain_rebase(repo.path, head, result.base).commit
    assert repo.git("rev-list", "--merges", "--count", result.commit) == "0"
    assert result.tree == repo.git("rev-parse", f"{head}^{{tree}}")


def test_a_branch_whose_commits_are_all_upstream_gives_the_tip(repo: Clone) -> None:
    repo.branch("topic", {"a/file": TEN + "more\n"}, "more")
    repo.commit({"b/file": "else\n"}, "else")
    repo.git("cherry-pick", "topic")
    result = candidate(repo, "topic")
    assert result.commit == result.base == repo.tip()


def test_a_commit_that_became_empty_is_dropped_and_one_that_was_empty_is_kept(repo: Clone) -> None:
    repo.branch("topic", {"a/file": "x\n", "b/file": "y\n"}, "becomes empty")
    repo.git("switch", "-q", "topic")
    repo.commit({}, "was empty")
    repo.git("switch", "-q", "main")
    repo.commit({"a/file": "x\n"}, "half")
    repo.commit({"b/file": "y\n"}, "other half")
    result = candidate(repo, "topic")
    assert repo.git("log", "--format=%s", f"{result.base}..{result.commit}") == "was empty"


# What a commit keeps

MESSAGES = {
    "comments": b"# not a comment\n\n# neither\n",
    "spaces": b"  leading\n\n\n\ntrailing   \n\n\n",
    "no newline": b"one line without end",
    "fixup": b"fixup! theirs\n",
    "scissors": b"s\n# ------------------------ >8 ------------------------\nbelow\n",
    "trailers": b"s\n\nSigned-off-by: A <a@example.org>\nChange-Id: I0\n",
    "unicode": "ünï ☃\n\n\u202ebody\n".encode(),
    "empty": b"",
}

HOSTILE = {
    "branch.autoSetupRebase": "always",
    "commit.cleanup": "strip",
    "commit.template": "/nowhere/template",
    "commit.verbose": "true",
    "core.autocrlf": "true",
    "core.commentChar": "u",
    "core.editor": "false",
    "core.fsmonitor": "true",
    "core.ignoreStat": "true",
    "core.logAllRefUpdates": "always",
    "core.sparseCheckout": "true",
    "core.splitIndex": "true",
    "core.untrackedCache": "true",
    "diff.external": "false",
    "diff.noprefix": "true",
    "diff.orderFile": "/nowhere/order",
    "i18n.commitEncoding": "ISO-8859-1",
    "i18n.logOutputEncoding": "ISO-8859-1",
    "log.follow": "true",
    "log.showSignature": "true",
    "merge.conflictStyle": "diff3",
    "merge.verbosity": "5",
    "notes.rewriteRef": "refs/notes/*",
    "rebase.abbreviateCommands": "true",
    "rebase.autoSquash": "true",
    "rebase.autoStash": "true",
    "rebase.backend": "apply",
    "rebase.forkPoint": "true",
    "rebase.instructionFormat": "%an%n%s",
    "rebase.missingCommitsCheck": "error",
    "rebase.rebaseMerges": "true",
    "rebase.stat": "true",
    "rebase.updateRefs": "true",
    "rerere.autoUpdate": "true",
    "rerere.enabled": "true",
    "sequence.editor": "false",
    "status.showUntrackedFiles": "all",
    "submodule.recurse": "true",
}


@pytest.mark.parametrize("hostile", [False, True], ids=["no configuration", "hostile configuration"])
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_author_date_and_message_are_kept_byte_for_byte(repo: Clone, message: bytes, hostile: bool) -> None:
    head = commit_object(repo, "main", message)
    repo.commit({"a/file": "theirs\n"}, "theirs")
    for key, value in HOSTILE.items() if hostile else ():
        repo.git("config", key, value)
    result = candidate(repo, head)
    headers, kept = raw_commit(repo, result.commit)
    assert kept == message
    assert headers[b"author"] == "Änne <a@example.org> 1500000000 -0730".encode()
    assert headers[b"committer"] == b"Lander <lander@example.org> " + MOMENT.encode()
    assert headers[b"parent"].decode() == repo.tip()
    assert b"encoding" not in headers


def test_a_message_in_a_declared_encoding_keeps_its_text(repo: Clone) -> None:
    author = "Änne <a@example.org> 1500000000 +0000".encode("latin-1")
    head = commit_object(repo, "main", "grüße\n".encode("latin-1"), b"encoding ISO-8859-1\n", author)
    repo.commit({"a/file": "theirs\n"}, "theirs")
    result = candidate(repo, head)
    headers, message = raw_commit(repo, result.commit)
    assert (headers[b"author"][:5].decode(), message.decode()) == ("Änne", "grüße\n")
    assert b"encoding" not in headers
    assert result.commit == plain_rebase(repo.path, head, result.base).commit


@pytest.mark.parametrize(
    "author", [b" <> 1500000000 +0000", b"only name <> 0 +0000", b"a <a@b> 4000000000 +1400"], ids=str
)
def test_an_odd_author_is_kept(repo: Clone, author: bytes) -> None:
    head = commit_object(repo, "main", b"odd\n", author=author)
    repo.commit({"a/file": "theirs\n"}, "theirs")
    assert raw_commit(repo, candidate(repo, head).commit)[0][b"author"] == author


def test_hostile_configuration_changes_nothing_in_the_environment_either(
    repo: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes: Files = {"a/.gitattributes": "* text\n", "c/.gitattributes": "* text\n"}
    diverged(repo, {"a/file": TEN + "ours\n", "root": "x\r\n", **attributes}, {"b/file": "theirs\n"})
    wanted = candidate(repo, "topic")
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(HOSTILE)))
    for number, (key, value) in enumerate(HOSTILE.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    assert candidate(repo, "topic") == wanted


# What must not be touched

HOOKS = (
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-rewrite",
    "pre-commit",
    "pre-rebase",
    "prepare-commit-msg",
    "reference-transaction",
)


@pytest.mark.parametrize("theirs", ["theirs", TEN + "theirs\n"], ids=["conflict", "clean"])
def test_the_users_files_index_refs_and_configuration_stay_byte_for_byte(repo: Clone, theirs: str) -> None:
    diverged(repo, {"a/file": "ours\n" + TEN, "c/d": "x"}, {"a/file": theirs})
    repo.git("notes", "add", "-m", "a note", "topic")
    repo.git("config", "notes.rewriteRef", "refs/notes/*")
    for hook in HOOKS:
        repo.hook(hook, f"touch {shlex.quote(str(repo.path))}/{hook}-ran; exit 1\n")
    repo.git("config", "core.hooksPath", str(repo.path / ".git/hooks"))
    repo.write({"b/file": "staged\n", "untracked": "x"})
    git(repo.path, "-c", "core.hooksPath=/dev/null", "add", "b/file")
    repo.write({"b/file": "not staged\n"})
    before = bystanders(repo.path)
    result = catch_up(repo, "topic")
    assert isinstance(result, TextualConflict if theirs == "theirs" else Candidate)
    assert bystanders(repo.path) == before
    assert repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_the_users_own_rebase_in_progress_is_left_alone(repo: Clone) -> None:
    head, _ = diverged(repo, {"a/file": "ours\n"}, {"a/file": "theirs\n"})
    assert try_git(repo.path, "rebase", "main", "topic").status == 1
    before = bystanders(repo.path)
    assert conflict(repo, head).paths == ("a/file",)
    assert bystanders(repo.path) == before


# Cost and company


def test_many_at_once_work_in_places_of_their_own(repo: Clone) -> None:
    heads = [repo.branch(f"topic{n}", {f"new{n}": "x", "a/file": TEN + f"{n}\n"}, f"topic {n}") for n in range(6)]
    repo.commit({"b/file": "theirs\n"}, "theirs")
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda head: candidate(repo, head), heads * 2))
    assert together == [candidate(repo, head) for head in heads * 2]


def test_a_catch_up_costs_three_git_processes_when_the_private_repository_is_there(
    repo: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catching = catcher(repo.path)
    heads = [repo.branch(f"topic{n}", {f"new{n}": "x"}, f"topic {n}") for n in range(5)]
    heads.insert(4, repo.branch("bad", {"b/file": "ours\n"}, "bad"))
    tip = repo.commit({"b/file": "theirs\n"}, "theirs")
    trace = tmp_path / "trace"
    counts = []
    for head in heads:
        monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
        result = catching.catch_up(Oid(head), Oid(tip), keep_merges=False)
        monkeypatch.delenv("GIT_TRACE2_EVENT")
        # A session id with a slash is a child that git itself started.
        started = [line for line in trace.read_text().splitlines() if '"event":"start"' in line]
        counts.append(sum("/" not in line.split('"sid":"')[1].split('"')[0] for line in started))
        trace.unlink()
        tip = result.commit if isinstance(result, Candidate) else tip
    assert counts[1:] == [3, 3, 3, 4, 4]  # a conflict is one more, and so is what it spoiled


def test_only_files_at_the_root_and_beside_attributes_are_written(repo: Clone) -> None:
    repo.commit({"a/.gitattributes": "x text\n", "a/deep/file": "x", "c/d/e": "x"}, "attributes")
    diverged(repo, {"c/d/e": "ours\n", "new/x": "y"}, {"b/file": "theirs\n"})
    candidate(repo, "topic")
    files = repo.path / ".git/orch/worktrees/catchup-1/files"
    written = sorted(path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file())
    assert written == ["README", "a/.gitattributes", "a/file"]
