"""Pushes of jobs, and of what is not one event on top of the present one."""

from __future__ import annotations

from dataclasses import replace

from gitorch.core.model import JobId, Oid, State
from gitorch.core.names import branch_ref
from tests.hooks.vectors import GRAPH, A, Build, queued, several, vector
from tests.hooks.world import NS, OTHER_TOKEN, World, claimed, graph, job

# -- jobs


@vector("")
def a_job_is_added(w: World) -> None:
    w.push(A, w.event(job(), "add"))


@vector("")
def a_job_is_added_without_the_root(w: World) -> None:
    w.push(A, w.event(job(), "add", parents=[]))


@vector("")
def a_title_in_other_scripts(w: World) -> None:
    w.push(A, w.event(job(title="Größe 日本 🙂 — “x”"), "add"))


@vector("")
def unknown_keys_are_kept(w: World) -> None:
    w.push(A, w.event(job(extra=(("Later", "1"), ("X-Y2", "a: b = ü"))), "add"))


@vector("")
def a_job_with_everything(w: World) -> None:
    everything = job(labels=("a", "Z0._/:+-"), run="make -j $(nproc)", branch="b", priority=-5, lands=False)
    w.push(A, w.event(everything, "add", body="A long text.\n\nWith: paragraphs\nRecord: job\n"))


@vector("")
def a_submission_keeps_the_commit(w: World) -> None:
    head = w.code("work")
    w.push(A, w.event(job(state=State.SUBMITTED, branch="b", head=head), "submit"))


@vector("")
def a_claim_and_its_renewal(w: World) -> None:
    before = claimed(job())
    old = w.put(A, w.event(before, "claim", queued(w)))
    w.push(A, w.event(replace(before, ttl_s=600), "renew", old))


@vector("")
def a_released_job(w: World) -> None:
    old = w.put(A, w.event(claimed(job()), "claim", queued(w)))
    w.push(A, w.event(job(attempt=1, reason="tired"), "release", old))


@vector("step")
def a_renewal_by_another_token(w: World) -> None:
    before = claimed(job())
    old = w.put(A, w.event(before, "claim", queued(w)))
    w.push(A, w.event(replace(before, token=OTHER_TOKEN), "renew", old))


@vector("step")
def a_claim_of_what_is_claimed(w: World) -> None:
    before = claimed(job())
    old = w.put(A, w.event(before, "claim", queued(w)))
    w.push(A, w.event(claimed(before, token=OTHER_TOKEN, worker="bob"), "claim", old))


@vector("step")
def a_release_that_keeps_the_token(w: World) -> None:
    old = w.put(A, w.event(claimed(job()), "claim", queued(w)))
    w.push(A, w.event(replace(claimed(job()), state=State.QUEUED), "release", old))


def _edit(change: dict[str, object]) -> Build:
    return lambda w: w.push(A, w.event(replace(job(), **change), "edit", queued(w)))  # type: ignore[arg-type]


several("", edit_of_a_title=_edit({"title": "Else"}), edit_of_a_priority=_edit({"priority": 7}))
several(
    "step",
    edit_of_a_target=_edit({"target": "other"}),
    edit_of_a_creation_time=_edit({"created_ms": 1}),
    edit_of_an_attempt=_edit({"attempt": 3}),
    edit_of_a_landing=_edit({"landed": Oid("1" * 40)}),
    edit_of_a_state=_edit({"state": State.CANCELLED}),
)


@vector("step")
def done_by_word_of_a_job_that_lands(w: World) -> None:
    old = w.put(A, w.event(claimed(job()), "claim", queued(w)))
    w.push(A, w.event(job(state=State.DONE, attempt=1), "done", old))


@vector("")
def done_by_word_of_a_job_without_a_branch(w: World) -> None:
    old = w.put(A, w.event(claimed(job(lands=False)), "claim", queued(w, lands=False)))
    w.push(A, w.event(job(state=State.DONE, attempt=1, lands=False), "done", old))


@vector("step")
def attempts_that_go_back(w: World) -> None:
    before = job(attempt=5)
    old = w.put(A, w.event(before, "release", w.root))
    w.push(A, w.event(claimed(before, attempt=1), "claim", old))


@vector("step")
def an_event_of_no_name(w: World) -> None:
    w.push(A, w.event(job(), "conjure", queued(w)))


