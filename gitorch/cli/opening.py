"""Opens what a command works on, and closes it: the repository, its remote, progress on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitorch.cli.streams import complain
from gitorch.core.mask import mask_urls
from gitorch.core.text import escape, typed

if TYPE_CHECKING:
    from gitorch.engine.world import World
    from gitorch.session import Session


class LineReporter:
    """Implements ports.Reporter: one line of progress on standard error; the same line twice in a row is said once."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last = ""

    def say(self, text: str) -> None:
        """See ports.Reporter."""
        if not self._quiet and text != self._last:
            complain(f"{escape(mask_urls(text))}\n")
        self._last = text


@dataclass(frozen=True, slots=True)
class Opened:
    """A command's session and world."""

    session: Session
    world: World


@contextmanager
def opened(
    *,
    remote: str | None = None,
    target: str | None = None,
    quiet: bool = False,
    gates: bool = False,
    bulk: bool = False,
    color: bool | None = None,
) -> Iterator[Opened]:
    """The session and world of this command; `gates` makes it able to run gates. Closed however the command ends."""
    from gitorch.session import open_session

    session = open_session(remote=remote, target=target, bulk=bulk)
    try:
        runner = _gate_runner(session, quiet=quiet, color=color) if gates else None
        yield Opened(session, session.world(LineReporter(quiet=quiet), runner))
    finally:
        session.close()


def make_target_hint(session: Session) -> str:
    """The command that makes a target which does not exist yet."""
    unborn = session.repository.git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=()).status != 0
    first = "git commit (nothing is committed here yet)"
    name, remote = typed(session.target), typed(session.remote, "REMOTE")
    if session.is_self:
        return first if unborn else f"git branch {name}"
    return (f"{first}, then " if unborn else "") + f"git push {remote} HEAD:refs/heads/{name}"


def style_for(session: Session, fd: int, color: bool | None) -> Any:
    """How to colour what goes to a stream."""
    from gitorch.shell.terminal import Style, is_terminal, wants_colour

    flag = None if color is None else "always" if color else "never"
    config = session.repository.value
    terminal = is_terminal(fd, os.environ)
    return Style(
        wants_colour(os.environ, terminal=terminal, flag=flag, orch=config("color.orch"), ui=config("color.ui"))
    )


def _gate_runner(session: Session, *, quiet: bool, color: bool | None) -> Any:
    from gitorch.shell.system import RealClock
    from gitorch.shell.terminal import Progress, is_terminal

    if quiet:
        return session.gate_runner()
    fd = sys.stderr.fileno()
    progress = Progress(
        fd,
        terminal=is_terminal(fd, os.environ),
        now=RealClock().boot_s,
        style=style_for(session, fd, color),
    )
    return session.gate_runner(progress)
