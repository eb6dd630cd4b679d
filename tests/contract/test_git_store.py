"""What only the store on git has to promise: it leaves the clone's own refs, configuration and checkouts alone, and it
tells apart what git and the servers say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitorch.core.errors import RefusedError, UnreachableError
from gitorch.core.model import Oid
from gitorch.core.names import Mirror
from gitorch.core.writes import OutcomeKind, RefUpdate
from gitorch.shell.store import GitStore
from tests.contract.conftest import BranchesOnlySite, GitSite, OwnSite, open_store
from tests.contract.events import job_oid, job_update, lease_update, notes_update, plan
from tests.contract.test_store import at_once
from tests.records import oid
from tests.support import Clone, git, make_remote

PUBLISHED, CONFLICT, UNKNOWN = OutcomeKind.PUBLISHED, OutcomeKind.CONFLICT, OutcomeKind.UNKNOWN
JOB_A = "refs/orch/jobs/a"
MIRRORED_A = "refs/orch-remotes/origin/state/jobs/a"


def tip_of(site: GitSite, client: GitStore) -> Oid:
    tip = client.observe({"main"}).tip("main")
    assert tip is not None
    return tip


# -- the clone


def test_a_plain_fetch_with_prune_touches_nothing_of_what_was_observed(bare: GitSite) -> None:
    client = bare.client()
    clone = bare.clone_of(client)
    client.publish(
        plan(job_update(bare.namespace, "a", "n1"), notes_update(bare.namespace, None, "n1", [(oid(1), "x")]))
    )
    before = clone.git("config", "--list", "--local")
    snapshot = client.observe({"main"})
    mirrored = clone.refs("refs/orch-remotes/")
    assert len(mirrored) == 3
    clone.git("fetch", "--quiet", "--prune", "--prune-tags", "--all")
    assert clone.refs("refs/orch-remotes/") == mirrored
    assert client.last_seen({"main"}) == snapshot
    assert clone.git("config", "--list", "--local") == before
    assert clone.refs("refs/orch/") == {}


def test_what_was_seen_last_can_be_read_without_the_remote(bare: GitSite) -> None:
    client = bare.client()
    client.publish(plan(job_update(bare.namespace, "a", "n1")))
    snapshot = client.observe({"main"})
    bare.vanish()
    assert client.last_seen({"main"}) == snapshot
    with pytest.raises(UnreachableError):
        client.observe({"main"})


def test_closing_a_store_leaves_the_mirror_at_what_was_published(bare: GitSite) -> None:
    client = bare.client()
    clone = bare.clone_of(client)
    tip = tip_of(bare, client)
    moved = bare.commit(client, "landed", tip)
    outcome = client.publish(
        plan(
            job_update(bare.namespace, "a", "n1"),
            RefUpdate("refs/heads/main", tip, moved),
            notes_update(bare.namespace, None, "n1", [(moved, "landed here")]),
        )
    )
    assert clone.ref(MIRRORED_A) is None
    bare.vanish()
    client.close()
    assert clone.ref(MIRRORED_A) == outcome.oids[JOB_A]
    snapshot = client.last_seen({"main"})
    assert (set(snapshot.jobs), snapshot.tip("main"), snapshot.notes) == ({"a"}, moved, outcome.oids["refs/notes/orch"])
    client.close()


def test_closing_a_store_forgets_what_was_deleted(bare: GitSite) -> None:
    client = bare.client()
    client.publish(plan(job_update(bare.namespace, "a", "n1")))
    seen = job_oid(client.observe(), "a")
    client.publish(plan(RefUpdate(JOB_A, seen, None)))
    client.close()
    assert client.last_seen().jobs == {}


def test_a_line_that_was_noted_is_shown_by_git_log(bare: GitSite) -> None:
    writer, reader = bare.client(), bare.client()
    tip = tip_of(bare, writer)
    writer.publish(plan(notes_update(bare.namespace, None, "n1", [(tip, "this was tested")])))
    writer.close()
    reader.observe()
    for client in (writer, reader):
        assert "this was tested" in bare.clone_of(client).git("log", "--notes=orch", "origin/main")


def test_notes_of_the_users_own_making_are_left_alone(bare: GitSite) -> None:
    client = bare.client()
    clone = bare.clone_of(client)
    clone.git("notes", "--ref=orch", "add", "-m", "mine", "origin/main")
    mine = clone.ref("refs/notes/orch")
    tip = tip_of(bare, client)
    client.publish(plan(notes_update(bare.namespace, None, "n1", [(tip, "theirs")])))
    client.close()
    client.observe()
    assert clone.ref("refs/notes/orch") == mine
    assert client.notes(client.observe(), [tip]) == {tip: "theirs\n"}


def test_the_archive_and_scratch_refs_are_not_fetched(bare: GitSite) -> None:
    client = bare.client()
    bare.put("refs/orch/archive", b"old\n")
    bare.put("refs/orch/scratch/probe", b"x\n")
    assert client.observe().damaged == ()
    assert bare.clone_of(client).refs("refs/orch-remotes/") == {}


def test_a_branch_that_made_way_for_a_folder_of_its_name_is_observed(bare: GitSite) -> None:
    """And the other way round: what was seen before must not be in the way for ever."""
    client = bare.client()
    tip = tip_of(bare, client)
    assert client.publish(plan(RefUpdate("refs/heads/a", None, tip))).kind is PUBLISHED
    assert client.observe({"a"}).tip("a") == tip
    bare.delete("refs/heads/a")
    assert client.publish(plan(RefUpdate("refs/heads/a/b/c", None, tip))).kind is PUBLISHED
    assert client.observe({"a/b/c"}).tip("a/b/c") == tip
    bare.delete("refs/heads/a/b/c")
    assert client.publish(plan(RefUpdate("refs/heads/a", None, tip))).kind is PUBLISHED
    assert client.observe({"a"}).tip("a") == tip


def test_commands_of_one_clone_may_observe_at_the_same_time(bare: GitSite) -> None:
    first = bare.client()
    path = bare.path_of(first)
    clients = [bare.open(path, Mirror("origin", bare.namespace), "origin") for _ in range(4)]
    bare.put_many({f"refs/orch/jobs/j{number}": b"no record\n" for number in range(30)})
    snapshots = at_once(*(client.observe for client in clients))
    assert [len(snapshot.damaged) for snapshot in snapshots] == [30] * 4


def test_two_remotes_of_one_clone_are_kept_apart(bare: GitSite, tmp_path: Path) -> None:
    client = bare.client()
    clone = bare.clone_of(client)
    client.publish(plan(job_update(bare.namespace, "a", "n1")))
    (tmp_path / "second").mkdir()
    clone.git("remote", "add", "backup", str(make_remote(tmp_path / "second").path))
    other = bare.open(clone.path, Mirror("backup", bare.namespace), "backup")
    assert other.observe().jobs == {}
    assert set(client.observe().jobs) == {"a"}
    assert set(client.last_seen().jobs) == {"a"}


# -- the push


@pytest.mark.parametrize(
    "config",
    [
        ("push.followTags", "true"),
        ("remote.origin.mirror", "true"),
        ("push.default", "matching"),
        ("remote.origin.push", "+refs/*:refs/*"),
        ("push.useForceIfIncludes", "true"),
        ("push.recurseSubmodules", "check"),
        ("push.gpgSign", "true"),
        ("core.hooksPath", "/dev/null"),
        ("remote.origin.prune", "true"),
        ("remote.origin.tagOpt", "--tags"),
        ("fetch.pruneTags", "true"),
        ("fetch.recurseSubmodules", "true"),
        ("submodule.recurse", "true"),
        ("core.quotePath", "false"),
        ("color.ui", "always"),
        ("log.showSignature", "true"),
        ("core.logAllRefUpdates", "always"),
    ],
    ids=lambda pair: pair[0],
)
def test_no_setting_of_the_user_adds_to_what_is_pushed_or_fetched(bare: GitSite, config: tuple[str, str]) -> None:
    client = bare.client()
    clone = bare.clone_of(client)
    clone.git("tag", "-m", "a tag", "v1", "origin/main")
    clone.git("branch", "private", "origin/main")
    bare.repo.git("tag", "of-others", "main")
    clone.git("config", *config)
    before, local = bare.refs(), clone.refs()
    tip = tip_of(bare, client)
    mirrored = clone.refs("refs/orch-remotes/")
    moved = bare.commit(client, "landed", tip)
    outcome = client.publish(plan(RefUpdate("refs/heads/main", tip, moved), job_update(bare.namespace, "a", "n1")))
    assert outcome.kind is PUBLISHED
    assert bare.refs() == {**before, "refs/heads/main": moved, JOB_A: outcome.oids[JOB_A]}
    snapshot = client.observe({"main"})
    assert set(snapshot.jobs) == {"a"}
    changed = {ref for ref, value in clone.refs().items() if local.get(ref) != value}
    assert changed == {*mirrored, MIRRORED_A, "refs/remotes/origin/main", "refs/remotes/origin/HEAD"}
    assert [entry.oid for entry in client.diary(JOB_A)] == [outcome.oids[JOB_A]]


def test_hooks_of_the_clone_are_for_peoples_own_pushes(bare: GitSite) -> None:
    client = bare.client()
    bare.clone_of(client).hook("pre-push", "exit 1\n")
    assert client.publish(plan(job_update(bare.namespace, "a", "n1"))).kind is PUBLISHED


def test_a_shallow_clone_and_a_linked_worktree_publish_like_any_other(bare: GitSite) -> None:
    first = bare.client()
    clone = bare.clone_of(first)
    tip = tip_of(bare, first)
    first.publish(plan(RefUpdate("refs/heads/main", tip, bare.commit(first, "second", tip))))
    url = f"file://{bare.repo.path}"
    path = bare.repo.path.with_name("shallow")
    git(path.parent, "clone", "-q", "--depth=1", url, str(path))
    shallow = bare.open(path, Mirror("origin", bare.namespace), "origin")
    seen = tip_of(bare, shallow)
    landing = plan(RefUpdate("refs/heads/main", seen, bare.commit(shallow, "third", seen)), lease(bare, "n1"))
    assert shallow.publish(landing).kind is PUBLISHED
    tree = clone.path.with_name("linked")
    clone.git("worktree", "add", "-q", "--detach", str(tree), "origin/main")
    linked = open_store(tree)
    assert set(linked.observe().leases) == {"main"}
    assert linked.publish(plan(job_update(bare.namespace, "a", "n1"))).kind is PUBLISHED
    assert set(first.observe().jobs) == {"a"}
    linked.close()


def lease(site: GitSite, nonce: str) -> RefUpdate:
    return lease_update(site.namespace, nonce, None, 1)


def test_an_empty_remote_is_observed_and_takes_the_first_event(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), "clone")
    store = open_store(tmp_path / "clone")
    assert store.observe({"main"}).tip("main") is None
    assert store.publish(plan(job_update(GitSite.namespace, "a", "n1"))).kind is PUBLISHED
    assert set(store.observe().jobs) == {"a"}
    store.close()


def test_a_sha256_repository_is_served_like_any_other(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "--object-format=sha256", "remote.git")
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", "clone")
    clone = Clone(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    first = Oid(clone.commit({"a": "1\n"}, "first"))
    clone.push("main")
    store = open_store(clone.path)
    tip = store.observe({"main"}).tip("main")
    assert tip == first and len(tip) == 64
    wanted = plan(
        job_update(GitSite.namespace, "a", "n1", keeps=(first,)),
        notes_update(GitSite.namespace, None, "n1", [(first, "x")]),
    )
    assert store.publish(wanted).kind is PUBLISHED
    snapshot = store.observe()
    assert store.notes(snapshot, [first]) == {first: "x\n"}
    assert len(store.diary(JOB_A)) == 1
    store.close()


# -- chains and payloads


def test_a_chain_reads_as_a_diary_of_events_alone(bare: GitSite) -> None:
    """Whatever an event keeps alive: neither the commits of users nor the root of chains are entries."""
    client = bare.client()
    tip = tip_of(bare, client)
    first = client.publish(plan(job_update(bare.namespace, "a", "n1", keeps=(tip,), title="First"))).oids[JOB_A]
    second = client.publish(
        plan(job_update(bare.namespace, "a", "n2", first, keeps=(tip,), title="Second", files={"log": b"\x00\xff"}))
    ).oids[JOB_A]
    assert second is not None
    client.observe()
    entries = client.diary(JOB_A)
    assert [(entry.oid, entry.message.splitlines()[0], entry.who) for entry in entries] == [
        (second, "edit: Second", "Ada Author"),
        (first, "edit: First", "Ada Author"),
    ]
    assert client.diary(JOB_A, limit=1) == entries[:1]
    assert client.files(second) == {"log": b"\x00\xff"}
    shown = bare.repo.git("log", "--first-parent", "--format=%s", JOB_A).splitlines()
    assert shown[:2] == ["edit: Second", "edit: First"]
    assert not any("second" in line for line in shown[2:])


def test_a_head_outlives_its_branch_on_the_remote(bare: GitSite) -> None:
    client = bare.client()
    head = bare.commit(client, "work")
    client.publish(plan(job_update(bare.namespace, "a", "n1", keeps=(head,)), RefUpdate("refs/heads/b", None, head)))
    bare.delete("refs/heads/b")
    bare.repo.git("gc", "--quiet", "--prune=now")
    assert bare.repo.git("cat-file", "-t", head) == "commit"


# -- what servers say


def test_a_remote_without_atomic_pushes_is_refused_with_what_to_change(bare: GitSite) -> None:
    client = bare.client()
    bare.repo.git("config", "receive.advertiseAtomic", "false")
    with pytest.raises(RefusedError) as caught:
        client.publish(plan(job_update(bare.namespace, "a", "n1")))
    assert "atomic" in caught.value.message
    assert "git config receive.advertiseAtomic true" in caught.value.hint
    assert JOB_A not in bare.refs()


READ_ONLY = """#!/bin/sh
case "$2" in
git-receive-pack*) printf '%s\\n' "$ORCH_TEST_WORDS" >&2; exit 128 ;;
esac
exec /bin/sh -c "$2"
"""


@pytest.mark.parametrize(
    "words",
    [
        "ERROR: Permission to team/project.git denied to ada.",
        "ERROR: You are not allowed to push code to this project.",
        "FATAL: W any team/project ada DENIED by fallthru",
        "ERROR: This repository was archived so it is read-only.",
        "fatal: remote error: access denied or repository not exported: /project",
        "fatal: remote error: service not enabled: 'receive-pack'",
    ],
)
def test_a_remote_that_may_only_be_read_is_a_refusal_in_its_own_words(
    bare: GitSite, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over ssh, with a server that serves fetches and answers pushes as forges do."""
    client = bare.client()
    script = tmp_path / "ssh"
    script.write_text(READ_ONLY)
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    monkeypatch.setenv("ORCH_TEST_WORDS", words)
    bare.clone_of(client).git("remote", "set-url", "origin", f"ssh://example.org{bare.repo.path}")
    assert client.observe({"main"}).tip("main") is not None
    with pytest.raises(RefusedError, match="does not let you push") as caught:
        client.publish(plan(job_update(bare.namespace, "a", "n1")))
    assert words.partition(": ")[2] in caught.value.message


