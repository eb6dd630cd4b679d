"""`git orch graph`: what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gitorch.cli.opening import opened
from gitorch.cli.options import JOB_HELP, AsJson, Remote
from gitorch.cli.outcome import Answer
from gitorch.core.errors import UsageError

if TYPE_CHECKING:
    from gitorch.core.drawing import Drawing, Node
    from gitorch.core.model import Job, Snapshot
    from gitorch.core.queue import States

EXAMPLES = ("git orch graph", "git orch graph 7k2m9qd", "git orch graph --dot | dot -Tsvg > graph.svg")


def run(
    job: Annotated[str | None, typer.Argument(metavar="[JOB|BRANCH]", help=JOB_HELP, show_default=False)] = None,
    dot: Annotated[bool, typer.Option("--dot", help="For Graphviz.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="For Mermaid.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Jobs without dependencies too.")] = False,
    remote: Remote = None,
    as_json: AsJson = False,
) -> Answer:
    """Draw what waits for what: below a job stands what must be done before it, near and far.

    Live jobs are drawn, and archived ones where a live one waits for them. A job that was drawn already is named again,
    not repeated. With JOB, only what that job waits for.
    """
    from gitorch.core import drawing
    from gitorch.core.queue import find_job, states_of

    if dot and mermaid:
        raise UsageError("a graph is drawn for Graphviz or for Mermaid, not both", hint="git orch graph --dot")
    with opened(remote=remote) as here:
        snapshot = here.world.store.observe()
        states = states_of(snapshot)
        whole = _drawing(snapshot, states, missing_holds=here.world.missing_holds)
        if job is not None:
            shown = whole.below(find_job(snapshot.jobs, job).record.id)
        else:
            shown = whole if everything else whole.connected()
    draw = drawing.dot if dot else drawing.mermaid if mermaid else drawing.tree
    empty = not shown.nodes and not dot and not mermaid
    hint = "git orch fsck" if states.cyclic & set(shown.nodes) else ""
    return Answer(data=shown.json(), text="no job waits for another\n" if empty else draw(shown), hint=hint)


def _drawing(snapshot: Snapshot, states: States, *, missing_holds: bool) -> Drawing:
    from gitorch.core.drawing import Drawing, Node
    from gitorch.core.model import JobId
    from gitorch.render import ordered, state_word

    def node(job: Job) -> Node:
        return Node(job.id, state_word(job, states, missing_holds=missing_holds), job.title)

    nodes = {job.id: node(job) for job in ordered(snapshot.jobs.values(), states)}
    edges = {job: snapshot.jobs[job].record.after for job in nodes if snapshot.jobs[job].record.after}
    for dependency in sorted({d for after in edges.values() for d in after} - set(nodes)):
        archived = snapshot.archived.get(dependency)
        nodes[JobId(dependency)] = node(archived.record) if archived is not None else Node(dependency, "vanished")
    return Drawing(nodes, edges)
