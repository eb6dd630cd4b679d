"""The machine behind the ports: its clocks, its randomness, who is running us, and the signals that ask us to stop.

Promises: `boot_s` and `boot_id` together tell whether two observations of one machine can be compared; tokens and ids
come from the kernel's generator. Does not promise that a holder's description is unique or true: it is shown and
decides nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

from gitorch.core.model import HOLDER_LIMIT
from gitorch.core.text import one_line

# Consonants and digits that nobody takes for one another; without vowels an id never spells a word, and hardly ever
# looks like an abbreviated commit.
_LETTERS = "bcdfghjkmnpqrstvwxyz"
_LETTERS_AND_DIGITS = _LETTERS + "23456789"
_ID_LENGTH = 7

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class RealClock:
    """ports.Clock on this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_s(self) -> float:
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)

    def boot_id(self) -> str:
        return _boot_id()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class RealRandom:
    """ports.Random from the kernel; the `secrets` module would say the same and costs 15 ms to import."""

    def token(self) -> str:
        return os.urandom(16).hex()

    def short_id(self) -> str:
        """Seven characters, 33 bits; the first is a letter, so that no id looks like a number or an option."""
        number = int.from_bytes(os.urandom(16), "big")  # so far above the number of ids that the bias is below 2**-90
        number, first = divmod(number, len(_LETTERS))
        rest = []
        for _ in range(_ID_LENGTH - 1):
            number, index = divmod(number, len(_LETTERS_AND_DIGITS))
            rest.append(_LETTERS_AND_DIGITS[index])
        return _LETTERS[first] + "".join(rest)

    def uniform(self, low: float, high: float) -> float:
        fraction = (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53
        return low + (high - low) * fraction


def describe_holder() -> str:
    """`user@host:pid` of this process, escaped and bounded, for people."""
    user = one_line(_user(), HOLDER_LIMIT // 3, "unknown")
    host = one_line(os.uname().nodename, HOLDER_LIMIT // 3, "unknown")
    return f"{user}@{host}:{os.getpid()}"


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end: raised in the main thread, so that what is held is given back on the way
    out."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


@contextmanager
def handle_signals() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP raise Interrupted as Ctrl-C raises KeyboardInterrupt: the first and every
    further one, so that a clean-up which hangs can be interrupted too. A signal that the caller had us ignore (nohup)
    stays ignored. Outside of the main thread, where handlers cannot be set, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None: a handler that was not set from Python, which could not be put back.
    watched = [number for number in STOP_SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, _interrupt) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


def _user() -> str:
    for name in ("LOGNAME", "USER"):
        if os.environ.get(name):
            return os.environ[name]
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@cache
def _boot_id() -> str:
    """The kernel's name for this boot, with the time namespace beside it: a container may shift CLOCK_BOOTTIME. Where
    the kernel has no such name, a random one, which makes every kept observation void: later, never wrong."""
    return _linux_boot_id() or _bsd_boot_id() or RealRandom().token()


def _linux_boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    try:
        namespace = f"-{Path('/proc/self/ns/time').stat().st_ino}"
    except OSError:
        namespace = ""  # kernels before 5.6 have none
    return boot and boot + namespace


def _bsd_boot_id() -> str:
    for name in ("kern.bootsessionuuid", "kern.boot_id"):
        try:
            found = subprocess.run(["sysctl", "-n", name], capture_output=True, check=False, timeout=5.0)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.decode("ascii", "replace").strip()
    return ""
