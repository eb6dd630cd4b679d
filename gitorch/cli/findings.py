"""What `git orch doctor` finds in a clone without writing anything: versions, configuration, hooks, signing, the state.

Text here may come from anybody: it is escaped and masked when it is printed.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.cli.opening import make_target_hint
from gitorch.core.errors import OrchError
from gitorch.core.text import typed

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.clone_config import Trouble
    from gitorch.core.hookplan import Hook
    from gitorch.core.model import Snapshot
    from gitorch.shell.hookfiles import Place

MINIMUM_GIT = (2, 38)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: `level` is ok, warning or problem."""

    level: str
    what: str
    hint: str = ""


def versions(here: Opened) -> dict[str, str]:
    """The versions of everything that decides how this works."""
    from importlib.metadata import version

    from pygit2 import LIBGIT2_VERSION

    from gitorch import __version__

    return {
        "git_orch": __version__,
        "git": here.session.repository.git.line("version").removeprefix("git version "),
        "pygit2": version("pygit2"),
        "libgit2": LIBGIT2_VERSION,
        "python": sys.version.split()[0],
    }


def version_finding(found: dict[str, str]) -> Finding:
    text = (
        f"git orch {found['git_orch']}, git version {found['git']}, Python {found['python']}, pygit2 {found['pygit2']}"
        f" (libgit2 {found['libgit2']})"
    )
    numbers = re.match(r"(\d+)\.(\d+)", found["git"])
    if numbers and (int(numbers[1]), int(numbers[2])) >= MINIMUM_GIT:
        return Finding("ok", text)
    return Finding("problem", f"git {found['git']} is too old", "install git {}.{} or newer".format(*MINIMUM_GIT))


def configuration(here: Opened) -> Iterator[Finding]:
    """What in the configuration of a clone, and of a remote on this machine, works against us."""
    from gitorch.core.clone_config import clone_troubles, harmless, own_troubles, server_troubles, url_troubles
    from gitorch.shell.gitcmd import Git
    from gitorch.shell.remote_config import checked_out, config_of, places_of

    yield from _identity(here)
    session, names = here.session, here.world.namespace
    config = config_of(session.repository.git)
    if session.is_self:
        yield from _as_findings(own_troubles(config, names))
        yield from _as_findings(server_troubles(config, names))
        return
    places = places_of(session.repository, session.remote)
    yield from _as_findings(url_troubles(config, session.remote, places.fetched, places.pushed))
    yield from _as_findings(clone_troubles(config, session.remote, names))
    folder = server_folder(here)
    if folder is not None:
        # Of that folder, whatever GIT_DIR says of ours.
        server = Git(folder)
        shown = checked_out(server)
        troubles = server_troubles(config_of(server), names, session.target, folder=str(folder), checked_out=shown)
        yield from _as_findings(troubles)
    yield from (Finding("ok", text) for text in harmless(config, session.remote))


def _as_findings(troubles: Iterable[Trouble]) -> Iterator[Finding]:
    return (Finding(trouble.level, trouble.what, trouble.hint) for trouble in troubles)


def _identity(here: Opened) -> Iterator[Finding]:
    repository = here.session.repository
    for what, key in (("name", "user.name"), ("mail address", "user.email")):
        word = key.removeprefix("user.")
        known = os.environ.get(f"GIT_COMMITTER_{word.upper()}") or repository.value(f"committer.{word}")
        if not known and not repository.value(key):
            instead = "'YOUR NAME'" if word == "name" else "YOU@EXAMPLE"
            ident = repository.ident()
            yield Finding("warning", f"no {what} is configured; events carry {ident}", f"git config {key} {instead}")
    if repository.shallow:
        yield Finding(
            "warning", "this clone is shallow; branches may have no common commit here", "git fetch --unshallow"
        )


def server_folder(here: Opened) -> Path | None:
    """The repository that is pushed to, where it is a folder of this machine."""
    from gitorch.shell.remote_config import folder_of, places_of

    session = here.session
    if session.is_self:
        return session.repository.common_dir
    pushed = places_of(session.repository, session.remote).pushed
    return folder_of(session.repository, pushed[0]) if pushed else None


