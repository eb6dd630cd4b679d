"""What configuration means. A failure here lands with the wrong gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.core.errors import UsageError
from gitorch.core.names import Namespace
from gitorch.core.settings import Entry, Rebase, Settings, gate_digest
from gitorch.shell.gitcmd import Git
from gitorch.shell.repository import read_shared
from tests.support import git, make_alone


def layer(origin: str = ".git/config", /, **values: str | list[str]) -> dict[str, list[Entry]]:
    """Entries of one place: `gateTimeout="5"` is `orch.gateTimeout`."""
    return {
        f"orch.{key.lower()}": [Entry(text, origin) for text in ([value] if isinstance(value, str) else value)]
        for key, value in values.items()
    }


def local(**values: str | list[str]) -> Settings:
    return Settings(layer(**values))


def test_without_configuration_the_defaults_hold() -> None:
    nothing = Settings()
    assert (nothing.lease_ttl_s, nothing.max_attempts, nothing.poll_interval_s) == (300, 3, 5)
    assert (nothing.rebase, nothing.target, nothing.keep_ignored) == (Rebase.ALWAYS, None, False)
    assert nothing.gate() is None
    assert nothing.namespace == Namespace("refs/orch")


def test_the_clone_wins_over_the_file_of_the_target_key_by_key() -> None:
    both = Settings(layer(leaseTTL="10"), layer(".gitorch of main", leaseTTL="20", rebase="when-behind"))
    assert both.lease_ttl_s == 10
    assert both.rebase is Rebase.WHEN_BEHIND


def test_the_last_of_several_values_counts_and_keys_ignore_case() -> None:
    settings = local(leaseTTL=["10", "20"])
    assert settings.lease_ttl_s == settings.seconds("ORCH.leasettl", 1) == 20


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "1.5", "1e3", " 5", "5s", "31536001", "9" * 13, "٣"])
def test_a_duration_that_makes_no_sense_is_refused_with_its_key_and_place(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = local(leaseTTL=text).lease_ttl_s
    assert "orch.leaseTTL in .git/config must be a whole number from 1 to 31536000" in caught.value.message


@pytest.mark.parametrize(("text", "value"), [("true", True), ("YES", True), ("1", True), ("off", False), ("0", False)])
def test_a_flag_takes_the_words_that_git_takes(text: str, value: bool) -> None:
    assert local(gateKeepIgnored=text).keep_ignored is value


@pytest.mark.parametrize("key", ["gateKeepIgnored", "rebase", "target", "namespace", "maxAttempts", "pollInterval"])
def test_a_value_that_makes_no_sense_is_never_a_silent_default(key: str) -> None:
    settings = local(**{key: "no such thing"})
    questions: dict[str, Callable[[], object]] = {
        "gateKeepIgnored": lambda: settings.keep_ignored,
        "rebase": lambda: settings.rebase,
        "target": lambda: settings.target,
        "namespace": lambda: settings.namespace,
        "maxAttempts": lambda: settings.max_attempts,
        "pollInterval": lambda: settings.poll_interval_s,
    }
    with pytest.raises(UsageError, match=f"orch.{key}"):
        questions[key]()


@pytest.mark.parametrize("key", ["gateTimeout", "gateRetries"])
def test_a_gate_with_a_limit_that_makes_no_sense_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match=f"orch.{key}"):
        local(gate="true", **{key: "-1"}).gate()


def test_the_namespace_is_never_taken_from_the_target() -> None:
    """It must be known before anything of the target is."""
    assert Settings({}, layer(".gitorch of main", namespace="refs/heads/orch")).namespace.root == "refs/orch"
    assert local(namespace="refs/heads/orch").namespace.root == "refs/heads/orch"


# -- the gate


def test_a_gate_is_all_values_in_order_with_its_place_and_limits() -> None:
    gate = local(gate=["make lint", "make test"], gateTimeout="60", gateRetries="2").gate()
    assert gate is not None
    assert (gate.commands, gate.origin, gate.timeout_s, gate.retries) == (
        ("make lint", "make test"),
        ".git/config",
        60.0,
        2,
    )


def test_a_gate_of_blanks_is_no_gate_and_none_is_an_explicit_one() -> None:
    assert local(gate=["", "  "]).gate() is None
    none = local(gate="none").gate()
    assert none is not None and none.commands == ()
    # Among other commands it is a command like any other: it does not switch them off.
    assert local(gate=["none", "make"]).gate().commands == ("none", "make")  # type: ignore[union-attr]


def test_gates_differ_by_their_text_and_order_alone() -> None:
    one = local(gate=["a", "b"], gateTimeout="5").gate()
    same = Settings({}, layer(".gitorch of main", gate=["a", "b"])).gate()
    other = local(gate=["b", "a"]).gate()
    assert one is not None and same is not None and other is not None
    assert one.digest == same.digest != other.digest


def test_a_gate_of_the_clone_that_differs_from_the_shared_one_is_noticed() -> None:
    shared = layer(".gitorch of main", gate=["a", "b"])
    assert Settings(layer(gate="a"), shared).overrides_shared_gate()
    assert not Settings(layer(gate=["a", "b"]), shared).overrides_shared_gate()
    assert not Settings({}, shared).overrides_shared_gate()
    assert not Settings(layer(gate="a"), {}).overrides_shared_gate()


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize(
    "commands",
    [
        ["make test"],
        ["make lint", "make test"],
        ["", "make test"],
        ["make test", "", ""],
        ["  spaces around  "],
        ["none"],
        ["printf 'a\\n' | grep \"a\"; # not a comment"],
        ["first line\nsecond line"],
        ["tab\there", "bell\\a", "ünïcödé 日本"],
        ["caf\udce9 in latin-1"],
        ["x" * 5000],
    ],
    ids=range(11),
)
def test_a_shell_hook_computes_the_same_digest_of_the_gate(
    tmp_path: Path, commands: list[str], object_format: str
) -> None:
    git(tmp_path, "init", "-q", f"--object-format={object_format}")
    for command in commands:
        git(tmp_path, "config", "--file", ".gitorch", "--add", "orch.gate", command)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "the gate")
    tip = git(tmp_path, "rev-parse", "HEAD")
    text = git(tmp_path, "config", "--blob", f"{tip}:.gitorch", "--get-all", "orch.gate")
    by_hook = git(tmp_path, "hash-object", "--stdin", stdin=text + "\n")
    gate = Settings({}, read_shared(Git(tmp_path), tip, "main")).gate(object_format)
    assert gate is not None
    assert gate.digest == by_hook


def test_a_target_without_the_file_or_with_one_that_git_cannot_read_is_told_apart(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    tip = clone.tip()
    assert tip is not None
    assert read_shared(Git(clone.path), tip, "main") == {}
    bad = clone.commit({".gitorch": "[orch\ngate = x"}, "broken")
    with pytest.raises(UsageError, match=r"\.gitorch at the tip of main"):
        read_shared(Git(clone.path), bad, "main")


def test_the_digest_is_a_blob_id() -> None:
    assert gate_digest([]) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
