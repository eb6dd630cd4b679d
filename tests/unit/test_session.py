"""Sessions on a system without /proc: all that a test of the runner cannot show on Linux."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gitorch.shell.gatelog import Pump, Tail
from gitorch.shell.session import Session
from tests.support import eventually


@pytest.mark.parametrize("leave_early", [False, True])
def test_without_proc_the_whole_group_is_killed_and_its_number_taken_back(tmp_path: Path, leave_early: bool) -> None:
    tail, number_file = Tail(), tmp_path / "number"
    command = "trap '' TERM; sleep 300 & echo $!; echo $$" + ("; sleep 300" if leave_early else "; exit 3")
    with Pump(tail.add) as pump:
        with Session(
            command,
            directory=tmp_path,
            environ=dict(os.environ),
            output=pump.write_end,
            silent=pump.ended,
            number_file=number_file,
            grace_s=0.1,
            proc=tmp_path / "no-proc",
        ) as session:
            pump.release()
            eventually(lambda: tail.content().count(b"\n") == 2, "the command started")
            if not leave_early:
                assert session.exited.wait(20)
        assert pump.ended.wait(20), "somebody still holds the output"
    child, leader = (int(line) for line in tail.content().split())
    assert session.status == (-signal.SIGKILL if leave_early else 3)
    assert not number_file.exists()
    for pid in (child, leader):
        eventually(lambda pid=pid: not _exists(pid), "nothing of the group lives")  # type: ignore[misc]


def _exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