def hooks(here: Opened) -> Iterator[Finding]:
    """Those of this clone, and of a remote that is a folder here. None is needed; an old one is worse than none."""
    from gitorch.core.hookplan import CLIENT, SERVER, STRICT
    from gitorch.shell.hookfiles import HookFiles, clone_place, manager_in, server_place

    try:
        if not here.session.is_self:
            place = clone_place(here.session.repository)
            for name in CLIENT:
                manager = manager_in(place, name)
                if manager is not None and manager.calls:
                    yield Finding("ok", f"{manager.name} calls the hook {name} in this clone")
                else:
                    yield _hook_finding(HookFiles(place).look(name), place, "")
        folder = server_folder(here)
        if folder is not None:
            place = server_place(folder)
            found = [HookFiles(place).look(name) for name in (*SERVER, *STRICT)]
            option = f" --server {shlex.quote(str(folder))}"
            yield from (
                _hook_finding(hook, place, option) for hook in found if hook.name not in STRICT or hook.front.ours
            )
    except OrchError as problem:
        yield Finding("warning", f"the hooks could not be looked at: {problem.message}", problem.hint)


def _hook_finding(hook: Hook, place: Place, option: str) -> Finding:
    where = "on the remote" if option else "in this clone"
    install = f"git orch hooks install{option}" + (" --shared" if place.shared else "")
    if hook.front.calls:
        return Finding("ok", f"the hook {hook.name} {where} is called by one of others")
    if hook.state == "current":
        return Finding("ok", f"the hook {hook.name} {where} is current")
    if hook.state in ("outdated", "edited", "disabled"):
        return Finding("warning", f"the hook {hook.name} {where} is {hook.state}", install)
    beside = "; one of others is, and would run first" if hook.state == "other" else ""
    return Finding("ok", f"the hook {hook.name} is not installed {where} ({install}){beside}")


def signing(here: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether events must be signed, and whether this clone can."""
    session = here.session
    try:
        rules = session.signing_policy().rules(session.target, snapshot.heads.get(session.target))
    except OrchError as problem:
        yield Finding("problem", problem.message, problem.hint)
        return
    if not rules.required:
        return
    key = session.repository.value("user.signingkey")
    form = session.repository.value("gpg.format") or "openpgp"
    if key is None and form == "ssh" and session.repository.value("gpg.ssh.defaultkeycommand") is None:
        yield Finding("problem", "events must be signed, and no key is configured", "git config user.signingKey KEY")
    else:
        yield Finding("ok", f"events must be signed, and are ({form})")


def state(here: Opened, snapshot: Snapshot) -> Iterator[Finding]:
    session = here.session
    where = "this repository itself" if session.is_self else session.remote
    yield Finding("ok", f"the remote answers ({where}): {len(snapshot.jobs)} jobs, {len(snapshot.leases)} leases")
    needed = (here.world.namespace.lease(session.target), here.world.namespace.notes)
    for damage in sorted(snapshot.damaged, key=lambda found: found.ref not in needed)[:10]:
        # What a landing must write stops all of them; anything else is somebody's litter.
        level = "problem" if damage.ref in needed else "warning"
        what = f"{damage.ref} is not readable and left alone: {damage.problem}"
        yield Finding(level, what, _who_wrote(here, damage.ref))
    lost = session.store.lost()
    if lost:
        what = f"the remote lost state that this clone has seen ({len(lost)} refs that nothing deletes, as {lost[0]})"
        yield Finding("problem", what, "git orch restore -n")
    tip = snapshot.tip(session.target)
    if tip is None:
        yield Finding("problem", f"the target {session.target} does not exist there", make_target_hint(session))
        return
    try:
        settings = here.world.policy.settings(session.target, tip)
        settings.check()
        gate = settings.gate(session.repository.object_format)
    except OrchError as problem:
        yield Finding("problem", problem.message, problem.hint)
        return
    if gate is None:
        yield Finding("problem", "no gate is configured, so nothing lands", "git orch init --gate 'make test'")
    else:
        yield Finding("ok", f"target {session.target}, gate `{'; '.join(gate.commands) or 'none'}` from {gate.origin}")
    if settings.overrides_shared_gate():
        yield Finding(
            "warning",
            f"this clone's gate differs from the one in .gitorch of {session.target}; a server may refuse its landings",
            "git config --unset-all orch.gate",
        )
    obstacle = here.world.checkouts.obstacle(session.target)
    if obstacle is not None:
        yield Finding("warning", obstacle.message, obstacle.hint)


def _who_wrote(here: Opened, ref: str) -> str:
    """How to look at a ref that git orch cannot read."""
    if here.session.is_self:
        return f"git show {typed(ref, 'REF')} shows what it is"
    return f"git fetch {typed(here.session.remote, 'REMOTE')} {typed(ref, 'REF')} && git show FETCH_HEAD"
