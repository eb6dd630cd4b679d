"""A sealed world for every test: no configuration, identity, editor, clock zone or language of the machine leaks in."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import GUARDED, THOROUGH

# No limits of time: two busy cores say nothing about the code. Derandomised: a red run is red again. `thorough` is for
# looking for trouble at night: HYPOTHESIS_PROFILE=thorough make test. `mutants` is asked thousands of times.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("suite"), derandomize=False, max_examples=2_000)
settings.register_profile("mutants", settings.get_profile("suite"), max_examples=12)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

# A shell that starts the suite in the background lets it ignore Ctrl-C, and all that it starts with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Author",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
}


SPARSE = {
    "test_hostile_archive.py": 5,
    "test_hostile_refs.py": 4,
    "test_hooks_install.py": 2,
    "test_doctor_config.py": 4,
    "test_doctor_remotes.py": 3,
    "test_crashes.py": 2,
}
"""Of these files every change runs one test in so many: each tells little more than its neighbours, and takes seconds.
`make test-thorough` runs all of them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for `make test-thorough`; and, where `make test-guarded` puts the server's hook in front of
    every remote, what damages the state on purpose."""
    if not THOROUGH and len({item.path for item in items}) > len(SPARSE):
        seen: Counter[str] = Counter()
        kept: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            stride = SPARSE.get(item.path.name, 1)
            (left if seen[item.path.name] % stride else kept).append(item)
            seen[item.path.name] += 1
        config.hook.pytest_deselected(items=left)
        items[:] = kept
    for item in items:
        if GUARDED and item.get_closest_marker("unguarded"):
            item.add_marker(pytest.mark.skip("it writes by hand what a server with the hook would not take"))


@pytest.fixture(autouse=True)
def sealed_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scrub `GIT_*` and `ORCH_*`, give an empty HOME and no configuration but the repository's own. Processes that a
    test starts inherit it."""
    for name in os.environ:
        # Without compiled modules every process that a test starts would compile us anew: three times slower.
        if name.startswith(("GIT_", "ORCH_", "SSH_ASKPASS")) or name == "PYTHONDONTWRITEBYTECODE":
            monkeypatch.delenv(name)
    home = _empty_home(tmp_path_factory)
    sealed = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "false",
        "EDITOR": "false",
        "VISUAL": "false",
        "PAGER": "cat",
        "TZ": "UTC",
        "LC_ALL": "C",
        "LANGUAGE": "",
        **IDENTITY,
    }
    for name, value in sealed.items():
        monkeypatch.setenv(name, value)


def _empty_home(factory: pytest.TempPathFactory) -> Path:
    """One for the whole process: making a directory a test costs more than it protects."""
    home = factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    return home
