"""More subjects: what git and the git directory say, and text on its way to a terminal."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

from fuzz import seeds
from fuzz.readers import Subject
from fuzz.safe import require_safe
from gitorch.core.errors import OrchError, UsageError
from gitorch.core.gitobjects import decode_commit, encode_commit
from gitorch.core.mask import mask_urls
from gitorch.core.model import JobId, Oid
from gitorch.core.settings import Entry, Settings
from gitorch.core.text import columns, escape, escape_block, one_line, printable_block, printable_bytes, shorten, typed
from gitorch.shell.gitcmd import Git, GitResult
from gitorch.shell.history import GitHistory
from gitorch.shell.lastseen import LastSeen
from gitorch.shell.push import judge_push, parse_porcelain, unreachable
from gitorch.shell.remembered import CloneMemory
from gitorch.shell.repository import Repository

_LEASE = seeds.NAMESPACE.lease("main")


def judge_text(data: bytes) -> bool:
    """Whatever comes in, what goes out moves no cursor, reorders nothing and hides nothing."""
    text = data.decode("utf-8", "surrogateescape")
    shown = escape(text)
    for line in (shown, printable_bytes(data), one_line(text, 80), shorten(text, 20), typed(text)):
        require_safe(line)
        assert "\n" not in line and "\t" not in line, "one line"
    assert escape(shown) == shown, "what is harmless stays as it is"
    assert columns(shorten(text, 20)) <= 20 and len(one_line(text, 80)) <= 80
    require_safe(escape_block(text))
    require_safe(printable_block(data))
    require_safe(escape(mask_urls(text)))
    return True


def judge_porcelain(data: bytes) -> bool:
    """What a push says: one of three outcomes, or a refusal that can be shown."""
    out, _, err = data.partition(b"\x0c")
    names = [status.name for status in parse_porcelain(out)]
    result = GitResult(1, out, err)
    try:
        _, detail = judge_push(result, names or [_LEASE], frozenset({_LEASE}))
    except OrchError as problem:
        require_safe(problem.message)
        require_safe(problem.hint)
        return False
    require_safe(escape(detail))
    require_safe(unreachable(result.error_text()).message)
    return True


def judge_settings(data: bytes) -> bool:
    """Every value of a configuration is what it must be, or a sentence says which is not."""
    pairs = (part.partition("\n") for part in data.decode("utf-8", "surrogateescape").split("\x00"))
    entries: dict[str, list[Entry]] = {}
    for key, _, value in pairs:
        entries.setdefault(key.lower(), []).append(Entry(value, ".gitorch of main"))
    read = 0
    for settings in (Settings(shared=entries), Settings(local=entries)):
        for ask in (*_PROPERTIES, Settings.gate, Settings.check):
            try:
                ask(settings)
            except UsageError as problem:
                require_safe(escape(problem.message))
                continue
            read += 1
        settings.overrides_shared_gate()
    return read == 2 * len(_PROPERTIES) + 4


_PROPERTIES = tuple(
    value.fget for value in vars(Settings).values() if isinstance(value, property) and value.fget is not None
)


class _Clock:
    """A clock that stands still."""

    def boot_s(self) -> float:
        return 1_000.0

    def boot_id(self) -> str:
        return "boot"


_root: list[Path] = []


@contextmanager
def scratch() -> Iterator[None]:
    """A folder for what the judges below write, in memory where there is such a place; processes that are forked
    meanwhile write into it too."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="orch-fuzz-", dir=memory if memory.is_dir() else None) as name:
        _root.append(Path(name))
        try:
            yield
        finally:
            _root.pop()


def _folder() -> Path:
    """This process's own."""
    folder = _root[-1] / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return folder


def judge_memory(data: bytes) -> bool:
    """Files of the git directory with any content: they say something of the right type, or nothing."""
    folder = _folder()
    memory = CloneMemory(folder, folder, "origin", cast(Any, _Clock()))
    paths = ("seen/origin/x", "tokens/main.json", "claims/fix.1.json", f"verdicts/{'1' * 40}-{'2' * 40}")
    for name in paths:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    tokens, claims = memory.tokens("main"), memory.claims()
    memory.verdict(Oid("1" * 40), Oid("2" * 40))
    unchanged_s = memory.unchanged_s("x", Oid("1" * 40))
    assert isinstance(unchanged_s, float) and unchanged_s >= 0.0
    assert memory.unchanged_s("x", Oid("1" * 40)) >= 0.0
    assert all(isinstance(kept.token, str) and isinstance(kept.command, str) for kept in tokens)
    assert set(claims) <= {JobId("fix")}
    return bool(tokens or claims)


def judge_last_seen(data: bytes) -> bool:
    """The file of refs that were seen last, with any content."""
    folder = _folder()
    seen = LastSeen(folder, "origin", seeds.NAMESPACE)
    (folder / "last-seen" / "origin").mkdir(parents=True, exist_ok=True)
    for name in ("seen", "gone"):
        (folder / "last-seen" / "origin" / name).write_bytes(data)
    known = seen.known()
    for name in seen.lost():
        require_safe(escape(name))
    seen.add({_LEASE: Oid("1" * 40)})
    after = seen.known()
    assert after == {**known, _LEASE: Oid("1" * 40)}, "what was known is kept"
    return bool(known)


class _Said:
    """A git that says what it was given."""

    def __init__(self, out: bytes) -> None:
        self.out = out

    def run(self, *args: str, **options: object) -> GitResult:
        return GitResult(0, self.out, b"")


def judge_dependencies(data: bytes) -> bool:
    """`Depends-on:` values as git lists them: words, each once."""
    history = GitHistory(cast(Git, _Said(data)), cast(Any, None))
    found = history.dependencies(Oid("1" * 40), None)
    assert len(set(found)) == len(found) and all(word == word.strip() and word for word in found)
    for word in found:
        require_safe(one_line(word, 100))
    return bool(found)


def judge_identity(data: bytes) -> bool:
    """A configured name and mail make a line that a commit can hold."""
    name, _, mail = data.decode("utf-8", "surrogateescape").partition("\x0c")
    config = {"user.name": [Entry(name, "x")], "user.email": [Entry(mail, "x")]}
    ident = Repository(Path(), Path(), None, "sha1", False, config).ident()
    data = encode_commit(Oid("1" * 40), (), ident, 0, "x\n")
    parts = decode_commit(data)
    assert parts.message == b"x\n" and data.count(b"\n") == 5, "one line"
    assert ident.count("<") == ident.count(">") == 1
    return True


def _json(random: Random) -> bytes:
    deep = json.dumps({"since_s": [[[]]], "token": {"a": "b" * 100}}).encode()
    return seeds.remembered(random) if random.random() < 0.9 else deep


def surrounding_subjects() -> tuple[Subject, ...]:
    """Readers at the edge."""
    return (
        Subject("text", seeds.words, judge_text, 1),
        Subject("porcelain", seeds.porcelain, judge_porcelain, 8),
        Subject("settings", seeds.configuration, judge_settings, 3),
        Subject("memory", _json, judge_memory, 1),
        Subject("last-seen", seeds.last_seen, judge_last_seen, 1),
        Subject("dependencies", seeds.dependencies, judge_dependencies, 6),
        Subject("identity", seeds.identity, judge_identity, 4),
    )
