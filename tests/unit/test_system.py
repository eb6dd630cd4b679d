"""The real clock, randomness, name and signals of this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from gitorch.core.model import HOLDER_LIMIT, JOB_ID, TOKEN, require_line
from gitorch.ports import Clock, Random
from gitorch.shell.system import Interrupted, RealClock, RealRandom, describe_holder, handle_signals


def test_the_clock_counts_milliseconds_since_1970_and_seconds_since_boot() -> None:
    clock: Clock = RealClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    before = clock.boot_s()
    clock.sleep(0.01)
    clock.sleep(-1)
    assert 0.01 <= clock.boot_s() - before < 10


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts suspended time")
def test_seconds_since_boot_include_suspended_time() -> None:
    assert abs(RealClock().boot_s() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 10


def test_two_processes_of_one_boot_agree_on_its_name_and_time() -> None:
    code = "from gitorch.shell.system import RealClock as C; print(C().boot_id(), C().boot_s())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    clock = RealClock()
    assert other[0] == clock.boot_id()
    assert 0 <= clock.boot_s() - float(other[1]) < 60


def test_tokens_have_128_random_bits() -> None:
    random: Random = RealRandom()
    tokens = {random.token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 32 and TOKEN.fullmatch(token) for token in tokens)


def test_a_short_id_is_a_legal_job_id_that_is_easy_to_read_and_never_looks_like_a_number() -> None:
    ids = {RealRandom().short_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(JOB_ID.fullmatch(one) and re.fullmatch(r"[a-z][a-z0-9]{6}", one) for one in ids)
    assert set("".join(ids)).isdisjoint("01ilou")


def test_every_character_of_a_short_id_is_equally_likely() -> None:
    count = 6000
    ids = [RealRandom().short_id() for _ in range(count)]
    for place in range(7):
        seen = [one[place] for one in ids]
        alphabet = set(seen)
        assert len(alphabet) == (20 if place == 0 else 28)
        expected = count / len(alphabet)
        # Six standard deviations: a fair generator fails once in millions of runs.
        assert all(abs(seen.count(char) - expected) < 6 * expected**0.5 for char in alphabet)


def test_a_uniform_number_stays_in_its_range_and_fills_it() -> None:
    numbers = [RealRandom().uniform(2.0, 3.0) for _ in range(2000)]
    assert all(2.0 <= number < 3.0 for number in numbers)
    assert min(numbers) < 2.05
    assert max(numbers) > 2.95
    assert RealRandom().uniform(0.0, 0.0) == 0.0


@pytest.mark.parametrize("user", ["alice", "", "a\x1b[2Jb\n", "x" * 1000])
def test_a_holder_is_described_in_a_legal_line_that_ends_with_the_process(user: str) -> None:
    code = "import os; from gitorch.shell.system import describe_holder; print(os.getpid(), describe_holder())"
    environ = {**os.environ, "LOGNAME": user, "USER": user}
    said = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True).stdout
    pid, holder = said.rstrip("\n").split(" ", 1)
    require_line("holder", holder, HOLDER_LIMIT)
    assert re.fullmatch(rf"\S.*@\S.*:{pid}", holder)
    assert holder.isprintable()


def test_the_holder_of_this_process_names_this_process() -> None:
    assert describe_holder().endswith(f":{os.getpid()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_stop_raises_like_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as caught, handle_signals():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
    assert isinstance(caught.value, Interrupted)
    assert caught.value.signum == number
    assert signal.getsignal(number) == before


def test_a_second_signal_interrupts_the_clean_up() -> None:
    reached = []
    with pytest.raises(Interrupted), handle_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
        finally:
            reached.append("clean-up")
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
            reached.append("hung")
    assert reached == ["clean-up"]


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with handle_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
