"""The contract of every refusal: the exit status, one sentence, a hint with a command that destroys nothing, exactly
one JSON document that says the same, nothing touched on the remote, no lease left held."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.support import Clone, Repo, Run

_COMMAND = re.compile(r"\bgit |\bdf -h|\bcd |\binstall |the same command")

CODES = {
    1: "failed",
    2: "usage",
    10: "nothing",
    11: "busy",
    12: "lost",
    13: "blocked",
    14: "conflict",
    15: "red",
    16: "refused",
    17: "unreachable",
}
JOBS = "refs/" + "orch/jobs"
LEASES = "refs/" + "orch/leases"

_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DESTRUCTIVE = re.compile(
    r"--force|(^|\s)-[a-zA-Z]*[fD]\b|--hard|--mirror|--delete|\b(rm|clean|drop|restore|gc)\b|checkout (--|\.)"
)


def refuses(
    clone: Clone,
    *args: str,
    status: int,
    says: str,
    hint: str,
    untouched: Repo | None = None,
    env: Mapping[str, str] | None = None,
    both: bool = True,
) -> dict[str, Any]:
    """`git orch ARGS` is refused as it should be, as text and (`both`) as JSON; `untouched` has the refs that it had.
    Returns the error object of the JSON document, without `both` a small one made of the text."""
    before = untouched.refs() if untouched else None
    run = clone.orch(*args, check=status, env=env)
    message, shown_hint = message_and_hint(run)
    assert says in message, run.said()
    assert hint in shown_hint, run.said()
    error: dict[str, Any] = {"message": message, "hint": shown_hint}
    if both:
        answer = clone.orch(*with_json(args), check=status, env=env)
        error = one_document(answer, status)["error"]
        assert says in error["message"], answer.said()
        assert hint in error["hint"], answer.said()
    if untouched is not None:
        assert untouched.refs() == before, "nothing is touched"
        assert_no_lease_is_held(untouched)
    return error


def message_and_hint(run: Run) -> tuple[str, str]:
    """The last two lines of standard error, once they are what they should be."""
    lines = run.err.splitlines()
    assert len(lines) >= 2, run.said()
    message, last = lines[-2:]
    assert last.startswith("hint: "), run.said()
    for line in (message, last):
        assert not _UNSHOWABLE.search(line), ascii(line)
        assert len(line) < 2_000, "one clear sentence"
    assert "Traceback" not in run.err and "a fault of git orch" not in run.err, run.said()
    assert not message.startswith(("fatal:", "error:", "hint:")) and not message.endswith("."), run.said()
    assert not _DESTRUCTIVE.search(last), last
    assert _COMMAND.search(last), f"no command in {last!r}"
    return message, last.removeprefix("hint: ")


def one_document(run: Run, status: int) -> dict[str, Any]:
    """The document of a failed command, which is all of standard output."""
    assert run.out.endswith("\n") and run.out.count("\n") == 1, run.said()
    document: dict[str, Any] = json.loads(run.out)
    assert document["schema"] == 1 and document["ok"] is False
    assert document["error"]["code"] == CODES[status], run.said()
    assert document["error"]["hint"]
    return document


def with_json(args: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments with `--json` where an option may stand."""
    at = 2 if args[0] == "lease" else 1
    return (*args[:at], "--json", *args[at:])


def assert_no_lease_is_held(repo: Repo) -> None:
    """By the records themselves; what is not a record is not a lease."""
    for ref in repo.refs(LEASES):
        text = repo.git("log", "-1", "--format=%B", ref, "--")
        assert "\nState: held\n" not in text, f"{ref} is held:\n{text}"


def record(repo: Repo, ref: str) -> dict[str, str]:
    """The record at a ref of the namespace, read by plain git: cheaper than asking git orch."""
    block = repo.git("log", "-1", "--format=%B", ref, "--").rstrip("\n").rpartition("\n\n")[2]
    return dict(line.split(": ", 1) for line in block.split("\n"))


def job_of(repo: Repo, branch: str) -> dict[str, str]:
    """The record of the only job of a branch."""
    found = [job for job in (record(repo, ref) for ref in repo.refs(JOBS)) if job.get("Branch") == branch]
    assert len(found) == 1, found
    return found[0]


def states(repo: Repo) -> set[str]:
    """The states that jobs are in."""
    return {record(repo, ref)["State"] for ref in repo.refs(JOBS)}


def shows_safely(run: Run) -> None:
    """Nothing in the text for people moves a cursor, changes a colour or reorders what stands beside it."""
    for line in (run.out + run.err).split("\n"):
        assert not _UNSHOWABLE.search(line), ascii(line)
