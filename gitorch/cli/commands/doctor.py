"""`git orch doctor`: check this repository and its remote."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gitorch.cli.findings import Finding, configuration, hooks, signing, state, version_finding, versions
from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import OrchError
from gitorch.core.text import escape

EXAMPLES = ("git orch doctor", "git orch doctor --remote-race      once for each new server")


def run(
    target: Target = None,
    remote: Remote = None,
    remote_race: Annotated[
        bool, typer.Option("--remote-race", help="Race pushes, too: of 8 at once, does one win, and only one?")
    ] = False,
    as_json: AsJson = False,
) -> Answer:
    """Check this repository and its remote.

    Looks at versions, configuration, hooks, the target and its gate, and probes on scratch refs, which it takes away
    again, whether the remote keeps what git orch relies on: create-only, compare-and-swap, all or nothing, deletion
    with a guard. Changes nothing else. Exits with 1 when something is wrong.
    """
    from gitorch.cli.probing import probing

    with opened(remote=remote, target=target) as here:
        found: dict[str, list[Finding]] = {}
        named = versions(here)
        found["versions"] = [version_finding(named)]
        found["configuration"] = list(configuration(here))
        found["hooks"] = list(hooks(here))
        try:
            snapshot = here.world.store.observe({here.session.target})
            found["state"] = list(state(here, snapshot))
            found["signing"] = list(signing(here, snapshot))
            found["remote"] = []
            found["remote"].extend(probing(here, remote_race))  # what was found before a failure counts, too
        except OrchError as problem:
            found.setdefault("remote", []).append(Finding("problem", problem.message, "git remote -v"))
    return _answer(found, named)


def _answer(found: dict[str, list[Finding]], named: dict[str, str]) -> Answer:
    findings = [finding for part in found.values() for finding in part]
    rows = [
        {"check": check, "level": finding.level, "what": finding.what, "hint": finding.hint or None}
        for check, part in found.items()
        for finding in part
    ]
    data: dict[str, Any] = {"versions": named, "findings": rows}
    marks = {"ok": "ok       ", "warning": "warning  ", "problem": "problem  "}
    # Colours of our own pass where answers are printed, and this is text of anybody.
    text = "\n".join(
        marks[f.level] + escape(f.what) + (f"\n         {escape(f.hint)}" if f.hint else "") for f in findings
    )
    problems = [f for f in findings if f.level == "problem"]
    if not problems:
        return Answer(data=data, text=text)
    return Answer(
        data=data,
        text=text,
        code="failed",
        message=f"{len(problems)} problem{'s' * (len(problems) > 1)} found",
        hint=problems[0].hint or "git orch status",
    )
