"""What git says after a push, from 2.39 to 2.55. A failure here takes a lost race for a win, or asks a server that said
no again and again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.errors import RefusedError, UnreachableError
from gitorch.core.writes import OutcomeKind
from gitorch.shell.gitcmd import GitResult
from gitorch.shell.push import judge_push, parse_porcelain, remedy, unreachable

PUBLISHED, CONFLICT, UNKNOWN = OutcomeKind.PUBLISHED, OutcomeKind.CONFLICT, OutcomeKind.UNKNOWN
TARGET, LEASE, JOB = "refs/heads/main", "refs/orch/leases/main", "refs/orch/jobs/fix"
EVENTS = frozenset({LEASE, JOB})
OID = "1" * 40


def said(*lines: tuple[str, str, str], err: str = "", status: int = 0, done: bool = True) -> GitResult:
    """Porcelain output: flag, ref, summary."""
    body = "".join(f"{flag}\t{OID}:{ref}\t{summary}\n" for flag, ref, summary in lines)
    out = f"To /srv/remote.git\n{body}" + ("Done\n" if done else "")
    return GitResult(status, out.encode("utf-8", "surrogateescape"), err.encode())


def rejected(*lines: tuple[str, str], err: str = "") -> GitResult:
    return said(*(("!", ref, summary) for ref, summary in lines), err=err + "error: failed to push some refs", status=1)


def judged(result: GitResult, *names: str) -> OutcomeKind:
    return judge_push(result, names, EVENTS)[0]


# -- accepted


def several(*answers: GitResult) -> GitResult:
    """What is said of a remote with more than one URL, which git pushes to in turn."""
    return GitResult(max(one.status for one in answers), b"".join(one.out for one in answers), b"")


def test_several_places_that_answer_differently_leave_it_open_what_happened() -> None:
    """The last one must not hide that the first, which is fetched from, refused."""
    taken = said((" ", TARGET, "111..222"), ("*", LEASE, "[new reference]"))
    stale = rejected((TARGET, "[rejected] (atomic push failed)"), (LEASE, "[rejected] (stale info)"))
    there = said(("=", TARGET, "[up to date]"), ("=", LEASE, "[up to date]"))
    for first, second in ((stale, taken), (taken, stale), (there, taken), (stale, there)):
        assert judged(several(first, second), TARGET, LEASE) is UNKNOWN
    assert judged(several(taken, taken), TARGET, LEASE) is PUBLISHED
    assert judged(several(stale, stale), TARGET, LEASE) is CONFLICT


def test_a_push_is_published_when_every_ref_of_it_was_accepted() -> None:
    result = said((" ", TARGET, "111..222"), ("+", JOB, "111...222 (forced update)"), ("*", LEASE, "[new reference]"))
    assert judged(result, TARGET, JOB, LEASE) is PUBLISHED
    assert judged(said(("-", JOB, "[deleted]")), JOB) is PUBLISHED


def test_a_ref_that_git_says_nothing_about_was_not_pushed_whatever_the_exit_status() -> None:
    """Between 2.27 and 2.48 the status of an atomic porcelain push did not tell."""
    assert judged(said((" ", TARGET, "111..222")), TARGET, LEASE) is UNKNOWN
    assert judged(said(), TARGET) is UNKNOWN
    assert judged(GitResult(0, b"", b""), TARGET) is UNKNOWN


def test_refs_that_were_all_reported_are_published_even_if_the_connection_broke_afterwards() -> None:
    result = said(("*", JOB, "[new reference]"), err="fatal: the remote end hung up unexpectedly", status=1, done=False)
    assert judged(result, JOB) is PUBLISHED


def test_what_was_there_already_was_not_won() -> None:
    assert judged(said(("=", JOB, "[up to date]")), JOB) is CONFLICT
    assert judged(said(("=", JOB, "[up to date]"), ("=", TARGET, "[up to date]")), JOB, TARGET) is CONFLICT


def test_an_event_that_was_there_already_beside_a_ref_that_moved_must_be_looked_at() -> None:
    assert judged(said(("=", JOB, "[up to date]"), (" ", TARGET, "1..2")), JOB, TARGET) is UNKNOWN
    # A branch may be there already: whoever pushed it pushed the same commit.
    assert judged(said(("*", JOB, "[new reference]"), ("=", TARGET, "[up to date]")), JOB, TARGET) is PUBLISHED


# -- lost races

FOLLOWS = "[rejected] (atomic push failed)"


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(rejected((TARGET, "[rejected] (stale info)"), (LEASE, FOLLOWS)), id="stale at the client"),
        pytest.param(rejected((TARGET, "[rejected] (stale info)")), id="stale alone"),
        pytest.param(
            rejected(
                (TARGET, "[remote rejected] (atomic transaction failed)"),
                (LEASE, "[remote rejected] (atomic transaction failed)"),
                err=f"remote: error: cannot lock ref '{LEASE}': is at {OID} but expected {'2' * 40}        \n",
            ),
            id="moved under the lock",
        ),
        pytest.param(
            rejected(
                (JOB, "[remote rejected] (atomic transaction failed)"),
                err=f"remote: error: cannot lock ref '{JOB}': reference already exists        \n",
            ),
            id="created meanwhile",
        ),
        pytest.param(
            rejected(
                (JOB, "[remote rejected] (atomic transaction failed)"),
                err=f"remote: error: cannot lock ref '{JOB}': unable to resolve reference '{JOB}'        \n",
            ),
            id="deleted meanwhile",
        ),
        pytest.param(
            rejected(
                (JOB, "[remote rejected] (atomic transaction failed)"),
                err=f"remote: error: cannot lock ref '{JOB}': Unable to create '/srv/{JOB}.lock': File exists.\n",
            ),
            id="lock held by another",
        ),
        pytest.param(rejected((JOB, "[remote rejected] (failed to update ref)")), id="2.50, not atomic"),
        pytest.param(rejected((JOB, "[remote rejected] (incorrect old value provided)")), id="2.51 stale"),
        pytest.param(rejected((JOB, "[remote rejected] (reference already exists)")), id="2.51 created"),
        pytest.param(rejected((JOB, "[remote rejected] (reference does not exist)")), id="2.51 deleted"),
        pytest.param(rejected((JOB, "[remote rejected] (refname conflict)")), id="2.51 folder"),
        pytest.param(rejected((JOB, "[remote rejected] (cannot lock references)")), id="lock busy"),
        pytest.param(rejected((JOB, "[remote rejected] (failed to lock)")), id="old lock"),
        pytest.param(
            rejected((JOB, "[remote rejected] (reference-transaction hook: transaction aborted)")), id="aborted"
        ),
    ],
)
def test_whoever_was_too_late_has_a_conflict(result: GitResult) -> None:
    assert judged(result, TARGET, LEASE) is CONFLICT


def test_the_detail_of_a_conflict_is_what_the_server_said_of_the_lock() -> None:
    line = f"cannot lock ref '{JOB}': Unable to create '/srv/\x1b[2J.lock': File exists."
    result = rejected((JOB, "[remote rejected] (atomic transaction failed)"), err=f"remote: error: {line}   \n")
    kind, detail = judge_push(result, [JOB], EVENTS)
    assert kind is CONFLICT
    assert "File exists" in detail and detail.isprintable() and "remove it there" in remedy(detail)


def test_a_lock_of_all_packed_refs_is_named_although_git_says_only_that_the_transaction_failed() -> None:
    line = "remote: error: Unable to create '/srv/packed-refs.lock': File exists.        \nremote: \nremote: Another\n"
    result = rejected((JOB, "[remote rejected] (atomic transaction failed)"), err=line)
    kind, detail = judge_push(result, [JOB], EVENTS)
    assert kind is CONFLICT and "remove it there" in remedy(detail) and "packed-refs.lock" in detail


def test_garbage_collection_on_the_server_is_tried_again_and_a_disk_that_nobody_may_write_to_is_named() -> None:
    """Found by sixteen clones at once beside `git gc`."""
    result = rejected((JOB, "[remote rejected] (unable to migrate objects to permanent storage)"))
    kind, detail = judge_push(result, [JOB], EVENTS)
    assert kind is CONFLICT and "look at the disk" in remedy(detail)


def test_a_ref_that_has_moved_is_no_lock() -> None:
    line = f"error: cannot lock ref '{JOB}': is at {'1' * 40} but expected {'2' * 40}"
    assert remedy(line) == ""
    assert judge_push(rejected((JOB, "[rejected] (stale info)")), [JOB], EVENTS)[1] == "stale info"


# -- refusals


@pytest.mark.parametrize(
    "reason",
    [
        "pre-receive hook declined",
        "hook declined",
        "update hook declined",
        "deny updating a hidden ref",
        "deletion prohibited",
        "non-fast-forward",
        "branch is currently checked out",
        "shallow update not allowed",
        "unpacker error",
        "missing necessary objects",
        "push declined due to repository rule violations",
        "protected branch hook declined",
        "prohibited by Gerrit: not permitted: update",
        "Working directory has unstaged changes",
        "funny refname",
    ],
)
def test_what_trying_again_cannot_cure_is_a_refusal_of_whatever_ref_was_first(reason: str) -> None:
    result = rejected(
        (TARGET, f"[remote rejected] ({reason})"),
        (LEASE, "[remote rejected] (atomic push failure)"),
        (JOB, "[remote rejected] (atomic push failure)"),
    )
    with pytest.raises(RefusedError) as caught:
        judge_push(result, [TARGET, LEASE, JOB], EVENTS)
    assert f"{TARGET}: {reason}" in caught.value.message
    assert LEASE not in caught.value.message
    assert not caught.value.retryable


def test_a_refusal_among_lost_races_is_a_refusal() -> None:
    result = rejected((JOB, "[rejected] (stale info)"), (TARGET, "[remote rejected] (hook declined)"))
    with pytest.raises(RefusedError):
        judge_push(result, [JOB, TARGET], EVENTS)


@pytest.mark.parametrize(
    "trouble",
    [
        "Unable to create '/srv/x.lock': File name too long",
        "Unable to create '/srv/x.lock': Permission denied",
        "Unable to create '/srv/x.lock': Read-only file system",
        "Unable to create '/srv/x.lock': No space left on device",
        "'refs/heads/a' exists; cannot create 'refs/heads/a/b'",
    ],
)
def test_a_ref_that_cannot_be_written_at_all_is_no_lost_race(trouble: str) -> None:
    result = rejected(
        (JOB, "[remote rejected] (atomic transaction failed)"),
        err=f"remote: error: cannot lock ref '{JOB}': {trouble}        \n",
    )
    with pytest.raises(RefusedError) as caught:
        judge_push(result, [JOB], EVENTS)
    assert trouble in caught.value.message


def test_a_refusal_shows_a_few_lines_of_the_hook_without_their_control_characters() -> None:
    words = "".join(f"remote: line {number} \x1b[31m\u202e        \n" for number in range(9))
    result = rejected((JOB, "[remote rejected] (pre-receive hook declined)"), err=words)
    with pytest.raises(RefusedError) as caught:
        judge_push(result, [JOB], EVENTS)
    assert caught.value.message.isprintable()
    assert "line 0 \\x1b[31m\\u202e / line 1" in caught.value.message
    assert "line 5" not in caught.value.message
    assert "hook" in caught.value.hint


def test_a_dirty_checkout_says_what_to_do_and_nothing_destructive() -> None:
    result = rejected((TARGET, "[remote rejected] (Working directory has staged changes)"))
    with pytest.raises(RefusedError) as caught:
        judge_push(result, [TARGET], EVENTS)
    assert caught.value.hint.startswith("commit or stash")


@pytest.mark.parametrize(
    "err",
    [
        "remote: Permission to a/b.git denied to c.\nfatal: unable to access 'x': URL returned error: 403",
        "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
        "fatal: remote error: access denied or repository not exported: /x",
        "fatal: remote error: service not enabled: 'receive-pack'",
        "fatal: Authentication failed for 'https://host/x'",
        "fatal: could not read Username for 'https://host': terminal prompts disabled",
        "FATAL: W any x u DENIED by fallthru",
        "remote: fatal: pack exceeds maximum allowed size",
        "error: remote unpack failed: unable to create temporary object directory",
        "error: RPC failed; HTTP 401 curl 22 The requested URL returned error: 401",
    ],
)
def test_a_server_that_lets_nobody_push_is_a_refusal_with_its_own_line(err: str) -> None:
    with pytest.raises(RefusedError, match="does not let you push") as caught:
        judge_push(GitResult(128, b"", err.encode()), [JOB], EVENTS)
    assert any(line in caught.value.message for line in err.splitlines())


def test_a_server_that_cannot_do_atomic_pushes_is_a_refusal_with_the_setting() -> None:
    err = b"fatal: the receiving end does not support --atomic push\n"
    with pytest.raises(RefusedError) as caught:
        judge_push(GitResult(128, b"", err), [JOB], EVENTS)
    assert "receive.advertiseAtomic" in caught.value.hint


def test_a_server_that_took_a_part_of_the_push_is_found_out() -> None:
    """A hidden ref is refused by itself, whatever was asked for; the promise of all or nothing is broken there."""
    result = said((" ", TARGET, "1..2"), ("!", LEASE, "[remote rejected] (deny updating a hidden ref)"), status=1)
    with pytest.raises(RefusedError, match="a part of an all-or-nothing push") as caught:
        judge_push(result, [TARGET, LEASE], EVENTS)
    assert f"it took {TARGET} and refused {LEASE}" in caught.value.message
    assert "receive.hideRefs" in caught.value.hint


def test_a_transaction_that_a_hook_aborted_is_a_refusal_in_its_words() -> None:
    err = b"remote: main moves with its lease only\t\x1b[31m\nfatal: ref updates aborted by hook\nfatal: hung up\n"
    with pytest.raises(RefusedError, match="main moves with its lease only") as caught:
        judge_push(GitResult(128, b"", err), [JOB], EVENTS)
    assert caught.value.message.isprintable()


# -- silence


@pytest.mark.parametrize(
    "result",
    [
        rejected((JOB, "[remote failure] (remote failed to report status)")),
        rejected((JOB, "[remote failure] (remote failed to report status)"), (TARGET, "[rejected] (stale info)")),
        GitResult(128, b"", b"fatal: the remote end hung up unexpectedly\n"),
        GitResult(128, b"", b"send-pack: unexpected disconnect while reading sideband packet\n"),
        GitResult(128, b"", b"error: RPC failed; curl 56 Recv failure: Connection reset by peer\n"),
        GitResult(128, b"", b"fatal: unable to access 'https://x/': Could not resolve host: x\n"),
        GitResult(-9, b"", b""),
        GitResult(128, b"To x\n", b"\xff\xfe\n"),
    ],
)
def test_an_answer_that_did_not_arrive_is_unknown_and_never_guessed(result: GitResult) -> None:
    kind, detail = judge_push(result, [JOB, TARGET], EVENTS)
    assert kind is UNKNOWN
    assert detail and detail.isprintable()


def test_the_detail_of_silence_is_the_line_that_says_what_broke() -> None:
    err = b"hello\nfatal: Could not read from remote repository.\n\nPlease make sure that\nthe repository exists.\n"
    assert judge_push(GitResult(128, b"", err), [JOB], EVENTS)[1].startswith("fatal: Could not read")
    assert judge_push(GitResult(7, b"", b"\n"), [JOB], EVENTS)[1] == "exit status 7"


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(-9, 255))
def test_whatever_git_says_is_judged_or_refused_and_never_taken_for_success(
    out: bytes, err: bytes, status: int
) -> None:
    try:
        kind, _ = judge_push(GitResult(status, out, err), [TARGET, LEASE], EVENTS)
    except RefusedError as refusal:
        assert refusal.message.isprintable()
        return
    assert kind is not PUBLISHED


def test_lines_of_porcelain_are_told_from_everything_else() -> None:
    out = (
        b"To ssh://host/x:y\n=\tabc:refs/heads/a\t[up to date]\n-\t:refs/heads/\xff\t[deleted]\n"
        b"\tnot a flag\nremote: !\n?\ta:b\tc\nDone\n"
    )
    assert [(line.flag, line.name, line.summary) for line in parse_porcelain(out)] == [
        ("=", "refs/heads/a", "[up to date]"),
        ("-", "refs/heads/\udcff", "[deleted]"),
    ]


def test_an_unreachable_remote_is_said_in_one_line_fit_to_be_shown() -> None:
    problem = unreachable("fatal: cannot \x1b[31m reach")
    assert isinstance(problem, UnreachableError)
    assert problem.message == "the remote cannot be reached: cannot \\x1b[31m reach"
