"""Pushes of people who try to be somebody else: signatures that are good, and not of this event, this purpose or this
list."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from gitorch.core.model import Oid, State
from tests.git.signing import SshKey
from tests.hooks.vectors import A, B, vector
from tests.hooks.vectors_signatures import ada, eve
from tests.hooks.world import World, job


def raw(w: World, oid: Oid) -> bytes:
    data: bytes = w.repo.odb.read(oid)[1]
    return data


def header(signature: bytes) -> bytes:
    """A signature as a header of a commit."""
    return b"gpgsig " + signature.rstrip(b"\n").replace(b"\n", b"\n ") + b"\n"


def signature_of(w: World, signed: Oid) -> bytes:
    """The signature header of a signed commit."""
    head = raw(w, signed).partition(b"\n\n")[0] + b"\n"
    return head[head.index(b"gpgsig ") :]


def with_header(w: World, commit: Oid, *headers: bytes) -> Oid:
    """A commit with more headers."""
    head, _, message = raw(w, commit).partition(b"\n\n")
    return w.write(1, head + b"\n" + b"".join(headers) + b"\n" + message)


def by_keygen(payload: bytes, key: SshKey, namespace: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "payload"
        path.write_bytes(payload)
        command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key.path), str(path)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return path.with_suffix(".sig").read_bytes()


@vector("")
def a_signature_that_was_made_by_hand(w: World) -> None:
    """The control: what the others do, done right."""
    w.require(ada().line)
    event = w.event(job(), "add")
    w.push(A, with_header(w, event, header(by_keygen(raw(w, event), ada(), "git"))))


@vector("signature")
def a_signature_for_another_purpose(w: World) -> None:
    w.require(ada().line)
    event = w.event(job(), "add")
    w.push(A, with_header(w, event, header(by_keygen(raw(w, event), ada(), "file"))))


@vector("signature")
def a_signature_on_other_parents(w: World) -> None:
    w.require(ada().line)
    elsewhere = w.sign(w.event(job(), "add", w.event(job(), "add")), ada())
    w.push(A, with_header(w, w.event(job(), "add"), signature_of(w, elsewhere)))


@vector("signature")
def a_signature_in_the_message(w: World) -> None:
    w.require(ada().line)
    event = w.event(job(), "add")
    head, _, message = raw(w, event).partition(b"\n\n")
    subject, _, rest = message.partition(b"\n")
    signature = header(by_keygen(raw(w, event), ada(), "git"))
    w.push(A, w.write(1, head + b"\n\n" + subject + b"\n\n" + signature + rest))


@vector("signature")
def a_strangers_signature_before_one_of_hers(w: World) -> None:
    w.require(ada().line)
    event = w.event(job(), "add")
    mine, hers = (signature_of(w, w.sign(commit, key)) for commit, key in ((event, eve()), (w.commit(), ada())))
    w.push(A, with_header(w, event, mine, hers))


@vector("signature")
def a_strangers_signature_after_one_of_hers(w: World) -> None:
    w.require(ada().line)
    event = w.event(job(), "add")
    mine, hers = (signature_of(w, w.sign(commit, key)) for commit, key in ((event, eve()), (w.commit(), ada())))
    w.push(A, with_header(w, event, hers, mine))


@vector("signature")
def signers_of_a_branch_that_is_no_target(w: World) -> None:
    w.require(ada().line)
    w.put("refs/heads/side", w.commit("side\n", [], w.tree({".gitorch-signers": ada().line + eve().line})))
    w.push(A, w.sign(w.event(job(), "add"), eve()))


@vector("signature")
def signers_that_come_in_the_same_push(w: World) -> None:
    w.require(ada().line)
    w.push("refs/heads/side", w.commit("side\n", [], w.tree({".gitorch-signers": ada().line + eve().line})))
    w.push(A, w.sign(w.event(job(), "add"), ada()))
    w.push(B, w.sign(w.event(job("b"), "add"), eve()))


@vector("signature")
def a_signer_by_a_pattern_of_somebody_else(w: World) -> None:
    w.require(ada().line.replace("ada@example.org", "*@example.org"))
    w.push(A, w.sign(w.event(job(), "add"), eve()))


@vector("may")
def a_pattern_is_no_name(w: World) -> None:
    """Who is allowed by `*@example.org` is called so, and has the duties of nobody else."""
    w.require(eve().line.replace("eve@example.org", "*@example.org"), Submit="ada@example.org")
    w.push(A, w.sign(w.event(job(), "add"), eve()))
    head = w.code("work")

    w.push(B, w.sign(w.event(job("b", state=State.SUBMITTED, branch="b", head=head), "submit"), eve()))
