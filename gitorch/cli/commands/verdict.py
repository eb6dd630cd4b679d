"""`git orch verdict`: read or note what a gate said about a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import AsJson, Remote, Target
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.cli.opening import Opened
    from gitorch.core.gates import Gate
    from gitorch.core.model import Oid

EXITS = ("nothing", "red")
EXAMPLES = (
    "git orch verdict HEAD",
    'git orch verdict "$CANDIDATE" green --url "$BUILD_URL"    in a CI job that tested it',
)


def run(
    commit: Annotated[str, typer.Argument(metavar="COMMIT", help="Any name of a commit here.", show_default=False)],
    color: Annotated[
        str | None, typer.Argument(metavar="[green|red]", help="Note this; without it, only look.", show_default=False)
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Where the run can be read.")] = None,
    target: Target = None,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Read or note what a gate said about a commit's tree.

    A verdict belongs to a tree and to the text of the gate: any commit with the same tree shares it. With `green`
    or `red`, it is noted on the remote for the gate in force, as a CI job does that has tested exactly this tree;
    `git orch land` then does not run the gate again. Exits with 15 for a tree that is red, with 10 for one without
    a verdict.
    """
    from gitorch.core.model import Color
    from gitorch.engine.edit import record_verdict, verdicts_on

    if color not in (None, "green", "red"):
        raise UsageError("a verdict is green or red", hint="git orch verdict COMMIT green")
    with opened(remote=remote, target=target) as here:
        oid = _commit(here, commit)
        snapshot = here.world.store.observe({here.session.target})
        gate = _gate(here, snapshot.tip(here.session.target))
        tree = here.world.history.tree_of(oid)
        if color is not None:
            record_verdict(here.world, tree, gate, Color(color), url)
            snapshot = here.world.store.observe()
        found = verdicts_on(here.world, snapshot, tree)
        return _answer(here, oid, tree, gate, found, noted=color is not None)


def _commit(here: Opened, word: str) -> Oid:
    from gitorch.core.model import Oid

    if word.startswith("-"):
        raise UsageError("a commit's name does not begin with a dash", hint="git orch verdict HEAD")
    git = here.session.repository.git
    result = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}", ok=())
    if result.status != 0:
        raise UsageError(f"{word!r} is no commit here", hint="git fetch, then git orch verdict COMMIT")
    return Oid(result.text().splitlines()[-1])


def _gate(here: Opened, tip: Oid | None) -> Gate:
    settings = here.world.policy.settings(here.session.target, tip) if tip is not None else here.session.settings
    gate = settings.gate(here.session.repository.object_format)
    if gate is None:
        raise UsageError(
            "no gate is configured, so there is nothing to have a verdict of", hint="git orch init --gate CMD"
        )
    return gate


def _answer(here: Opened, oid: Oid, tree: Oid, gate: Gate, found: list, *, noted: bool) -> Answer:  # type: ignore[type-arg]
    from gitorch.core.model import Color
    from gitorch.core.text import escape
    from gitorch.core.times import format_time
    from gitorch.render import verdict_json

    mine = [verdict for verdict in found if verdict.gate == gate.digest]
    last = mine[-1] if mine else None
    data = {
        "commit": oid,
        "tree": tree,
        "gate": {"digest": gate.digest, "commands": list(gate.commands), "origin": gate.origin},
        "verdict": last.color.value if last else None,
        "verdicts": [verdict_json(verdict) for verdict in found],
    }
    lines = [
        f"{verdict.color.value}  {format_time(verdict.time_ms)}  by {escape(verdict.by or '?')}"
        + ("" if verdict.gate == gate.digest else "  (of another gate)")
        + (f"  {escape(verdict.url)}" if verdict.url else "")
        for verdict in found
    ]
    text = f"tree {tree} of {oid[:12]}\n" + "".join(f"  {line}\n" for line in lines)
    if last is None:
        return Answer(
            data=data,
            text=text if lines else "",
            code="nothing",
            message=f"no verdict of the gate in force is known for {oid[:12]}",
            hint=f"git orch verdict {oid[:12]} green (by whoever has tested it)",
        )
    if last.color is Color.RED and not noted:
        return Answer(data=data, text=text, code="red", message=f"{oid[:12]} is red", hint=f"git show {oid[:12]}")
    return Answer(data=data, text=text)
