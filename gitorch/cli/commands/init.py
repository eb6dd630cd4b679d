"""`git orch init`: tell this clone its remote, target and gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import make_target_hint, opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import Oid

EXAMPLES = (
    "git orch init --gate 'make test'",
    "git orch init --gate none              land without a test, on purpose",
    "git orch init --remote . --target main   use this repository itself, although it has remotes",
)


def run(
    gate: Annotated[str | None, typer.Option("--gate", metavar="CMD", help="What must pass before a landing.")] = None,
    remote: Remote = None,
    target: Target = None,
    as_json: AsJson = False,
) -> Answer:
    """Tell this clone its remote, target and gate.

    Writes nothing but this clone's git configuration, and says how to put the same into `.gitorch` for everybody.
    Without options it shows what is in force and looks whether the remote answers. Running it again changes only
    what is named.
    """
    if gate is not None and (not gate.strip() or "\x00" in gate):
        raise UsageError("the gate is a shell command, or the word none", hint="git orch init --gate 'make test'")
    with opened(remote=remote, target=target) as here:
        tip = here.world.store.observe({here.session.target}).tip(here.session.target)
        written = _write(here, {"orch.remote": remote, "orch.target": target, "orch.gate": gate})
    with opened(remote=remote, target=target) as here:
        return _answer(here, tip, written)


def _write(here: Opened, values: dict[str, str | None]) -> dict[str, str]:
    """Put what was named into the clone's configuration."""
    git = here.session.repository.git
    named = {key: value for key, value in values.items() if value is not None}
    for key, value in named.items():
        git.run("config", "--local", "--replace-all", key, value)
    return named


def _answer(here: Opened, tip: Oid | None, written: dict[str, str]) -> Answer:
    from gitorch.core.text import escape, escape_block

    session = here.session
    settings = here.world.policy.settings(session.target, tip) if tip is not None else session.settings
    gate = settings.gate(session.repository.object_format)
    data: dict[str, Any] = {
        "remote": session.remote,
        "target": session.target,
        "tip": tip,
        "gate": list(gate.commands) if gate else None,
        "gate_origin": gate.origin if gate else None,
        "written": written,
    }
    rows = [
        f"remote  {'this repository itself' if session.is_self else escape(session.remote)}",
        f"target  {session.target}" + ("" if tip else "  (it does not exist on the remote yet)"),
        f"gate    {'; '.join(map(escape, gate.commands)) or 'none' if gate else 'not configured'}"
        + (f"  ({escape(gate.origin)})" if gate else ""),
    ]
    text = "\n".join(rows) + "\n"
    if gate is not None and not gate.origin.startswith(".gitorch"):
        text += "\nFor everybody, commit this to the target as .gitorch:\n\n" + escape_block(
            _shared_text(gate.commands)
        )
    return Answer(data=data, text=text, hint=_next(here, tip, gate is not None))


def _shared_text(commands: tuple[str, ...]) -> str:
    """The configuration file that says the same, quoted as git reads it."""
    quoted = [
        command.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for command in commands or ("none",)
    ]
    return "[orch]\n" + "".join(f'\tgate = "{command}"\n' for command in quoted)


def _next(here: Opened, tip: Oid | None, has_gate: bool) -> str:
    if tip is None:
        return make_target_hint(here.session)
    return "git orch submit BRANCH" if has_gate else "git orch init --gate 'make test'"
