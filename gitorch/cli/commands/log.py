"""`git orch log`: the diary of a job, or of a target's lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.model import DiaryEntry, Snapshot
    from gitorch.core.verdicts import Bypass

EXAMPLES = (
    "git orch log 7k2m9qd",
    "git orch log --lease main",
    "git orch log -n 20      the last events of all jobs",
    "git orch log 7k2m9qd --show-signature",
)


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    lease: Annotated[str | None, typer.Option("--lease", metavar="TARGET", help="The lease's diary instead.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Without a job: archived jobs too.")] = False,
    limit: Annotated[int, typer.Option("-n", "--max-count", metavar="N", min=1, max=100_000, help="At most N.")] = 100,
    show_signature: Annotated[bool, typer.Option("--show-signature", help="Check who signed each event.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Show what happened, newest first: to one job (an archived one too), to the lease of a target, or to all jobs.

    Each event is one commit: `git log --first-parent` on the mirrored ref shows the same with everything in it. A push
    that a server let through against the rules is shown, too: its ref, who made it, and the reason that was given.
    """
    with opened(remote=remote) as here:
        snapshot = here.world.store.observe({here.session.target})
        entries = _entries(here, snapshot, job, lease, limit, everything=everything)
        signed = _signatures(here, snapshot, entries) if show_signature else {}
        rows = [_json(entry, signed) for entry in entries]
        rows += [_bypass_json(found) for found in _bypasses(here, snapshot, job, lease, rows)]
        rows = (
            sorted(rows, key=lambda row: str(row["time"]), reverse=True)[:limit] if len(rows) > len(entries) else rows
        )
        return Answer(data={"events": rows}, text=_text(rows))


def _entries(
    here: Opened, snapshot: Snapshot, job: str | None, lease: str | None, limit: int, *, everything: bool
) -> list[DiaryEntry]:
    from gitorch.engine.lookup import find_any

    store = here.session.store
    if lease is not None:
        return store.diary(here.world.namespace.lease(lease), limit)
    if job is not None:
        return store.diary(find_any(here.world, snapshot, job).oid, limit)
    starts: list[str] = [seen.oid for seen in snapshot.jobs.values()]
    if everything and store.archive().tip is not None:
        starts += store.archived_events()
    # By the publishers' clocks: chains of many jobs have no other order in common.
    return sorted(store.diaries(starts, limit), key=lambda entry: entry.time_ms, reverse=True)


def _signatures(here: Opened, snapshot: Snapshot, entries: list[DiaryEntry]) -> dict[str, dict[str, str | None]]:
    """What is known of the signature of each event, by the rules of the target."""
    from gitorch.core.names import RefKind
    from gitorch.core.signing import Signature, duty_of, fault

    target = here.session.target
    rules = here.session.signing_policy().rules(target, snapshot.heads.get(target), always=True)
    found = here.session.signature_reader().read([entry.oid for entry in entries], rules.signers)
    shown: dict[str, dict[str, str | None]] = {}
    for entry in entries:
        signature = found.get(entry.oid, Signature())
        kind = RefKind.LEASE if _job_of(entry) is None else RefKind.JOB
        wrong = fault(signature, duty_of(kind, signature.event), rules)
        shown[entry.oid] = {
            "status": signature.status,
            "principal": signature.principal or None,
            "key": signature.key or None,
            "fault": wrong or None,
        }
    return shown


def _bypasses(
    here: Opened, snapshot: Snapshot, job: str | None, lease: str | None, rows: list[dict[str, Any]]
) -> list[Bypass]:
    """The bypasses of what is asked for: everything, a target and its lease, or a job."""
    from gitorch.core.names import branch_ref
    from gitorch.core.verdicts import parse_bypasses

    root = here.session.root()
    found = parse_bypasses(here.world.store.notes(snapshot, [root]).get(root, ""))
    names = here.world.namespace
    if lease is not None:
        return [one for one in found if one.ref in (branch_ref(lease), names.lease(lease))]
    if job is not None:
        own = {names.job(row["job"]) for row in rows if row["job"] is not None}
        return [one for one in found if one.ref in own]
    return found


def _json(entry: DiaryEntry, signed: dict[str, dict[str, str | None]]) -> dict[str, Any]:
    from gitorch.core.times import format_time

    return {
        "oid": entry.oid,
        "job": _job_of(entry),
        "subject": entry.message.partition("\n")[0],
        "by": entry.who,
        "time": format_time(entry.time_ms),
        "message": entry.message,
        **({"signature": signed[entry.oid]} if entry.oid in signed else {}),
    }


def _bypass_json(bypass: Bypass) -> dict[str, Any]:
    from gitorch.core.times import format_time

    subject = f"bypass {bypass.ref}: {bypass.reason}"
    return {
        "oid": bypass.new or bypass.old,
        "job": None,
        "subject": subject,
        "by": bypass.by,
        "time": format_time(bypass.time_ms),
        "message": f"{subject}\n\nfrom {bypass.old or 'nothing'} to {bypass.new or 'nothing'}\n",
        "bypass": {"ref": bypass.ref, "old": bypass.old, "new": bypass.new, "reason": bypass.reason},
    }


def _job_of(entry: DiaryEntry) -> str | None:
    """The job that an event belongs to; None for the event of a lease, or one that cannot be read."""
    from gitorch.core.codec import decode_job
    from gitorch.core.errors import DamagedError

    try:
        return decode_job(entry.message.encode()).record.id
    except DamagedError:
        return None


def _text(rows: list[dict[str, Any]]) -> str:
    from gitorch.core.text import escape, shorten
    from gitorch.render import table

    shown = [
        (
            str(row["oid"] or "-")[:10],
            row["time"][:19].replace("T", " "),
            row["job"] or "-",
            shorten(escape(row["by"]), 20),
            *([_signature_text(row)] if any("signature" in other for other in rows) else []),
            shorten(escape(row["subject"]), 90),
        )
        for row in rows
    ]
    return table(shown) if shown else "no events\n"


def _signature_text(row: dict[str, Any]) -> str:
    from gitorch.core.text import escape

    found = row.get("signature")
    if found is None:
        return "-"
    return escape(f"bad: {found['fault']}" if found["fault"] else f"good: {found['principal']}")
