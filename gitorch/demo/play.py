"""What the steps of the demonstration are made of: commands typed at somebody's prompt, looks at what came of them, and
expectations.

Facts are read from the remote with git and with `git orch --json`, never from what the story meant to do.
"""

from __future__ import annotations

import json
import queue
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from gitorch.core.errors import OrchError
from gitorch.demo.narrator import Narrator
from gitorch.demo.project import Branch
from gitorch.demo.stage import Lines, Person, Ran, Running, Stage

LANDED = re.compile(r"^landed ([a-z0-9-]+): ", re.MULTILINE)
"""What a lander says about each job that it landed."""

IN_REMOTE = "git --git-dir=remote.git"


class UnexpectedError(OrchError):
    """Something did not come out as it was told."""

    def __init__(self, step: str, expected: str, found: str) -> None:
        super().__init__(
            f"the demonstration broke at `{step}`: expected {expected}, found {found or 'nothing'}",
            hint="git orch demo --keep DIR plays it again and leaves everything in DIR to look at",
        )


class Play:
    """Types for the people on a stage. `step` names where the story is, for whoever reads that it broke."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self.stage = stage
        self.narrator = narrator
        self.step = "the beginning"
        self.landers: dict[str, str] = {}
        """Job to who said that they landed it."""

    def expect(self, holds: bool, expected: str, found: str = "") -> None:
        """Raises UnexpectedError when it does not hold."""
        if not holds:
            raise UnexpectedError(self.step, expected, found)

    # -- shown

    def type(self, person: Person, command: str, expect: int = 0) -> Ran:
        """Show a command, run it, show what it says. Raises UnexpectedError for another exit status."""
        self.narrator.typed(person.name, command)
        started = self.stage.start(person, command)
        ran = self._finish([started], lambda _, line: self.narrator.answer(line))[0]
        self.expect(ran.status == expect, f"`{command}` to exit with {expect}", str(ran.status))
        return ran

    def type_at_once(self, *typed: tuple[Person, str], allow: Collection[int] = (0,)) -> dict[str, Ran]:
        """Commands that several people type at the same moment. Returns how each ended, by name. Raises UnexpectedError
        for an exit status that is not allowed."""
        lines: Lines = queue.Queue()
        for person, command in typed:
            self.narrator.typed(person.name, command)
        running = [self.stage.start(person, command, lines) for person, command in typed]
        ended = self._finish(running, lambda one, line: self.narrator.answer_of(one.who.name, line))
        for one, ran in zip(running, ended, strict=True):
            self.expect(ran.status in allow, f"`{one.command}` to end well", f"exit status {ran.status}")
        return {one.who.name: ran for one, ran in zip(running, ended, strict=True)}

    def type_and_kill(self, person: Person, command: str, reached: Callable[[], bool]) -> Ran:
        """Type a command, and end it and everything it started with `kill -9` as soon as `reached`."""
        self.narrator.typed(person.name, f"{command} &")
        running = self.stage.start(person, command)
        there = self.stage.until(running, reached, self.narrator.answer)
        self.expect(there, f"`{command}` to get as far as it should", "\n".join(running.said))
        # A negative number is a process group; the shell's own `kill` wants no `--` before it.
        self.type(person, f"kill -9 -{running.process.pid}")
        return self._finish([running], lambda _, line: self.narrator.answer(line))[0]

    def _finish(self, running: list[Running], show: Callable[[Running, str], None]) -> list[Ran]:
        ended = self.stage.finish(running, show)
        for one, ran in zip(running, ended, strict=True):
            self.landers |= dict.fromkeys(LANDED.findall(ran.text), one.who.name)
        return ended

    # -- not shown

    def git(self, person: Person, command: str) -> str:
        """Run what need not be shown. Returns its output. Raises UnexpectedError when it fails."""
        ran = self.stage.quietly(person, command)
        self.expect(ran.status == 0, f"`{command}` to succeed", ran.text.strip())
        return ran.text.strip()

    def clone(self, remote: Person, name: str) -> Person:
        """Somebody new, with a clone."""
        self.git(remote, f"git clone -q remote.git {name}")
        person = self.stage.person(name, self.stage.root / name)
        self.git(person, f"git config user.name {name.title()} && git config user.email {name}@example.org")
        return person

    def commit(self, person: Person, files: Mapping[str, str], title: str) -> None:
        for path, text in files.items():
            (person.path / path).parent.mkdir(exist_ok=True)
            (person.path / path).write_text(text, encoding="utf-8")
        self.git(person, f"git add -A && git commit -q -m {shlex.quote(title)}")

    def branch(self, person: Person, branches: Iterable[Branch]) -> None:
        """One commit each, on top of main as the person saw it last."""
        for branch in branches:
            self.git(person, f"git switch -q --no-track -c {branch.name} origin/main")
            self.commit(person, branch.files, branch.title)
        self.git(person, "git switch -q main")

    def ask(self, person: Person, command: str) -> Any:
        """What `git orch COMMAND --json` has to say. Raises UnexpectedError when that is no document with data."""
        answer = self.stage.quietly(person, f"{command} --json 2>/dev/null").text
        try:
            return json.loads(answer)["data"]
        except (ValueError, KeyError, TypeError):
            raise UnexpectedError(self.step, f"data from `{command} --json`", answer.strip()[:200]) from None

    def history(self, remote: Person) -> list[tuple[str, str]]:
        """Commit and title of each step of main on the remote, newest first."""
        lines = self.git(remote, f"{IN_REMOTE} log --format='%H %s' main").splitlines()
        return [(commit, title) for commit, _, title in (line.partition(" ") for line in lines)]
