"""The demonstration as its viewers meet it: the whole story, a story that breaks, one that is interrupted, and how it
is told in a narrow terminal. A failure here means that what a newcomer sees first is not true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from gitorch.cli.commands.demo import ending, perform
from gitorch.demo.narrator import Narrator
from gitorch.demo.project import GATE
from tests.support import Run, Running, eventually, git

LIMIT_S = 60.0
STEPS = (
    "The stage",
    "1. Two landers race",
    "2. A textual conflict",
    "3. A semantic conflict: green alone, red together",
    "4. One lander is killed, the other finishes",
    "5. What is left to see",
)
GOOD = {"soup", "early", "tea", "cake", "roast", "bread"}


def start(temporary: Path, *args: str) -> Running:
    """`git orch demo ARGS` with its temporary files in a directory of their own, where the user's own world is full of
    traps."""
    temporary.mkdir()
    traps = temporary.parent / "traps"
    traps.write_text("[user]\n\tname = Mallory\n[commit]\n\tgpgSign = true\n[core]\n\thooksPath = nowhere\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "gitorch", "demo", *args],
        cwd=temporary.parent,
        env={
            **os.environ,
            "TMPDIR": str(temporary),
            "GIT_CONFIG_GLOBAL": str(traps),
            "GIT_DIR": "nowhere",
            "ORCH_JOB": "a-job-of-mine",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return Running(process)


def demo(temporary: Path, *args: str) -> Run:
    return start(temporary, *args).wait(LIMIT_S)


def in_order(text: str, parts: tuple[str, ...]) -> bool:
    places = [text.find(part) for part in parts]
    return -1 not in places and all(before < after for before, after in pairwise(places))


def alive(mark: str) -> list[str]:
    """The processes that have `mark` in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_the_story_comes_out_as_it_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = demo(tmp_path / "temporary", "--json")
    assert run.status == 0, run.said()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert alive(str(tmp_path / "temporary")) == []
    data = run.json()["data"]
    assert_facts(data)
    assert in_order(run.err, STEPS), run.err
    assert "\x1b" not in run.err
    assert "every step of main is green: 7 of 7" in run.err.lower()
    assert "Mallory" not in run.err
    text = ending(data)
    assert text.endswith("\n  git orch init --gate 'make test'\n")
    assert "main grew by 6 commits" in text


def assert_facts(data: dict[str, Any]) -> None:
    assert [step["title"] for step in data["steps"]] == list(STEPS)
    assert 0 < sum(step["seconds"] for step in data["steps"]) <= data["seconds"]
    assert {job["branch"] for job in data["landed"]} == GOOD
    assert {job["by"] for job in data["landed"]} <= {"alice", "bob"}
    assert data["landed"][-1] | {"job": "", "commit": ""} == {"branch": "bread", "by": "bob", "job": "", "commit": ""}
    assert [(job["branch"], job["why"]) for job in data["rejected"]] == [("late", "conflict"), ("bread", "red")]
    assert "hours.txt" in data["rejected"][0]["reason"]
    assert [step["gate"] for step in data["main"]] == ["green"] * 7
    assert {step["commit"] for step in data["main"][1:]} == {job["commit"] for job in data["landed"]}
    assert data["kept"] is None


def test_a_gate_that_accepts_everything_breaks_the_story_at_the_semantic_conflict(tmp_path: Path) -> None:
    told: list[str] = []
    answer = perform(Narrator(told.append), tmp_path / "kept", GATE.replace("result=1", "result=0"))
    assert answer.code == "failed"
    assert answer.message == (
        "the demonstration broke at `3. A semantic conflict: green alone, red together`: expected `git orch land "
        "bread` to exit with 15, found 0"
    )
    assert answer.data is not None
    assert [step["title"] for step in answer.data["steps"]] == list(STEPS[:3])
    assert answer.data["kept"] == str(tmp_path / "kept")
    assert "Add bread" in git(tmp_path / "kept" / "remote.git", "log", "--format=%s", "main")


def test_a_gate_that_accepts_nothing_breaks_the_story_at_once(tmp_path: Path) -> None:
    answer = perform(Narrator(lambda _: None), tmp_path / "kept", "echo no; exit 1\n")
    assert answer.status == 1
    assert answer.message == ("the demonstration broke at `The stage`: expected `sh gate.sh` to exit with 0, found 1")
    assert "--keep" in answer.hint


def test_an_interrupted_story_takes_everything_with_it(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    running = start(temporary)
    told = running.process.stdout
    assert told is not None
    assert any(b"git orch land --all --wait" in line for line in iter(told.readline, b"")), "it ended before the race"
    assert alive(str(temporary)), "nothing runs that could be left behind"
    running.process.send_signal(signal.SIGINT)
    run = running.wait(LIMIT_S)
    assert run.status == 130, run.said()
    assert run.err == "interrupted\nhint: git orch demo\n"
    assert list(temporary.iterdir()) == []
    eventually(lambda: not alive(str(temporary)), "no process of the story lives")


def test_a_directory_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    run = demo(tmp_path / "temporary", "--keep", str(tmp_path / "mine"))
    assert run.status == 2
    assert run.err == f"{tmp_path}/mine is not empty\nhint: git orch demo --keep ANOTHER-DIRECTORY\n"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_in_a_narrow_terminal_lines_are_folded_between_words_and_nothing_is_cut() -> None:
    told: list[str] = []
    narrator = Narrator(told.append, columns=50, bold=lambda text: f"\x1b[1m{text}\x1b[m")
    narrator.heading("A heading")
    narrator.tell("word " * 30)
    narrator.typed("alice", "command " * 20)
    answers = ["  said " * 20, "b" * 60, "", "\ttab", "\x1b[2J"]
    for line in answers:
        narrator.answer(line)
        narrator.answer_of("bob", line)
    shown = "".join(told)
    lines = shown.splitlines()
    assert [line for line in lines if len(line) > 50] == [
        f"  alice$ \x1b[1m{'command ' * 20}\x1b[m",
        "    " + "b" * 60,
        "    bob   | " + "b" * 60,
    ]
    assert shown.count("word") == 30
    assert shown.count("said") == 40
    assert not re.search(r"\x1b(?!\[1?m)", shown)