@vector("step")
def the_same_nonce_twice(w: World) -> None:
    old = w.put(A, w.event(job(), "add", nonce="same"))
    w.push(A, w.event(job(title="Else"), "edit", old, nonce="same"))


@vector("step")
def a_job_that_begins_done(w: World) -> None:
    w.push(A, w.event(job(state=State.DONE), "add"))


@vector("step")
def a_job_that_begins_with_attempts(w: World) -> None:
    w.push(A, w.event(job(attempt=3), "add"))


@vector("step")
def a_final_job_comes_back(w: World) -> None:
    old = w.put(A, w.event(job(state=State.CANCELLED), "cancel", queued(w)))
    w.push(A, w.event(job(), "requeue", old))


@vector("name")
def a_job_under_the_ref_of_another(w: World) -> None:
    w.push(A, w.event(job("b"), "add"))


@vector("landed")
def a_landing_of_nothing(w: World) -> None:
    head = w.code("work")
    w.put(branch_ref("main"), w.code("first"))
    before = job(state=State.SUBMITTED, branch="b", head=head)
    old = w.put(A, w.event(before, "submit"))
    w.push(A, w.event(replace(before, state=State.DONE, landed=head), "land", old))


@vector("")
def a_landing_of_what_is_on_the_target_already(w: World) -> None:
    head = w.put(branch_ref("main"), w.code("work"))
    before = job(state=State.SUBMITTED, branch="b", head=head)
    old = w.put(A, w.event(before, "submit"))
    w.push(A, w.event(replace(before, state=State.DONE, landed=head), "land", old))


# -- one well-formed event on top of the present one


@vector("stale")
def an_old_value_that_is_not_the_present_one(w: World) -> None:
    first = queued(w)
    w.put(A, w.event(job(title="Else"), "edit", first))
    w.push(A, w.event(job(title="Mine"), "edit", first), old=first)


@vector("stale")
def a_creation_of_what_is_there(w: World) -> None:
    queued(w)
    w.push(A, w.event(job(title="Mine"), "add"), old=None)


@vector("parents")
def a_history_that_begins_anew(w: World) -> None:
    queued(w)
    w.push(A, w.event(job(title="Mine"), "edit"))


@vector("parents")
def two_events_at_once(w: World) -> None:
    first = queued(w)
    w.push(A, w.event(job(title="Two"), "edit", w.event(job(title="One"), "edit", first)))


@vector("parents")
def an_event_with_a_stranger_for_a_parent(w: World) -> None:
    first = queued(w)
    w.push(A, w.event(job(title="Two"), "edit", parents=[first, w.code("stranger")]))


@vector("parents")
def a_thousand_parents(w: World) -> None:
    first = queued(w)
    w.push(A, w.event(job(title="Two"), "edit", parents=[first, *(w.code(str(i)) for i in range(1000))]))


@vector("parents")
def a_submission_that_keeps_nothing_alive(w: World) -> None:
    submitted = job(state=State.SUBMITTED, branch="b", head=w.code("work"))
    w.push(A, w.event(submitted, "submit", parents=[w.root]))


@vector("parents")
def a_submission_that_keeps_something_else_alive(w: World) -> None:
    submitted = job(state=State.SUBMITTED, branch="b", head=w.code("work"))
    w.push(A, w.event(submitted, "submit", parents=[w.root, w.code("else")]))


@vector("kind")
def a_blob_for_a_job(w: World) -> None:
    w.push(A, w.blob("hello"))


@vector("kind")
def a_tree_for_a_job(w: World) -> None:
    w.push(A, w.empty)


@vector("kind")
def a_tag_for_a_job(w: World) -> None:
    text = f"object {w.root}\ntype commit\ntag x\ntagger A <a@b> 0 +0000\n\nx\n"
    w.push(A, w.write(4, text.encode()))


@vector("size")
def a_commit_of_three_megabytes(w: World) -> None:
    w.push(A, w.commit("x" * 3_000_000 + "\n", [w.root]))


@vector("format")
def a_commit_of_one_and_a_half_megabytes(w: World) -> None:
    w.push(A, w.event(job(), "add", edit=("add\n\n", "add\n\n" + "x" * 1_500_000 + "\n\n")))


@vector("format")
def a_commit_like_any_other(w: World) -> None:
    w.push(A, w.code("code", w.root))


