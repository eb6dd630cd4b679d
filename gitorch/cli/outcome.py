"""How every command ends: the one place that maps outcomes to exit codes, and prints them.

A command returns an Answer; `guarded` runs it, turns whatever it raises into one, and `emit` prints it: text on
standard output, a sentence and a hint on standard error, or exactly one JSON document. No other module of the
command line knows an exit code.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitorch.cli.streams import OutputError, complain, complain_of_output, say
from gitorch.core.errors import OrchError
from gitorch.core.mask import mask_urls

SCHEMA = 1


class Code(NamedTuple):
    """One row of the command contract: the exit status and when it is given."""

    exit: int
    when: str


CODES: Mapping[str, Code] = {
    "done": Code(0, "done"),
    "failed": Code(1, "anything without a number of its own"),
    "usage": Code(2, "wrong arguments, unknown id, illegal transition"),
    "nothing": Code(10, "nothing ready to claim or land"),
    "busy": Code(11, "lease or job held by a live other: try later"),
    "lost": Code(12, "our claim or lease was taken: we were fenced"),
    "blocked": Code(13, "a dependency is not done, or the edge would close a cycle"),
    "conflict": Code(14, "textual conflict when catching up"),
    "red": Code(15, "the gate failed"),
    "refused": Code(16, "the remote refused (hook, permission, protected)"),
    "unreachable": Code(17, "the remote cannot be reached, or the outcome is unknown"),
    "bug": Code(70, "a fault of git orch: a report file is written and named"),
    "interrupted": Code(130, "interrupted"),
}

ALWAYS_POSSIBLE = ("failed", "usage", "refused", "unreachable", "bug", "interrupted")
"""Outcomes that every command may have; its own help names the others."""

# Renderers colour with these alone; any other escape sequence came from outside and is shown, not sent.
_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command says at its end. `data` is for programs, `text` for people; a failure has a `message` of
    one sentence and a `hint`, the next command to type; a success may have a hint. `extra` goes into the error
    object of the JSON document. Raises ValueError for an answer that would break the command contract."""

    data: Mapping[str, Any] | None = None
    text: str = ""
    code: str = "done"
    message: str = ""
    hint: str = ""
    retryable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"no outcome is called {self.code!r}")
        if self.code != "done" and not (self.message and self.hint):
            raise ValueError("a failure has a message and a hint")
        if self.code == "done" and self.message:
            raise ValueError("a success has a text, not a message")

    @property
    def status(self) -> int:
        """The exit status."""
        return CODES[self.code].exit


def emit(answer: Answer, as_json: bool) -> int:
    """Print an answer and return its exit status. Raises OutputError when standard output takes no more."""
    if as_json:
        say(json_document(answer))
        return answer.status
    say(_shown(answer.text))
    if answer.message:
        complain(f"{_line(answer.message)}\n")
    if answer.hint:
        complain(f"hint: {_line(answer.hint)}\n")
    return answer.status


def json_document(answer: Answer) -> str:
    """The one document of an answer, on one line of ASCII."""
    document: dict[str, Any] = {"schema": SCHEMA, "ok": answer.code == "done"}
    if answer.code != "done":
        document["error"] = {
            **answer.extra,
            "code": answer.code,
            "message": answer.message,
            "hint": answer.hint,
            "retryable": answer.retryable,
        }
    if answer.code == "done" or answer.data is not None:
        document["data"] = answer.data
    text = json.dumps(document)
    if "://" in text or "\\ud" in text:
        # Rare, and it costs a walk over all of it: half a character breaks strict readers, a token would leak.
        text = json.dumps(_clean(document))
    return text + "\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", mask_urls(value))
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_clean(item) for item in value]
    return value


def _shown(text: str) -> str:
    from gitorch.core.text import escape_block

    parts = _COLOR.split(mask_urls(text))
    safe = "".join(part if index % 2 else escape_block(part) for index, part in enumerate(parts))
    return safe if not safe or safe.endswith("\n") else safe + "\n"


def _line(text: str) -> str:
    from gitorch.core.text import escape

    return escape(mask_urls(text))


def guarded(call: Callable[[], Answer | int], as_json: bool) -> int:
    """Run a command and print what came of it, whatever that is. Returns the exit status; an int from `call` was
    printed already."""
    try:
        return _settled(call, as_json)
    except BrokenPipeError:
        # The parser's own help, cut off by its reader; what we print ourselves ends quietly in gitorch.cli.streams.
        from gitorch.shell.terminal import silence

        silence(sys.stdout)
        return CODES["failed"].exit
    except OutputError as problem:
        return complain_of_output(problem)


def _settled(call: Callable[[], Answer | int], as_json: bool) -> int:
    try:
        result = call()
        return result if isinstance(result, int) else emit(result, as_json)
    except (BrokenPipeError, OutputError):
        raise
    except (Exception, KeyboardInterrupt) as problem:
        return emit(answer_to(problem), as_json)


def answer_to(problem: BaseException) -> Answer:
    """The answer that an exception stands for; writes a report for one that nobody expected."""
    if isinstance(problem, OrchError):
        return Answer(
            code=problem.code if problem.code in CODES else "failed",
            message=problem.message,
            hint=problem.hint,
            retryable=problem.retryable,
        )
    if isinstance(problem, KeyboardInterrupt):
        return Answer(
            code="interrupted",
            message=f"{str(problem) or 'interrupted'}; what was begun, the next command finishes or takes back",
            hint="git orch status",
            retryable=True,
        )
    return _bug(problem)


def _bug(problem: BaseException) -> Answer:
    from gitorch.cli.report import write_report

    kind = type(problem).__name__
    path = write_report(problem)
    if path is None:
        return Answer(
            code="bug",
            message=f"a fault of git orch ({kind}: {problem}), and no report of it could be written anywhere",
            hint="git orch doctor",
        )
    return Answer(
        code="bug",
        message=f"a fault of git orch ({kind}: {problem}); a report was written to {path}",
        hint=f"look through {path}, send it to the maintainers, then see `git orch doctor`",
        extra={"report": str(path)},
    )
