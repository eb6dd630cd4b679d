"""Put the hooks of git orch into a repository, and take them away.

The hook of a clone keeps pushes by hand away from the state of git orch; those of a server refuse what would break its
promises. A hook that is there already is kept and runs first. Nothing else needs hooks: without them everything works,
only mistakes are not caught.
"""

from __future__ import annotations

import os
import shlex
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.options import AsJson
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitorch.core.hookplan import Hook, Manager
    from gitorch.shell.hookfiles import Change, HookFiles, Place

EXAMPLES = (
    "git orch hooks install                              the hook of this clone",
    "git orch hooks install --server /srv/git/project.git",
    "git orch hooks status",
)

Server = Annotated[
    Path | None,
    typer.Option("--server", metavar="PATH", help="The hooks of a server: the folder of a repository on this machine."),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="With --server: `reference-transaction`, too, which sees every change of a ref."),
]
Shared = Annotated[
    bool, typer.Option("--shared", help="Also where `core.hooksPath` makes other repositories use the same folder.")
]


class HookName(Enum):
    """The hooks that there are."""

    PRE_PUSH = "pre-push"
    PRE_RECEIVE = "pre-receive"
    POST_RECEIVE = "post-receive"
    REFERENCE_TRANSACTION = "reference-transaction"


def install(server: Server = None, strict: Strict = False, shared: Shared = False, as_json: AsJson = False) -> Answer:
    """Install the hooks, or bring them up to date.

    Into this clone: `pre-push`. With --server into a repository that others push to: `pre-receive` and `post-receive`.
    A hook that is there already is kept as `HOOK.before-git-orch` and runs first, with the same arguments and input;
    when it refuses, that is the answer. Where husky or lefthook manage the hooks, nothing is written: the lines to add
    to their files are printed. Changes no configuration. Twice is the same as once.
    """
    from gitorch.core.hookplan import STRICT
    from gitorch.shell.hookfiles import HookFiles, manager_in

    place = _place(server, strict)
    names = _names(server)
    files = HookFiles(place)
    for name in names if server is None else ():
        manager = manager_in(place, name)
        if manager is not None:
            return _managed(place, files, manager, name)
    _require_consent(place, shared, "install")
    if not strict:
        names = tuple(name for name in names if name not in STRICT or files.look(name).front.ours)
    changes = files.install(names)
    data = {**_data(place, [change.after for change in changes]), "changed": _changed(changes)}
    text = "".join(map(_installed_text, changes)) + _folder_text(place)
    if server is not None:
        advice = _advice(server, place)
        data["recommended"] = advice
        text += "".join(["\nRecommended there, if it is not so yet:\n", *(f"  {line}\n" for line in advice)])
    return Answer(data=data, text=text, hint=f"git orch hooks status{_server_option(server)}")


def uninstall(server: Server = None, shared: Shared = False, as_json: AsJson = False) -> Answer:
    """Take the hooks away, and put back what was there before.

    An earlier hook is what it was: bytes, permissions, symbolic link. A hook of git orch that somebody edited is kept
    as `HOOK.git-orch-edited`.
    """
    from gitorch.core.hookplan import plan_uninstall
    from gitorch.shell.hookfiles import HookFiles, manager_in

    place = _place(server, strict=False)
    names = _names(server)
    files = HookFiles(place)
    if any(plan_uninstall(files.look(name)) for name in names):
        _require_consent(place, shared, "uninstall")
    changes = files.uninstall(names)
    data = {**_data(place, [change.after for change in changes]), "changed": _changed(changes)}
    text = "".join(_uninstalled_text(change) for change in changes if change.steps)
    managers = [manager_in(place, name) for name in names if server is None]
    for manager in managers:
        if manager is not None and manager.calls:
            where = manager.steps[-1][0]
            text += f"{manager.name} calls the hook of git orch from {where}: that line is yours to take away\n"
    return Answer(data=data, text=text or f"no hook of git orch is installed in {place.directory}\n")


def status(server: Server = None, as_json: AsJson = False) -> Answer:
    """Say which hooks are installed and whether they are current."""
    from gitorch.shell.hookfiles import HookFiles, manager_in

    place = _place(server, strict=False)
    files = HookFiles(place)
    hooks = [files.look(name) for name in _names(server)]
    rows = [f"{hook.name:<22} {_state_text(hook)}\n" for hook in hooks]
    data = _data(place, hooks)
    manager = manager_in(place, hooks[0].name) if server is None else None
    if manager is not None:
        data["manager"] = {"name": manager.name, "calls": manager.calls}
        how = "calls that of git orch" if manager.calls else "does not call that of git orch (git orch hooks install)"
        rows.append(f"{manager.name} manages the hooks here, and {how}\n")
    return Answer(data=data, text="".join(rows) + _folder_text(place))


