"""What the landing tests share: a project whose gate counts its runs and can be told what to do, and questions
about the remote."""

from __future__ import annotations

from pathlib import Path

from tests.support import Clone, Remote, git, make_alone, make_remote, try_git

# Every `call X` in src needs a `def X` in api.txt: branches can be green alone and red together. Each run leaves
# the tree it saw in $GATE_LOG, so that a test can count runs; a run waits while the file $GATE_HOLD exists.
GATE = """#!/bin/sh
[ -z "${GATE_LOG:-}" ] || git rev-parse 'HEAD^{tree}' >> "$GATE_LOG"
while [ -n "${GATE_HOLD:-}" ] && [ -e "$GATE_HOLD" ]; do sleep 0.02; done
rc=0
for name in $(cat src/*.txt | sed -n 's/^call //p' | sort -u); do
    grep -qx "def $name" api.txt || { echo "undefined: $name"; rc=1; }
done
exit $rc
"""

PROJECT = {
    ".gitorch": "[orch]\n\tgate = ./gate.sh\n\tleaseTTL = 300\n",
    "gate.sh": GATE,
    "api.txt": "def base\ndef old\n",
    "shared.txt": "one\ntwo\nthree\n",
    "src/base.txt": "call base\n",
}


def project(tmp_path: Path) -> Remote:
    """A bare remote with the project on main."""
    return make_remote(tmp_path, PROJECT)


def project_alone(tmp_path: Path) -> Clone:
    """The project in a repository that is its own remote."""
    return make_alone(tmp_path, PROJECT)


def add_branches(clone: Clone, count: int) -> list[str]:
    """Independent branches b1..bN, each with one new file; not pushed."""
    names = [f"b{i}" for i in range(1, count + 1)]
    for name in names:
        clone.branch(name, {f"src/{name}.txt": f"module {name}\ncall base\n"}, f"Add {name}")
    return names


def jobs(clone: Clone) -> dict[str, dict[str, object]]:
    """All jobs as `list --all --json` shows them, by branch."""
    return {job["branch"]: job for job in clone.orch("list", "--all", "--json").json()["data"]["jobs"]}


def lease(clone: Clone, target: str = "main") -> dict[str, object]:
    """The lease as `lease show --json` shows it."""
    found: dict[str, object] = clone.orch("lease", "show", target, "--json").json()["data"]
    return found


def gate_runs(log: Path) -> list[str]:
    """The trees that the gate ran on, in order."""
    return log.read_text().split() if log.exists() else []


def steps(repo: Path, branch: str = "main") -> list[str]:
    """The commits of a branch, oldest first."""
    return git(repo, "rev-list", "--reverse", branch).split()


def assert_main_is_green(repo: Path, tmp_path: Path) -> None:
    """Every step of main passes the gate, in a checkout of its own (I1); history is linear."""
    check = tmp_path / "every-step"
    if not check.exists():
        git(tmp_path, "clone", "-q", str(repo), str(check))
    git(check, "fetch", "-q", "origin")
    commits = steps(repo)
    assert git(repo, "rev-list", "--merges", "main") == ""
    for commit in commits:
        git(check, "checkout", "-q", "--detach", commit)
        run = try_git(check, "-c", "alias.gate=!./gate.sh", "gate")
        assert run.status == 0, f"{commit} is red: {run.said()}"


def landed_jobs(clone: Clone) -> list[str]:
    """The ids in the landing notes of main, oldest first: what landed, each as often as it landed (I2)."""
    text = clone.git("log", "--reverse", "--notes=orch", "--format=%N", "origin/main")
    return [word.removeprefix("job=") for word in text.split() if word.startswith("job=")]
