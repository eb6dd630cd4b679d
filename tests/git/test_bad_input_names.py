"""Names that mean nothing, that mean too much, or that were chosen to do harm. A failure here means: a word that
somebody typed, or wrote into a branch or a title, was taken for something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.landing import add_branches, jobs, project
from tests.git.prepared import submitted
from tests.git.refusals import LEASES, assert_no_lease_is_held, one_document, record, refuses, shows_safely
from tests.support import Clone, Remote

HOSTILE = "$(touch${IFS}pwned)"

ODD_BRANCHES = (
    "-x",
    "--upload-pack=touch${IFS}pwned",
    HOSTILE,
    'it\'s`touch${IFS}pwned`"quoted"',
    "semi;colon&amp",
    "ünï/日本%2F",
    "a\u202eb",
    "x" * 200,
)

ODD_TITLES = (
    "$(touch pwned) `touch pwned`; 'quoted' \"too\"",
    "\x1b[31mred\x1b]0;title\x07 \x9b2J",
    "\u202eevil \u2066x\u2028y",
    "Orch-Format: 7",
    "x" * 10_000,
    "",
)


def odd_branch(clone: Clone, name: str, number: int) -> None:
    """A branch that `git branch` might refuse to make."""
    commit = clone.branch("tmp", {f"src/odd{number}.txt": "call base\n"}, f"odd {number}")
    clone.git("update-ref", f"refs/heads/{name}", commit)
    clone.git("branch", "-q", "-D", "tmp")


def test_an_unknown_job_is_refused_by_every_command_that_takes_one(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    refuses(clone, "land", "nope", status=2, says="'nope'", hint="git orch list", untouched=remote)
    for command in ("gate", "settle", "show", "why", "cancel"):
        document = one_document(clone.orch(command, "nope", "--json", check=2), 2)
        assert "'nope'" in document["error"]["message"] and document["error"]["hint"] == "git orch list"
    assert remote.refs("refs/orch") == {}


def test_an_unknown_branch_dependency_commit_state_or_remote_is_refused(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    for args, says, hint in (
        (("submit", "nope"), "no branch 'nope'", "git branch --all"),
        (("submit", "b1", "--job", "nope"), "'nope'", "git orch list"),
        (("submit", "b1", "--after", "nope"), "'nope'", "git orch list"),
        (("verdict", "nope"), "'nope' is no commit", "git fetch"),
        (("list", "--state", "ready"), "no state 'ready'", "git orch list --state submitted"),
        (("status", "--remote", "nope"), "no remote named 'nope'", "git remote -v"),
        (("lease", "release"), "no token", "git orch lease show main"),
    ):
        refuses(clone, *args, status=2, says=says, hint=hint, untouched=remote, both=args[0] == "submit")
    clone.orch("list", "--state", "submitted")


def test_a_prefix_of_several_ids_is_refused_and_they_are_named(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.orch("submit", "b1", "--id", "abc-1")
    clone.orch("submit", "b2", "--id", "abc-2")
    says = "'abc' could be any of abc-1, abc-2"
    refuses(clone, "land", "abc", status=2, says=says, hint="git orch show abc-1", untouched=remote)
    refuses(clone, "cancel", "abc", status=2, says=says, hint="git orch show abc-1", untouched=remote, both=False)
    clone.orch("land", "abc-2")


def test_a_branch_of_two_targets_lands_on_the_one_that_is_named_and_nowhere_else(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    clone.push("main:release/1.0")
    clone.orch("submit", "b1", "--id", "for-main")
    clone.orch("submit", "b1", "--id", "for-release", "--target", "release/1.0")
    refuses(clone, "land", "b1", status=2, says="any of for-main, for-release", hint="git orch show", untouched=remote)
    wrong = ("--target", "release/1.0")
    for args in (("land", "for-main", *wrong), ("land", "for-main", "-n", *wrong), ("gate", "for-main", *wrong)):
        says = "for-main is for main, not for release/1.0"
        refuses(clone, *args, status=2, says=says, hint="git orch land for-main", untouched=remote, both=False)
    refuses(
        clone, "settle", "for-release", status=2, says="is for release/1.0", hint="--target release/1.0", both=False
    )
    plan = clone.orch("land", "for-release", "-n", "--json").json()["data"]
    assert plan["target"] == "release/1.0"
    main = remote.tip()
    clone.orch("land", "b1", "--target", "release/1.0")
    assert remote.tip("release/1.0") == clone.tip("b1") and remote.tip() == main
    assert list(remote.refs(LEASES)) == [f"{LEASES}/release%2F1.0"]


def test_targets_with_slashes_and_percents_have_leases_of_their_own(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.push("main:rel/1", "main:rel%2F1")
    clone.orch("submit", "b1", "--target", "rel/1")
    clone.orch("submit", "b2", "--target", "rel%2F1")
    clone.orch("land", "b1")
    clone.orch("land", "b2")
    assert (remote.tip("rel/1"), remote.tip("rel%2F1")) == (clone.tip("b1"), clone.tip("b2"))
    assert [name.rpartition("/")[2] for name in remote.refs(LEASES)] == ["rel%252F1", "rel%2F1"]
    assert_no_lease_is_held(remote)


def test_branches_with_odd_names_land_and_are_shown_harmlessly(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    for number, name in enumerate(ODD_BRANCHES):
        odd_branch(clone, name, number)
        run = clone.orch("submit", "--", name)
        shows_safely(run)
        assert "pwned" not in run.err, "a hint is there to be pasted into a shell"
    shows_safely(clone.orch("list"))
    run = clone.orch("land", "--all")
    shows_safely(run)
    assert f"{len(ODD_BRANCHES)} landed" in run.out
    assert set(jobs(clone)) == set(ODD_BRANCHES)
    assert {name.removeprefix("refs/heads/") for name in remote.refs("refs/heads")} == {*ODD_BRANCHES, "main"}
    assert not list(tmp_path.rglob("pwned"))


def test_the_hint_after_a_conflict_can_be_pasted_whatever_the_branch_is_called(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    commit = clone.branch("tmp", {"shared.txt": "mine\n"}, "mine")
    clone.git("update-ref", f"refs/heads/{HOSTILE}", commit)
    clone.orch("submit", "--id", "one", "--", HOSTILE)
    clone.commit({"shared.txt": "theirs\n"}, "theirs")
    clone.push("main")
    refuses(clone, "land", "one", status=14, says="shared.txt", hint="git switch BRANCH", both=False)
    for command in ("why", "show", "log"):
        assert "pwned" not in clone.orch(command, "one").err
    assert_no_lease_is_held(remote)


@pytest.mark.parametrize("name", ["a b", "a..b", "", "HEAD", "-x", "x" * 2_000, "b\udcff", "tab\there"])
def test_what_is_no_branch_is_refused_as_a_branch(tmp_path: Path, name: str) -> None:
    remote, clone = submitted(tmp_path, 0, behind=False)
    refuses(
        clone, "submit", "--", name, status=2, says="branch", hint="git branch --", untouched=remote, both=name == "-x"
    )


def test_the_target_itself_is_not_submitted_and_an_option_is_no_branch(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    refuses(clone, "submit", status=2, says="main is the target itself", hint="git switch -c", untouched=remote)
    refuses(clone, "land", "-x", status=2, says="no such option: -x", hint="`--`", untouched=remote)
    refuses(clone, "submit", "main", "--target", "a..b", status=2, says="not the name of a branch", hint="git branch")


def test_titles_of_any_kind_are_kept_and_shown_harmlessly(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    for number, title in enumerate(ODD_TITLES):
        clone.branch(f"t{number}", {f"src/t{number}.txt": "call base\n"}, "x")
        clone.git("switch", "-q", f"t{number}")
        clone.git("commit", "-q", "--amend", "--allow-empty-message", "--cleanup=verbatim", "-F", "-", stdin=title)
        shows_safely(clone.orch("submit"))
    clone.git("switch", "-q", "main")
    for command in (("list",), ("status",), ("log",), ("show", "t1"), ("why", "t1")):
        shows_safely(clone.orch(*command))
    titles = {branch: str(job["title"]) for branch, job in jobs(clone).items()}
    assert titles["t0"] == ODD_TITLES[0]
    assert titles["t1"].startswith("\\x1b[31mred") and titles["t2"].startswith("\\u202eevil")
    assert len(titles["t4"]) == 200 and titles["t5"] == "(no title)"
    shows_safely(clone.orch("land", "--all"))
    shows_safely(clone.orch("log"))
    subjects = remote.git("log", "--reverse", "--format=%s", "main").split("\n")
    assert ODD_TITLES[0] in subjects, "what lands is the commit as it was written"
    assert not list(tmp_path.rglob("pwned"))


def test_titles_ids_priorities_and_urls_have_limits(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 1)
    for args, says in (
        (("submit", "b1", "--title", "x" * 10_001), "this one has 10001"),
        (("submit", "b1", "--title", " "), "a title has 1 to 500 characters"),
        (("submit", "b1", "--id", "Not-An-Id"), "a job's id is"),
        (("submit", "b1", "--id", "x" * 65), "a job's id is"),
        (("submit", "b1", "--priority", "99999999999"), "a priority is a number from"),
        (("submit", "b1", "--priority", "soon"), "is not a valid int"),
        (("verdict", "HEAD", "green", "--url", "x" * 20_000), "the URL has 20000 characters"),
    ):
        refuses(clone, *args, status=2, says=says, hint="git orch", untouched=remote, both=args[0] == "verdict")
    clone.orch("submit", "b1", "--title", "two\nlines \x1b[0m", "--priority", "-5", "--id", "one")
    job = clone.orch("show", "one", "--json").json()["data"]
    assert (job["title"], job["priority"]) == ("two lines \\x1b[0m", -5)
    refuses(clone, "submit", "b1", "--id", "one", status=2, says="there is a job one already", hint="git orch show one")


def test_reasons_and_holders_of_any_kind_are_one_harmless_line(tmp_path: Path) -> None:
    remote: Remote = project(tmp_path)
    clone = remote.clone("a")
    odd = "\x1b[31m\u202e" + "h" * 10_000 + "\nEpoch: 99"
    shows_safely(clone.orch("lease", "acquire", "--holder", odd, "--reason", odd))
    run = clone.orch("lease", "show")
    shows_safely(run)
    assert run.out.count("\n") == 1 and record(remote, f"{LEASES}/main")["Epoch"] == "1"
    clone.orch("lease", "break", "--reason", odd)
    assert_no_lease_is_held(remote)
