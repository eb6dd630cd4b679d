"""`git orch fsck`: is everything as it is promised?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.fsck import Fault
    from gitorch.core.model import Snapshot


def run(target: Target = None, remote: Remote = None, as_json: AsJson = False) -> Answer:
    """Check every promise that the refs can tell about, and name each fault in one line.

    Reads all chains, the archive, the notes and the history of the targets, and writes nothing. Warnings and remarks
    are printed and do not count as faults. What is seen half way through somebody's push is looked at once more.
    """
    from gitorch.core.fsck import Severity

    with opened(remote=remote, target=target, bulk=True) as here:
        found, checked = _look(here)
        if any(fault.severity is Severity.FAULT for fault in found):
            found, checked = _look(here)
    faults = [fault for fault in found if fault.severity is Severity.FAULT]
    data = {"faults": [_json(fault) for fault in found], "checked": checked}
    text = "".join(_line(fault) for fault in found)
    summary = ", ".join(f"{number} {name}" for name, number in checked.items())
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        return Answer(code="failed", data=data, text=text, message=f"{count} in {summary}", hint=_hint(here, faults[0]))
    return Answer(data=data, text=f"{text}no fault in {summary}\n")


def _look(here: Opened) -> tuple[list[Fault], dict[str, int]]:
    from gitorch.cli.commands.why import slots_limit
    from gitorch.core.fsck import check
    from gitorch.shell.inspection import Inspector

    session = here.session
    tip = here.world.store.observe({session.target})
    inspector = Inspector(session.repository.git, session.objects, session.store)
    evidence = inspector.evidence(session.target, slots_limit(here, session.target, tip))
    checked = {
        "live jobs": len(evidence.snapshot.jobs),
        "archived jobs": len(evidence.archived),
        "events": len(evidence.commits),
        "targets": len(evidence.targets),
    }
    return [*check(evidence), *_signatures(here, evidence.snapshot)], checked


def _signatures(here: Opened, snapshot: Snapshot) -> list[Fault]:
    """By the rules of this clone's target."""
    from gitorch.core.fsck_signatures import signature_faults, tips_of

    session, names = here.session, here.world.namespace
    rules = session.signing_policy().rules(session.target, snapshot.heads.get(session.target))
    if not rules.required:
        return []
    tips = [oid for _, _, oid in tips_of(names, snapshot)] + ([snapshot.notes] if snapshot.notes else [])
    return signature_faults(names, snapshot, session.signature_reader().read(tips, rules.signers), rules)


def _json(fault: Fault) -> dict[str, Any]:
    return {
        "ref": fault.ref,
        "promise": fault.promise,
        "problem": fault.problem,
        "severity": fault.severity.value,
    }


def _line(fault: Fault) -> str:
    from gitorch.core.text import escape, shorten

    return f"{fault.severity.value}: {shorten(escape(fault.ref), 100)}: {escape(fault.problem)} ({fault.promise})\n"


def _hint(here: Opened, fault: Fault) -> str:
    """Where to look first; nothing that changes anything."""
    from gitorch.core.names import RefKind

    parsed = here.world.namespace.parse(fault.ref)
    if parsed is not None and parsed[0] is RefKind.JOB:
        return f"git orch graph {parsed[1]}" if fault.promise == "I6" else f"git orch log {parsed[1]}"
    return "git orch status"