def test_a_server_that_takes_no_more_objects_is_a_refusal(bare: GitSite) -> None:
    client = bare.client()
    bare.repo.git("config", "receive.maxInputSize", "1")
    with pytest.raises(RefusedError):
        client.publish(plan(job_update(bare.namespace, "a", "n1")))
    assert JOB_A not in bare.refs()


def test_a_branch_that_the_server_never_rewinds_is_a_refusal_and_no_lost_race(bare: GitSite) -> None:
    client = bare.client()
    old = bare.commit(client, "old")
    client.publish(plan(RefUpdate("refs/heads/b", None, old)))
    bare.repo.git("config", "receive.denyNonFastForwards", "true")
    before = bare.refs()
    with pytest.raises(RefusedError, match="non-fast-forward"):
        client.publish(
            plan(RefUpdate("refs/heads/b", old, bare.commit(client, "rebased")), job_update(bare.namespace, "a", "n1"))
        )
    assert bare.refs() == before


@pytest.mark.parametrize("branch", ["main/below", "x" * 250 + "/" + "y" * 254])
def test_a_name_that_the_server_cannot_store_is_a_refusal_and_no_lost_race(bare: GitSite, branch: str) -> None:
    client = bare.client()
    tip = tip_of(bare, client)
    with pytest.raises(RefusedError, match="cannot lock ref"):
        client.publish(plan(RefUpdate(f"refs/heads/{branch}", None, tip)))