def run(
    name: Annotated[HookName, typer.Argument(metavar="HOOK", help="Which hook, by git's name for it.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENT...]", help="What git gave the hook.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> Answer:
    """Be a hook, for another hook that calls this.

    The arguments, standard input and exit status are those of the hook. It prints what the hook prints: text, also
    with --json.
    """
    from gitorch.shell.hookfiles import run_packaged

    run_packaged(name.value, arguments or ())


SUBCOMMANDS = {"install": install, "uninstall": uninstall, "status": status, "run": run}


def _names(server: Path | None) -> tuple[str, ...]:
    from gitorch.core.hookplan import CLIENT, SERVER, STRICT

    return CLIENT if server is None else (*SERVER, *STRICT)


def _place(server: Path | None, strict: bool) -> Place:
    from gitorch.shell.hookfiles import clone_place, server_place
    from gitorch.shell.repository import open_repository

    if server is not None:
        return server_place(server)
    if strict:
        raise UsageError("--strict is for the hooks of a server", hint="git orch hooks install --server PATH --strict")
    return clone_place(open_repository())


def _server_option(server: Path | None) -> str:
    return "" if server is None else f" --server {shlex.quote(str(server))}"


def _require_consent(place: Place, shared: bool, verb: str) -> None:
    """A folder that other repositories use is changed for all of them, so somebody must have said so."""
    if place.shared and not shared:
        raise UsageError(
            f"core.hooksPath is set for more than this repository ({place.scope}): a hook in {place.directory} runs in"
            " every repository that uses this folder",
            hint=f"git orch hooks {verb} --shared (if all of them are meant), or give this one a folder of its own:"
            " git config core.hooksPath FOLDER",
        )


def _managed(place: Place, files: HookFiles, manager: Manager, name: str) -> Answer:
    """Another program writes the hooks: say what to add to its files."""
    steps = [{"file": file, "lines": lines} for file, lines in manager.steps]
    data = {
        **_data(place, [files.look(name)]),
        "changed": [],
        "manager": {"name": manager.name, "calls": manager.calls, "add": steps},
    }
    if manager.calls:
        return Answer(data=data, text=f"{manager.name} manages the hooks here, and calls that of git orch already\n")
    text = ""
    for file, lines in manager.steps:
        text += f"Add to {file}, before what else reads the standard input:\n\n"
        text += "".join(f"    {line}\n" for line in lines.splitlines()) + "\n"
    return Answer(
        data=data,
        text=text,
        code="failed",
        message=f"the hooks of this repository are managed by {manager.name}, so nothing was installed",
        hint=f"add the lines above to {' and '.join(file for file, _ in manager.steps)}",
    )


def _data(place: Place, hooks: Sequence[Hook]) -> dict[str, Any]:
    rows = [
        {
            "name": hook.name,
            "path": str(place.directory / hook.front_name),
            "state": hook.state,
            "chained": hook.chained,
        }
        for hook in hooks
    ]
    return {"hooks": rows, "directory": str(place.directory), "shared": place.shared}


def _changed(changes: Sequence[Change]) -> list[str]:
    return [change.before.name for change in changes if change.steps]


def _folder_text(place: Place) -> str:
    note = f", which other repositories use, too (core.hooksPath is set in the {place.scope} configuration)"
    return f"in {place.directory}{note if place.shared else ''}\n"


def _installed_text(change: Change) -> str:
    hook, was = change.after, change.before
    if hook.front.calls:
        return f"{hook.name} of git orch is called by the hook that is there\n"
    known = was.front.ours or was.own.ours
    word = ("brought up to date" if known else "installed") if change.steps else "is installed and current"
    text = f"{hook.name} {word}\n"
    if hook.in_chain and not hook.before.runs:
        text += f"  the hook that was there is not executable: kept as {hook.before_name}, and not run, as before\n"
    elif hook.in_chain:
        text += f"  the hook that was there runs first, kept as {hook.before_name}\n"
    if hook.hosted:
        text += f"  pre-commit runs it, as {hook.front_name}\n"
    return text + _kept_text(change)


def _uninstalled_text(change: Change) -> str:
    hook = change.after
    text = f"{hook.name} taken away"
    text += f"; the hook that was there before is {hook.front_name} again\n" if change.before.in_chain else "\n"
    if hook.before.exists:
        text += f"  {hook.before_name} was left alone: another hook has taken its place as {hook.front_name}\n"
    return text + _kept_text(change)


def _kept_text(change: Change) -> str:
    return "".join(f"  it had been edited: that version is kept as {name}\n" for name in change.kept)


_STATES = {
    "absent": "not installed",
    "current": "installed and current",
    "outdated": "installed, but not the version of this program (git orch hooks install)",
    "edited": "installed, and edited since",
    "disabled": "installed, but not executable: git does not run it (git orch hooks install)",
    "other": "a hook of others is there, and that of git orch is not",
}


def _state_text(hook: Hook) -> str:
    if hook.front.calls:
        return "called by the hook of others that is there"
    text = _STATES[hook.state]
    if hook.hosted and not hook.front.exists:
        return text + "; pre-commit has its own there, and would run it"
    if hook.in_chain:
        runs = "runs before it" if hook.before.runs else "is kept, but is not executable"
        text += f"; the hook that was there {runs}"
    return text + (f"; pre-commit runs it as {hook.front_name}" if hook.hosted and hook.front.ours else "")


def _advice(server: Path, place: Place) -> list[str]:
    """What to type next; configuration is the administrator's."""
    from gitorch.core.text import typed
    from gitorch.shell.gitcmd import Git
    from gitorch.shell.repository import current_branch

    path = shlex.quote(os.fspath(server))
    target = typed(current_branch(Git(server.resolve())) or "main")
    return [
        f"git -C {path} config orch.target {target}",
        f"git -C {path} config receive.advertisePushOptions true",
    ]
