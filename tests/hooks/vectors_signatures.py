"""Pushes where events must be signed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pygit2

from gitorch.core.model import Color, JobId, Oid, State
from tests.git.signing import SshKey, ssh_key
from tests.hooks.vectors import ARCHIVE, NOTES, A, B, Build, queued, several, vector
from tests.hooks.vectors_landing import LEASE
from tests.hooks.vectors_notes import GREEN, RED, TREE
from tests.hooks.world import ARCHIVE_MESSAGE, MAIN, NS, World, archive_files, claimed, free, job, lease, worker

ADA_NAME, EVE_NAME = "ada@example.org", "eve@example.org"


@cache
def ada() -> SshKey:
    return ssh_key(Path(tempfile.mkdtemp(prefix="orch-keys-")), "ada")


@cache
def eve() -> SshKey:
    return ssh_key(Path(tempfile.mkdtemp(prefix="orch-keys-")), "eve")


def added(key: Callable[[], SshKey] | None, *lines: Callable[[], str], **may: str) -> Build:
    """A job that is added, signed with a key."""

    def build(w: World) -> None:
        w.require(*(line() for line in lines), **may)
        event = w.event(job(), "add")
        w.push(A, event if key is None else w.sign(event, key()))

    return build


ADA: Callable[[], str] = lambda: ada().line  # noqa: E731
EVE: Callable[[], str] = lambda: eve().line  # noqa: E731

several(
    "",
    a_signed_event=added(ada, ADA),
    an_event_signed_by_the_second=added(eve, ADA, EVE),
    an_event_signed_while_others_expired=added(ada, ADA, lambda: eve().limited('valid-before="20200101"')),
    a_signer_whose_time_is_to_come_to_its_end=added(ada, lambda: ada().limited('valid-before="29990101120000Z"')),
    a_signer_for_git=added(ada, lambda: ada().limited('namespaces="git"')),
    signers_with_remarks=added(ada, lambda: "# who may\n\n", ADA),
    duties_of_others=added(ada, ADA, EVE, Submit=EVE_NAME, Land=EVE_NAME),
)
several(
    "signature",
    an_event_without_a_signature=added(None, ADA),
    an_event_signed_by_a_stranger=added(eve, ADA),
    nobody_is_an_allowed_signer=added(ada),
    an_expired_signer=added(ada, lambda: ada().limited('valid-before="20200101Z"')),
    an_expired_signer_to_the_second=added(ada, lambda: ada().limited("VALID-BEFORE=20200101235959")),
    a_signer_for_something_else=added(ada, lambda: ada().limited('namespaces="file"')),
    a_signer_of_gpg_does_not_help=added(ada, lambda: f"{ADA_NAME} gpg {'A' * 40}\n"),
)


@vector("signature")
def a_signature_of_another_event(w: World) -> None:
    w.require(ada().line)
    signed = w.repo.odb.read(w.sign(w.event(job(), "add"), ada()))[1]
    w.push(A, w.write(1, signed.replace(b"Title: Work", b"Title: Else")))


def submitted(key: Callable[[], SshKey], **may: str) -> Build:
    def build(w: World) -> None:
        w.require(ada().line, eve().line, **may)
        head = w.code("work")
        w.push(A, w.sign(w.event(job(state=State.SUBMITTED, branch="b", head=head), "submit"), key()))

    return build


several("", a_submission_by_one_who_may=submitted(ada, Submit=ADA_NAME), anybody_may_submit=submitted(eve))
several("may", a_submission_by_one_who_may_not=submitted(eve, Submit=ADA_NAME))
several("", two_may_submit=submitted(eve, Submit=f"{ADA_NAME} {EVE_NAME}"))


def broken(key: Callable[[], SshKey], **may: str) -> Build:
    def build(w: World) -> None:
        w.require(ada().line, eve().line, **may)
        old = w.put(LEASE, w.event(lease(), "acquire"))
        w.push(LEASE, w.sign(w.event(free(lease()), "break", old), key()))

    return build


several("", a_break_by_one_who_may=broken(ada, Break=ADA_NAME, Land=EVE_NAME))
several("may", a_break_by_one_who_may_not=broken(eve, Break=ADA_NAME))


def acquired(key: Callable[[], SshKey]) -> Build:
    def build(w: World) -> None:
        w.require(ada().line, eve().line, Land=ADA_NAME)
        w.push(LEASE, w.sign(w.event(lease(), "acquire"), key()))

    return build


several("", a_lease_for_one_who_may_land=acquired(ada))
several("may", a_lease_for_one_who_may_not_land=acquired(eve))


@vector("may")
def a_red_verdict_on_the_job_of_another(w: World) -> None:
    w.require(ada().line, eve().line, Land=ADA_NAME)
    before = job(state=State.SUBMITTED, branch="b", head=w.code("work"))
    old = w.put(A, w.event(before, "submit"))
    w.push(A, w.sign(w.event(replace(before, state=State.REWORK, reason="red"), "red", old), eve()))


@vector("signature")
def one_of_two_events_is_not_signed(w: World) -> None:
    w.require(ada().line)
    w.push(A, w.sign(w.event(job(), "add"), ada()))
    w.push(B, w.event(job("b"), "add"))


@vector("signature")
def a_beat_of_a_worker_that_is_not_signed(w: World) -> None:
    w.require(ada().line)
    w.push(NS.worker("w1"), w.event(worker(), "start"))


@vector("")
def a_signed_claim_on_top_of_what_was_before_signatures(w: World) -> None:
    w.require(ada().line)
    w.push(A, w.sign(w.event(claimed(job()), "claim", queued(w)), ada()))


@vector("")
def a_scratch_ref_needs_no_signature(w: World) -> None:
    w.require(ada().line)
    w.push(NS.scratch("x"), w.commit())


def noted(key: Callable[[], SshKey] | None, line: str, **may: str) -> Build:
    def build(w: World) -> None:
        w.require(ada().line, eve().line, **may)
        commit = w.commit("notes\n", [], w.tree({TREE: line + "\n"}))
        w.push(NOTES, commit if key is None else w.sign(commit, key()))

    return build


several(
    "",
    a_verdict_by_one_who_may=noted(ada, GREEN, Verdict=ADA_NAME),
    a_remark_by_one_who_may_record_no_verdict=noted(eve, "hello", Verdict=ADA_NAME),
)
several("may", a_verdict_by_one_who_may_not=noted(eve, GREEN, Verdict=ADA_NAME))
several("may", a_red_verdict_by_one_who_may_not=noted(eve, RED, Verdict=ADA_NAME))
several("signature", a_note_that_is_not_signed=noted(None, "hello"))


def archived(key: Callable[[], SshKey] | None) -> Build:
    def build(w: World) -> None:
        w.require(ada().line)
        record = job(state=State.CANCELLED)
        tip = w.put(A, w.event(record, "cancel", queued(w)))
        fold = w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(archive_files(w, (tip, record))))
        w.push(ARCHIVE, fold if key is None else w.sign(fold, key()))
        w.push(A, None)

    return build


several("", a_signed_archive=archived(ada))
several("signature", an_archive_that_is_not_signed=archived(None), an_archive_by_a_stranger=archived(eve))


def landed(*, notes: str | None, verdict: str = ADA_NAME) -> Build:
    """A landing by Ada, with or without a note that says green."""

    def build(w: World) -> None:
        w.require(ada().line, Verdict=verdict)
        base = w.now(MAIN)
        assert base is not None
        head = w.commit("work\n", [base], w.tree({"code": "work"}))
        tree = Oid(str(w.repo[head].peel(pygit2.Tree).id))
        before = job(state=State.SUBMITTED, branch="b", head=head)
        w.put(A, w.event(before, "submit"))
        gate = Oid("7" * 40)
        held = lease(job=JobId("a"), base=base, candidate=head)
        w.put(LEASE, w.event(held, "acquire"))
        done = replace(free(held), tree=tree, gate=gate, verdict=Color.GREEN)
        w.push(MAIN, head)
        w.push(LEASE, w.sign(w.event(done, "land", w.now(LEASE)), ada()))
        w.push(A, w.sign(w.event(replace(before, state=State.DONE, landed=head), "land", w.now(A)), ada()))
        if notes is not None:
            text = notes.replace(TREE, tree).replace("GATE", gate)
            w.push(NOTES, w.sign(w.commit("notes\n", [], w.tree({tree: text + "\n"})), ada()))

    return build


several(
    "",
    a_landing_with_its_verdict_in_the_notes=landed(notes=GREEN),
    a_landing_whose_verdict_was_red_before=landed(notes=f"{RED}\n{GREEN}"),
)
several(
    "not-green",
    a_landing_without_a_verdict_in_the_notes=landed(notes=None),
    a_landing_with_a_red_verdict_in_the_notes=landed(notes=RED),
    a_landing_whose_verdict_was_taken_back=landed(notes=f"{GREEN}\n{RED}"),
    a_landing_with_the_verdict_of_another_gate=landed(notes=GREEN.replace("7777", "8888", 1)),
)
