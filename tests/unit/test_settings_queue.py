"""What the configuration of the queue means. A failure here gives claims the wrong length, or more of them than were
allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitorch.core.errors import UsageError
from gitorch.core.model import SLOT_LIMIT
from gitorch.core.settings import Entry, Settings


def local(key: str, value: str) -> Settings:
    return Settings({key.lower(): [Entry(value, ".git/config")]})


QUESTIONS: dict[str, Callable[[Settings], object]] = {
    "orch.claimTTL": lambda settings: settings.claim_ttl_s,
    "orch.workerTTL": lambda settings: settings.worker_ttl_s,
    "orch.maxConcurrency": lambda settings: settings.max_concurrency,
    "orch.missingDependency": lambda settings: settings.missing_holds,
    "orch.jobCommands": lambda settings: settings.job_commands,
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("orch.claimTTL", 86_400),
        ("orch.workerTTL", 300),
        ("orch.maxConcurrency", 0),
        ("orch.missingDependency", False),
        ("orch.jobCommands", True),
    ],
)
def test_without_configuration_the_defaults_of_the_queue_hold(key: str, value: object) -> None:
    assert QUESTIONS[key](Settings()) == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("orch.claimTTL", "1", 1),
        ("orch.workerTTL", "31536000", 31_536_000),
        ("orch.maxConcurrency", "0", 0),
        ("orch.maxConcurrency", str(SLOT_LIMIT), SLOT_LIMIT),
        ("orch.missingDependency", "closed", True),
        ("orch.missingDependency", "open", False),
        ("orch.jobCommands", "no", False),
    ],
)
def test_what_is_configured_counts_in_the_clone_and_in_the_shared_file(key: str, text: str, value: object) -> None:
    here = local(key, text)
    assert QUESTIONS[key](here) == value
    assert QUESTIONS[key](Settings(shared=here.local)) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("orch.claimTTL", "0"),
        ("orch.claimTTL", "1h"),
        ("orch.workerTTL", "31536001"),
        ("orch.maxConcurrency", "-1"),
        ("orch.maxConcurrency", str(SLOT_LIMIT + 1)),
        ("orch.missingDependency", "Closed"),
        ("orch.missingDependency", ""),
        ("orch.jobCommands", "maybe"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key_and_place(key: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"{key} in .git/config must be "):
        QUESTIONS[key](local(key, text))
