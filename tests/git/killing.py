"""`kill -9`: of a process group, and at every step of a piece of work, one after the other."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from gitorch.shell import crash


@contextmanager
def group_of(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, all of which is killed in the end."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            # Until it is waited for, its number is nobody else's.
            os.killpg(process.pid, signal.SIGKILL)


def kill_everywhere(work: Callable[[], object]) -> Iterator[int]:
    """Do `work` in a process of its own that is killed at its first step, then again up to the second, and so on until
    it gets through; yields the number of the step after each kill."""
    for step in count(1):
        if not _killed_at(step, work):
            return
        yield step


def _killed_at(step: int, work: Callable[[], object]) -> bool:
    """Whether the process was killed. A fork starts in a millisecond; a new Python takes a third of a second."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            os.environ["ORCH_TEST_KILL"] = str(step)
            importlib.reload(crash)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0, "the work failed before it was killed"
    return False
