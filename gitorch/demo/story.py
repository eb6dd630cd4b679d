"""What happens in the demonstration, and what must come of it.

Each step says what to watch, has real commands typed, and compares what came of them with what was told. The first
thing that comes out otherwise ends the story as UnexpectedError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitorch.demo import project
from gitorch.demo.narrator import Narrator
from gitorch.demo.play import LANDED, Play
from gitorch.demo.project import Branch
from gitorch.demo.stage import Stage, clock_s

NOTHING_LEFT, CONFLICT, RED, KILLED = 10, 14, 15, -9
"""How the commands of the story end, apart from well."""

SHORT_TTL_S = 2

Jobs = Mapping[str, dict[str, Any]]
"""All jobs, by branch."""

CHECK = """\
for c in $(git rev-list --reverse main); do git checkout -q $c
           sh gate.sh >/dev/null && git log -1 --format='green %h %s'; done; true"""


@dataclass(slots=True)
class Facts:
    """What came of it, for programs: `steps` with their wall-clock seconds, `landed` and `rejected` jobs, and each step
    of `main`, oldest first, with its color."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    landed: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    main: list[dict[str, Any]] = field(default_factory=list)


class Story:
    """One performance on one stage. `facts` fill as it goes."""

    def __init__(self, stage: Stage, narrator: Narrator, gate: str = project.GATE) -> None:
        """`gate` is the script that judges the project; with another one than the usual the story ends otherwise."""
        self.facts = Facts()
        self._stage = stage
        self._narrator = narrator
        self._gate = gate
        self._play = Play(stage, narrator)

    def perform(self) -> Facts:
        """All of it. Raises UnexpectedError."""
        for title, step in (
            ("The stage", self._lay_out),
            ("1. Two landers race", self._race),
            ("2. A textual conflict", self._textual_conflict),
            ("3. A semantic conflict: green alone, red together", self._semantic_conflict),
            ("4. One lander is killed, the other finishes", self._killed_lander),
            ("5. What is left to see", self._look_back),
        ):
            began_s = clock_s()
            self._play.step = title
            self._narrator.heading(title)
            step()
            self.facts.steps.append({"title": title, "seconds": round(clock_s() - began_s, 3)})
        return self.facts

    def _lay_out(self) -> None:
        self._narrator.tell(
            "A bare repository is the remote, nothing else runs. Alice and Bob have a clone each of a project that "
            "consists of recipes. Its gate is a script: every step that a recipe calls must be defined in steps.txt. "
            "A file on main names the gate, so that it is the same for everybody."
        )
        play, stage = self._play, self._stage
        stage.set_up()
        self._remote = stage.person("remote", stage.root)
        play.git(self._remote, "git init -q --bare remote.git")
        self._alice = play.clone(self._remote, "alice")
        play.commit(self._alice, project.first_files(self._gate), "The project begins")
        play.git(self._alice, "git push -q origin main")
        self._bob = play.clone(self._remote, "bob")
        play.branch(self._alice, (project.SOUP, project.EARLY))
        play.branch(self._bob, (project.TEA, project.CAKE, project.LATE))
        play.type(self._alice, "cat .gitorch")
        play.type(self._alice, "sh gate.sh")

    def _race(self) -> None:
        play = self._play
        self._narrator.tell(
            "Both hand in two branches, all cut from the same commit. `submit` pushes a branch and pins the commit "
            "that is to land. Nothing lands yet."
        )
        play.type_at_once(
            (self._alice, "git orch submit soup && git orch submit early"),
            (self._bob, "git orch submit tea && git orch submit cake"),
        )
        self._narrator.tell(
            "Now both land whatever is ready, at the same moment. Watch who gets the lease of main, and that the other "
            "one waits. Each branch is rebased onto what lands before it, and tested there before main moves."
        )
        command = "git orch land --all --wait"
        # A lander that comes second may find nothing left, and says so.
        ends = play.type_at_once((self._alice, command), (self._bob, command), allow=(0, NOTHING_LEFT))
        branches = (project.SOUP, project.EARLY, project.TEA, project.CAKE)
        self._expect_landed(self._jobs(), *branches)
        count = {name: len(LANDED.findall(end.text)) for name, end in ends.items()}
        play.expect(sum(count.values()) == len(branches), f"{len(branches)} landings", str(count))
        self._narrator.tell(
            f"{_who_landed(count)} That is chance. That each branch landed once, and that none broke another, is not."
        )

    def _textual_conflict(self) -> None:
        play, bob = self._play, self._bob
        self._narrator.tell(
            "Bob changed a line of hours.txt that Alice's branch changed too, and hers has landed. Watch that his job "
            "goes to rework and names the file."
        )
        before = self._tip()
        play.type(bob, "git orch submit late")
        play.type(bob, "git orch land late", expect=CONFLICT)
        self._expect_rejected(self._jobs(), project.LATE, "conflict", "hours.txt", before)
        self._narrator.tell(f"Main was not touched: it is still at {before[:7]}.")

    def _semantic_conflict(self) -> None:
        play, alice, bob = self._play, self._alice, self._bob
        self._narrator.tell(
            "From now on Alice calls it roasting, not baking, in every recipe. At the same time Bob adds bread, which "
            "is baked. They touch no common line, and each branch passes the gate alone:"
        )
        for person, branch in ((alice, project.ROAST), (bob, project.BREAD)):
            play.git(person, "git fetch -q")
            play.branch(person, (branch,))
        play.type_at_once(
            (alice, "git switch -q roast && sh gate.sh && git orch submit"),
            (bob, "git switch -q bread && sh gate.sh && git orch submit"),
        )
        self._narrator.tell(
            "Merged one after the other they would break main, and git would not notice. Watch the gate: it judges "
            "both together, before main moves."
        )
        play.type(alice, "git orch land roast")
        before = self._tip()
        play.type(bob, "git orch land bread", expect=RED)
        jobs = self._jobs()
        self._expect_landed(jobs, project.ROAST)
        self._expect_rejected(jobs, project.BREAD, "red", "", before)
        self._narrator.tell(f"Main was not touched: it is still at {before[:7]}.")

    def _killed_lander(self) -> None:
        play, alice, bob = self._play, self._alice, self._bob
        self._narrator.tell("Bob repairs his branch on top of main and hands it in again. The same job goes on.")
        play.type(bob, "git fetch -q && git rebase -q origin/main")
        play.type(bob, "echo 'call roast' >recipes/bread && git commit -qa --amend --no-edit")
        play.type(bob, "git orch submit bread")
        self._narrator.tell(
            "Alice lands it. But her gate hangs, and while she holds the lease of main her lander dies: kill -9, with "
            f"all its processes. (A lease lives 300 s without a sign of life; {SHORT_TTL_S} s here, so that you need "
            "not wait.)"
        )
        play.type(alice, "mkfifo ~/hang")
        before = self._tip()
        in_gate = Path(alice.environ["HOME"], "hang.reached")
        killed = play.type_and_kill(alice, f"git -c orch.leaseTTL={SHORT_TTL_S} orch land bread", in_gate.exists)
        play.expect(killed.status == KILLED, "Alice's lander to die of kill -9", f"exit status {killed.status}")
        play.expect(self._tip() == before, "main to stay where it was", self._tip())
        self._narrator.tell(
            "The lease still names her, and nobody clears it away. Bob just lands: he watches the lease stand still "
            "for its time, takes it over, and goes through all of it from the start."
        )
        lease = play.type(bob, "git orch lease show main")
        play.expect(f"held by {alice.name}@" in lease.text, "the lease to be in Alice's hands", lease.text)
        play.type(bob, "git orch land bread --wait")
        self._expect_landed(self._jobs(), project.BREAD)
        lander = self.facts.landed[-1]["by"]
        play.expect(lander == bob.name, "Bob's lander to land it", lander)
        self._narrator.tell("Alice began it, Bob finished it, and it landed once.")

    def _look_back(self) -> None:
        play, bob = self._play, self._bob
        self._narrator.tell("Where everything stands: one job needs a person, and nobody holds a lease.")
        play.type(bob, "git orch status")
        leases = [(lease["target"], lease["state"]) for lease in play.ask(bob, "git orch status")["leases"]]
        play.expect(leases == [("main", "free")], "main's lease to be free", str(leases))
        self._narrator.tell("The diary of the job that was red, then repaired, then landed, newest first:")
        play.type(bob, "git orch log bread")
        self._narrator.tell("Main is a straight line, and each landing left a note that says what was tested:")
        play.type(bob, "git fetch -q && git log --graph --oneline origin/main")
        play.type(bob, "git log --oneline --notes=orch -1 origin/main")
        self._check_each_step()

    def _check_each_step(self) -> None:
        """The gate on every commit of main, in a clone that no lander has touched."""
        play = self._play
        self._narrator.tell("And the gate once more on every commit of main, in a fresh clone:")
        inspector = play.clone(self._remote, "check")
        history = play.history(self._remote)[::-1]
        shown = play.type(inspector, CHECK)
        greens = tuple(line.split(" ")[1] for line in shown.text.splitlines() if line.startswith("green "))
        for commit, title in history:
            color = "green" if commit.startswith(greens) else "red"
            self.facts.main.append({"commit": commit, "title": title, "gate": color})
        green = sum(1 for step in self.facts.main if step["gate"] == "green")
        play.expect(green == len(history), "every step of main to be green", f"{green} of {len(history)}")
        play.expect(len(history) == 1 + len(self.facts.landed), "one step of main a landing", str(len(history)))
        self._narrator.tell(f"Every step of main is green: {green} of {len(history)}.")

    # -- looks at the remote

    def _tip(self) -> str:
        return self._play.history(self._remote)[0][0]

    def _jobs(self) -> Jobs:
        return {job["branch"]: job for job in self._play.ask(self._bob, "git orch list --all")["jobs"]}

    def _job(self, jobs: Jobs, branch: Branch) -> dict[str, Any]:
        self._play.expect(branch.name in jobs, f"a job of {branch.name}", ", ".join(jobs))
        return jobs[branch.name] | {"reason": jobs[branch.name]["reason"] or ""}

    def _expect_landed(self, jobs: Jobs, *branches: Branch) -> None:
        """Their jobs are done, and the one commit of each is on main once, as the job says."""
        play, history = self._play, self._play.history(self._remote)
        for branch in branches:
            job = self._job(jobs, branch)
            play.expect(job["state"] == "done", f"the job of {branch.name} to be done", job["state"])
            commits = [commit for commit, title in history if title == branch.title]
            play.expect(commits == [job["landed"]], f"{branch.name} to be on main once", str(commits))
            by = play.landers.get(job["id"], "nobody")
            self.facts.landed.append({"job": job["id"], "branch": branch.name, "commit": job["landed"], "by": by})

    def _expect_rejected(self, jobs: Jobs, branch: Branch, why: str, names: str, before: str) -> None:
        """Its job waits for rework, its reason `names` what it should, and main is where it was `before`."""
        play, job = self._play, self._job(jobs, branch)
        play.expect(job["state"] == "rework", f"the job of {branch.name} to be in rework", job["state"])
        play.expect(names in job["reason"], f"a reason that names {names}", job["reason"])
        play.expect(self._tip() == before, "main to stay where it was", self._tip())
        self.facts.rejected.append({"job": job["id"], "branch": branch.name, "why": why, "reason": job["reason"]})


def _who_landed(count: dict[str, int]) -> str:
    """One sentence about the race."""
    idle = [name for name, landed in count.items() if not landed]
    if not idle:
        return f"Alice's lander landed {count['alice']}, Bob's {count['bob']}."
    first = next(name for name in count if name not in idle)
    return f"{first.title()}'s lander was first and landed all {count[first]}; {idle[0].title()}'s found nothing left."