@vector("format")
def a_commit_without_a_message(w: World) -> None:
    w.push(A, w.commit("", [w.root]))


@vector("deletion")
def a_deleted_job(w: World) -> None:
    queued(w)
    w.push(A, None)


@vector("deletion")
def a_deleted_graph(w: World) -> None:
    w.put(GRAPH, w.event(graph("a", 1), "edges"))
    w.push(GRAPH, None)


@vector("damaged")
def an_event_on_top_of_damage(w: World) -> None:
    w.put(A, w.code("damage"))
    w.push(A, w.event(job(), "edit", w.now(A)))


@vector("damaged")
def an_event_on_top_of_a_blob(w: World) -> None:
    w.put(A, w.blob("damage"))
    w.push(A, w.event(job(), "edit", w.now(A)))


@vector("too-many")
def a_hundred_and_one_jobs_at_once(w: World) -> None:
    for i in range(101):
        w.push(NS.job(JobId(f"j{i}")), w.event(job(f"j{i}"), "add"))


@vector("")
def a_hundred_jobs_at_once(w: World) -> None:
    for i in range(100):
        w.push(NS.job(JobId(f"j{i}")), w.event(job(f"j{i}"), "add"))


def _ref(name: str) -> Build:
    return lambda w: w.push(name, w.event(job(), "add"))


several(
    "unknown-ref",
    a_ref_of_no_kind=_ref("refs/orch/else/a"),
    a_ref_below_a_job=_ref("refs/orch/jobs/a/b"),
    a_job_in_capitals=_ref("refs/orch/jobs/A"),
    a_job_that_looks_like_an_option=_ref("refs/orch/jobs/--help"),
    a_job_with_a_long_name=_ref("refs/orch/jobs/" + "a" * 65),
    a_job_with_a_name_in_other_scripts=_ref("refs/orch/jobs/ünï"),
    the_namespace_itself=_ref("refs/orch/jobs"),
    the_mirror_of_a_clone=_ref("refs/orch-remotes/origin/state/jobs/a"),
    a_slot_of_no_number=_ref("refs/orch/slots/one"),
    a_slot_with_a_zero=_ref("refs/orch/slots/01"),
    a_lease_below_a_lease=_ref("refs/orch/leases/a/b"),
    a_lease_that_is_escaped_otherwise=_ref("refs/orch/leases/a%2fb"),
    a_lease_with_a_stray_percent=_ref("refs/orch/leases/a%41"),
    a_lease_of_no_branch=_ref("refs/orch/leases/a%2F"),
    a_lease_of_a_lock=_ref("refs/orch/leases/a.lock%2Fb"),
    an_archive_below_the_archive=_ref("refs/orch/archive/a"),
)


@vector("")
def a_ref_beside_the_namespace(w: World) -> None:
    w.push("refs/orchestra/jobs/a", w.blob("theirs"))


@vector("")
def another_namespace(w: World) -> None:
    w.config["orch.namespace"] = "refs/heads/orch"
    w.push("refs/heads/orch/jobs/a", w.event(job(), "add"))


@vector("unknown-ref")
def nonsense_in_another_namespace(w: World) -> None:
    w.config["orch.namespace"] = "refs/heads/orch"
    w.push("refs/heads/orch/else", w.event(job(), "add"))


@vector("")
def files_that_go_with_an_event(w: World) -> None:
    tree = w.tree({"note.txt": "hello", "b.txt": "x"})
    w.push(A, w.event(job(), "add", tree=tree))


@vector("files")
def a_file_that_is_a_link(w: World) -> None:
    w.push(A, w.event(job(), "add", tree=w.tree({"x": ("120000", w.blob("/etc/passwd"))})))


@vector("files")
def more_files_than_twenty(w: World) -> None:
    w.push(A, w.event(job(), "add", tree=w.tree({f"f{i}": "x" for i in range(21)})))


@vector("files")
def files_in_a_folder(w: World) -> None:
    w.push(A, w.event(job(), "add", tree=w.tree({"a/b.txt": "x"})))


@vector("files")
def a_folder_among_the_files_that_is_none(w: World) -> None:
    w.push(A, w.event(job(), "add", tree=w.tree({"sub": ("160000", w.root)})))


@vector("files")
def files_that_are_not_there(w: World) -> None:
    w.push(A, w.event(job(), "add", tree=Oid("9" * 40)))