def test_a_lock_that_a_killed_server_left_is_named_in_the_outcome(bare: GitSite) -> None:
    client = bare.client()
    client.publish(plan(job_update(bare.namespace, "a", "n1")))
    seen = job_oid(client.observe(), "a")
    (bare.repo.path / f"{JOB_A}.lock").touch()
    outcome = client.publish(plan(job_update(bare.namespace, "a", "n2", seen)))
    assert outcome.kind is CONFLICT and "remove it there" in outcome.remedy
    assert "a.lock" in outcome.detail and outcome.detail.isprintable()


def test_a_server_that_hides_what_we_write_and_takes_the_rest_is_found_out(bare: GitSite) -> None:
    """Git refuses the hidden ref by itself and carries out the rest of the "atomic" push."""
    client = bare.client()
    tip = tip_of(bare, client)
    bare.repo.git("config", "receive.hideRefs", "refs/orch/leases")
    moved = bare.commit(client, "landed", tip)
    with pytest.raises(RefusedError) as caught:
        client.publish(plan(RefUpdate("refs/heads/main", tip, moved), lease(bare, "n1")))
    assert bare.refs()["refs/heads/main"] == moved
    assert "it took refs/heads/main and refused refs/orch/leases/main" in caught.value.message


def test_an_answer_that_takes_too_long_is_an_unknown_outcome(bare: GitSite, tmp_path: Path) -> None:
    client = bare.client()
    stop = tmp_path / "stop"
    bare.repo.hook("pre-receive", f'until [ -e "{stop}" ]; do sleep 0.05; done; exit 1\n')
    started = time.monotonic()
    outcome = client.publish(plan(job_update(bare.namespace, "a", "n1")), timeout_s=0.5)
    took_s = time.monotonic() - started
    stop.touch()
    assert outcome.kind is UNKNOWN
    assert 0.5 <= took_s < 20
    assert "no answer" in outcome.detail


