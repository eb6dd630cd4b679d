"""How refs are spelled. A failure here means that clients look in different places, or act on what is not ours."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitorch.core.model import JobId
from gitorch.core.names import (
    NOTES,
    SELF,
    Mirror,
    Namespace,
    RefKind,
    branch_of,
    branch_ref,
    escape_target,
    is_branch_name,
    unescape_target,
)
from tests.records import JOB_IDS, UNICODE
from tests.support import make_alone

HERE = Namespace()
ELSEWHERE = Namespace("refs/heads/orch")
PIECES = [
    "a",
    "B",
    "1",
    "-",
    "_",
    ".",
    "..",
    "/",
    "//",
    "/.",
    ".lock",
    "@",
    "@{",
    "{",
    "}",
    "%",
    "%2F",
    "é",
    "日本",
    "'",
    '"',
]
AWKWARD = ["~", "^", ":", "?", "*", "[", "\\", "\x01", "\x7f", "$(x)", "`", ";", "|", "&", "<", "=", "#", "+", ",", "!"]
NAMES = st.one_of(
    st.lists(st.sampled_from(PIECES + AWKWARD), min_size=1, max_size=5).map("".join),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.text(UNICODE, min_size=1, max_size=8),
)
BRANCHES = NAMES.filter(is_branch_name)


# -- branches


@settings(max_examples=15)
@given(st.lists(NAMES, min_size=100, max_size=200))
@example(["@", "a@", "@a", "HEAD", "a/HEAD", "a.", "a./b", "a.lock.b", "a.lock/b", ".a", "a/.b", "-", "-a", "a" * 250])
def test_a_branch_name_is_what_git_accepts_and_a_record_can_hold(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    repository = tmp_path_factory.getbasetemp() / "names"
    if not repository.exists():
        make_alone(repository.parent, name=repository.name)
    # git's filter takes what follows the last white space, and reads bytes; `^{}` at the end is cut off by it.
    asked = [name for name in names if not any(c in " \t\n\v\f\r" for c in name) and not name.endswith("^{}")]
    data = "".join(f"refs/heads/{name}\n" for name in asked).encode()
    command = ["git", "show-ref", "--exclude-existing"]
    shown = subprocess.run(command, cwd=repository, input=data, capture_output=True, check=False).stdout.decode()
    accepted = {line.removeprefix("refs/heads/") for line in shown.split("\n") if line}
    for name in asked:
        ours = name in ("@", "HEAD") or name != name.strip() or any("\x80" <= c <= "\x9f" for c in name)
        assert is_branch_name(name) == (name in accepted and not ours), repr(name)


@pytest.mark.parametrize("name", ["a b", "a\tb", "a\nb", " ", "a\n", "a^{}", "", "/", "a/", "/a", "x" * 1001])
def test_what_git_refuses_or_nobody_could_type_is_no_branch_name(name: str) -> None:
    assert not is_branch_name(name)
    with pytest.raises(ValueError):
        branch_ref(name)


@pytest.mark.parametrize("name", ["a\udcff", "\ud800", "a\x9b31m", "\u3000a", "a\u2003"])
def test_what_no_record_can_hold_is_no_branch_name(name: str) -> None:
    assert not is_branch_name(name)


@given(BRANCHES)
def test_a_branch_is_found_again_in_its_ref(branch: str) -> None:
    assert branch_of(branch_ref(branch)) == branch


def test_other_refs_name_no_branch() -> None:
    assert [branch_of(ref) for ref in ("refs/heads/", "refs/heads", "refs/tags/a", "main", "")] == [None] * 5


# -- targets in the names of leases


@given(BRANCHES)
def test_a_target_is_one_component_and_is_found_again(target: str) -> None:
    component = escape_target(target)
    assert "/" not in component
    assert unescape_target(component) == target


@given(BRANCHES, BRANCHES)
def test_two_targets_never_share_a_lease(one: str, other: str) -> None:
    assert (escape_target(one) == escape_target(other)) == (one == other)


@pytest.mark.parametrize("component", ["a%2fb", "a/b", "a%", "a%20", "%", "%2F", "a%2F", "", "a%25%", "a%2F%2Fb"])
def test_a_component_that_is_never_written_is_not_read(component: str) -> None:
    assert unescape_target(component) is None


# -- the namespace


@given(JOB_IDS, BRANCHES, st.sampled_from([HERE, ELSEWHERE, Namespace("refs/x/y/z")]))
def test_every_name_that_is_built_is_read_back(job: JobId, target: str, namespace: Namespace) -> None:
    assert namespace.parse(namespace.job(job)) == (RefKind.JOB, job)
    assert namespace.parse(namespace.lease(target)) == (RefKind.LEASE, target)
    assert namespace.parse(namespace.scratch(job)) == (RefKind.SCRATCH, job)
    assert namespace.parse(namespace.graph) == (RefKind.GRAPH, "")
    assert namespace.parse(namespace.archive) == (RefKind.ARCHIVE, "")
    assert namespace.parse(f"{namespace.root}/workers/{job}") == (RefKind.WORKER, job)
    assert namespace.parse(f"{namespace.root}/slots/17") == (RefKind.SLOT, "17")


@given(st.text(max_size=40), st.sampled_from(["", "refs/", "refs/orch/", "refs/orch/jobs/", "refs/orch/leases/"]))
def test_a_name_that_is_read_is_the_one_that_would_be_built(text: str, prefix: str) -> None:
    found = HERE.parse(prefix + text)
    if found is not None and found[0] is RefKind.JOB:
        assert HERE.job(JobId(found[1])) == prefix + text
    if found is not None and found[0] is RefKind.LEASE:
        assert HERE.lease(found[1]) == prefix + text


@pytest.mark.parametrize(
    "ref",
    [
        "refs/orch",
        "refs/orch/",
        "refs/orch/jobs",
        "refs/orch/jobs/",
        "refs/orch/jobs/A",
        "refs/orch/jobs/a/b",
        "refs/orch/jobs/a\n",
        "refs/orch/jobs/\udcff",
        "refs/orch/leases/a/b",
        "refs/orch/leases/",
        "refs/orch/graph/x",
        "refs/orch/graphs",
        "refs/orch/notes",
        "refs/orch/slots/x",
        "refs/orch/surprise/x",
        "refs/orchard/jobs/a",
        "refs/heads/orch/jobs/a",
        "jobs/a",
        "a/jobs/a",
        "",
    ],
)
def test_a_name_that_is_nothing_of_ours_is_not_read(ref: str) -> None:
    assert HERE.parse(ref) is None


@pytest.mark.parametrize(
    "root",
    [
        "",
        "refs",
        "refs/",
        "orch",
        "heads/orch",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
        "refs/orch/",
        "refs/or ch",
        "refs/orch..x",
        "refs/orch-remotes",
        "refs/orch-remotes/origin",
        "refs/orch\n",
        "refs/*",
    ],
)
def test_a_namespace_that_git_would_not_accept_or_that_hides_other_refs_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match="refs/orch or refs/heads/orch"):
        Namespace(root)


def test_notes_lie_where_git_shows_them_unless_the_host_takes_branches_only() -> None:
    assert HERE.notes == NOTES == "refs/notes/orch"
    assert ELSEWHERE.notes == "refs/heads/orch/notes"
    assert ELSEWHERE.parse(ELSEWHERE.notes) is None


def test_a_job_name_that_is_no_id_is_a_fault_of_the_program() -> None:
    with pytest.raises(AssertionError):
        HERE.job(JobId("../heads/main"))


# -- the mirror


@given(JOB_IDS, BRANCHES, st.sampled_from([HERE, ELSEWHERE]), st.sampled_from(["origin", SELF]))
def test_every_mirrored_ref_of_the_namespace_is_found_again(
    job: JobId, target: str, namespace: Namespace, remote: str
) -> None:
    mirror = Mirror(remote, namespace)
    for ref in (namespace.job(job), namespace.lease(target), namespace.graph):
        assert mirror.remote_name(mirror.local_name(ref)) == ref


@given(BRANCHES.filter(lambda branch: not branch.startswith("orch/")), st.sampled_from([HERE, ELSEWHERE]))
def test_a_mirrored_branch_never_lies_in_the_mirrored_state(branch: str, namespace: Namespace) -> None:
    mirror = Mirror("origin", namespace)
    assert mirror.local_name(branch_ref(branch)) == f"refs/orch-remotes/origin/heads/{branch}"
    assert mirror.remote_name(mirror.local_name(branch_ref(branch))) is None


def test_the_repository_that_is_its_own_remote_mirrors_nothing() -> None:
    mirror = Mirror(SELF, HERE)
    for ref in ("refs/orch/jobs/a", "refs/heads/main", "refs/notes/orch"):
        assert mirror.local_name(ref) == ref
    assert Mirror("origin", HERE).remote_name("refs/orch/jobs/a") is None


def test_no_fetch_writes_where_users_or_other_remotes_have_their_refs() -> None:
    for namespace in (HERE, ELSEWHERE):
        for spec in Mirror("origin", namespace).refspecs(frozenset({"main", "a/b"})):
            assert spec.startswith("^") or ":refs/orch-remotes/origin/" in spec


def places(mirror: Mirror, branches: set[str], ref: str) -> list[str]:
    """Where a fetch would put a ref, by git's rule for patterns that end in a star."""
    pairs = [spec[1:].split(":") for spec in mirror.refspecs(frozenset(branches)) if spec.startswith("+")]
    assert all(theirs.endswith("*") and ours.endswith("*") for theirs, ours in pairs)
    return [ours[:-1] + ref[len(theirs) - 1 :] for theirs, ours in pairs if ref.startswith(theirs[:-1])]


@pytest.mark.parametrize("namespace", [HERE, ELSEWHERE])
def test_a_fetch_puts_everything_exactly_where_an_observation_looks_for_it(namespace: Namespace) -> None:
    mirror = Mirror("origin", namespace)
    for ref in (namespace.job(JobId("a")), namespace.lease("x/y"), namespace.graph, namespace.notes, "refs/heads/main"):
        assert places(mirror, {"main"}, ref) == [mirror.local_name(ref)]


def test_asking_for_a_ref_that_nothing_mirrors_is_a_fault_of_the_program() -> None:
    with pytest.raises(AssertionError, match="nothing mirrors"):
        Mirror("origin", HERE).local_name("refs/tags/v1")