def test_a_push_that_was_applied_and_reported_before_the_connection_broke_is_published(bare: GitSite) -> None:
    client = bare.client()
    bare.repo.hook("post-receive", "kill -9 $PPID\n")
    assert client.publish(plan(job_update(bare.namespace, "a", "n1"))).kind is PUBLISHED
    assert JOB_A in bare.refs()


# -- hosts that take branches only


def test_on_a_host_that_takes_branches_only_everything_lies_below_the_namespace(
    branches_only: BranchesOnlySite,
) -> None:
    site = branches_only
    one, other = site.client(), site.client()
    tip = tip_of(site, one)
    first = plan(
        job_update(site.namespace, "a", "n1"),
        lease(site, "n1"),
        notes_update(site.namespace, None, "n1", [(tip, "first")]),
        RefUpdate("refs/heads/main", tip, site.commit(one, "landed", tip)),
    )
    assert one.publish(first).kind is PUBLISHED
    assert all(ref.startswith("refs/heads/") for ref in site.refs())
    seen = other.observe({"main"})
    assert (set(seen.jobs), set(seen.leases), seen.damaged) == ({"a"}, {"main"}, ())
    assert other.notes(seen, [tip]) == {tip: "first\n"}
    assert other.publish(plan(notes_update(site.namespace, seen.notes, "n2", [(tip, "second")]))).kind is PUBLISHED
    assert one.publish(plan(notes_update(site.namespace, seen.notes, "n3", [(tip, "stale")]))).kind is CONFLICT
    other.close()
    assert other.notes(other.last_seen(), [tip]) == {tip: "first\nsecond\n"}
    assert one.notes(one.observe(), [tip]) == {tip: "first\nsecond\n"}
    assert "second" in site.clone_of(one).git("log", "--notes=orch", str(tip))


# -- the repository that is its own remote


def test_a_checked_out_target_moves_with_its_working_tree(own: OwnSite) -> None:
    client = own.client()
    clone = own.clone_of(client)
    tip = tip_of(own, client)
    landed = Oid(clone.branch("work", {"new": "1\n"}, "work"))
    assert client.publish(plan(RefUpdate("refs/heads/main", tip, landed), lease(own, "n1"))).kind is PUBLISHED
    assert (clone.path / "new").read_text() == "1\n"
    assert clone.git("status", "--porcelain") == ""
    assert clone.tip() == landed


def test_a_checked_out_target_with_changes_refuses_and_nothing_is_touched(own: OwnSite) -> None:
    client = own.client()
    clone = own.clone_of(client)
    tip = tip_of(own, client)
    landed = Oid(clone.branch("work", {"new": "1\n"}, "work"))
    clone.write({"README": "my own words\n"})
    before = own.refs()
    with pytest.raises(RefusedError, match="unstaged changes") as caught:
        client.publish(plan(RefUpdate("refs/heads/main", tip, landed), lease(own, "n1")))
    assert "commit or stash" in caught.value.hint
    assert own.refs() == before
    assert (clone.path / "README").read_text() == "my own words\n"
    assert not (clone.path / "new").exists()


def test_a_target_that_is_checked_out_nowhere_moves_beside_the_users_changes(own: OwnSite) -> None:
    client = own.client()
    clone = own.clone_of(client)
    tip = tip_of(own, client)
    landed = Oid(clone.branch("work", {"new": "1\n"}, "work"))
    clone.git("switch", "-q", "-c", "elsewhere")
    clone.write({"README": "my own words\n"})
    assert client.publish(plan(RefUpdate("refs/heads/main", tip, landed), lease(own, "n1"))).kind is PUBLISHED
    assert (clone.path / "README").read_text() == "my own words\n"
    assert clone.git("status", "--porcelain") == " M README"


def test_without_a_remote_the_state_itself_is_what_is_read_and_written(own: OwnSite) -> None:
    client = own.client()
    outcome = client.publish(plan(job_update(own.namespace, "a", "n1")))
    client.close()
    assert own.refs()[JOB_A] == outcome.oids[JOB_A]
    assert not any(ref.startswith("refs/orch-remotes/") for ref in own.refs())
    assert set(client.last_seen().jobs) == {"a"}
