"""Configuration that makes no sense, or that somebody has for other purposes. A failure here means: a setting was
guessed at, or something that the user configured for plain git got in our way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.git.landing import add_branches, project
from tests.git.prepared import submitted
from tests.git.refusals import assert_no_lease_is_held, refuses, states
from tests.support import Clone, Remote

GATE = "[orch]\n\tgate = ./gate.sh\n"


def shared(tmp_path: Path, content: str | bytes) -> tuple[Remote, Clone]:
    """A remote with this `.gitorch`, and a clone with the submitted branch b1."""
    remote, clone = submitted(tmp_path, behind=False)
    clone.commit({".gitorch": content}, "other settings")
    clone.push("main")
    return remote, clone


@pytest.mark.parametrize(
    "content",
    [
        "[orch\n\tgate = true\n",
        bytes(range(256)),
        b"[orch]\n\tgate = true\x00 && make test\n",
        "[orch]\n\tgate = true\n[include]\n\tpath = /etc/passwd\n",
    ],
    ids=["malformed", "binary", "nul", "include"],
)
def test_a_shared_file_that_git_cannot_read_whole_stops_landing(tmp_path: Path, content: str | bytes) -> None:
    remote, clone = shared(tmp_path, content)
    says, hint = ".gitorch at the tip of main is not a configuration file", "git show main:.gitorch"
    refuses(clone, "land", "b1", status=2, says=says, hint=hint, untouched=remote, both=False)
    assert says in clone.orch("doctor", check=1).out


@pytest.mark.parametrize("kind", ["folder", "link", "submodule"])
def test_a_shared_file_that_is_no_file_stops_landing(tmp_path: Path, kind: str) -> None:
    remote, clone = submitted(tmp_path, behind=False)
    clone.git("rm", "-q", ".gitorch")
    if kind == "folder":
        clone.commit({".gitorch/config": GATE}, "folder")
    elif kind == "link":
        (clone.path / ".gitorch").symlink_to("gate.sh")
        clone.commit({}, "link")
    else:
        clone.git("update-index", "--add", "--cacheinfo", f"160000,{clone.tip()},.gitorch")
        clone.git("commit", "-q", "-m", "submodule")
    clone.push("main")
    says = ".gitorch at the tip of main is not a configuration file"
    for command in (("land", "b1"), ("init",)):
        refuses(clone, *command, status=2, says=says, hint="git show", untouched=remote, both=False)


def test_a_shared_file_may_hold_what_we_do_not_know_and_cannot_configure_git(tmp_path: Path) -> None:
    content = (
        GATE.replace("\n", "\r\n") + "\tbanana = 1\n\ttarget = a..b\n[core]\n\tsshCommand = touch pwned\n[x]\n\ty\n"
    )
    remote, clone = shared(tmp_path, content)
    clone.orch("land", "b1")
    assert "src/b1.txt" in remote.files() and not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("key", "value", "must"),
    [
        ("leaseTTL", "banana", "a whole number from 1"),
        ("gateTimeout", "0", "a whole number from 1"),
        ("gateRetries", "-1", "a whole number from 0 to 100"),
        ("maxAttempts", "x", "a whole number from 0"),
        ("rebase", "sometimes", "always or when-behind"),
        ("gateKeepIgnored", "perhaps", "true or false"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_before_anything_is_done(
    tmp_path: Path, key: str, value: str, must: str
) -> None:
    remote, clone = shared(tmp_path, f"{GATE}\t{key} = {value}\n")
    says, hint = f"orch.{key} in .gitorch of main must be {must}", f"git config orch.{key} VALUE"
    refuses(clone, "land", "b1", status=2, says=says, hint=hint, untouched=remote, both=key == "leaseTTL")
    if key == "leaseTTL":
        clone.git("config", "orch.leaseTTL", "7")
        clone.orch("land", "b1")
        assert "src/b1.txt" in remote.files(), "the clone's own configuration wins, and follows the hint"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("orch.leaseTTL", "banana", "orch.leaseTTL in file:.git/config must be a whole number"),
        ("orch.target", "a..b", "orch.target in file:.git/config must be the name of a branch"),
        ("orch.namespace", "refs/heads", "the namespace must be a folder below refs/"),
        ("orch.pollInterval", "-1", "orch.pollInterval in file:.git/config must be a whole number"),
    ],
)
def test_a_value_of_the_clone_that_makes_no_sense_is_named_with_its_place(
    tmp_path: Path, key: str, value: str, says: str
) -> None:
    remote, clone = submitted(tmp_path)
    clone.git("config", key, value)
    refuses(clone, "land", "b1", status=2, says=says, hint=f"git config {key}", untouched=remote, both=False)


def test_configuration_for_plain_git_does_not_get_in_the_way(tmp_path: Path) -> None:
    remote = project(tmp_path)
    clone = remote.clone("a")
    add_branches(clone, 2)
    clone.git("tag", "-a", "-m", "x", "v1", "b1")
    for setting in (
        "push.followTags=true",
        "push.default=nothing",
        "push.recurseSubmodules=check",
        "remote.pushDefault=nowhere",
        "remote.origin.tagOpt=--tags",
        "remote.origin.push=refs/heads/*:refs/heads/copies/*",
        "fetch.prune=true",
        "fetch.writeCommitGraph=true",
        "fetch.recurseSubmodules=true",
        "pull.rebase=true",
        "merge.conflictStyle=diff3",
        "rebase.autoStash=true",
        "rebase.autoSquash=true",
        "rebase.updateRefs=true",
        "core.autocrlf=true",
        "core.pager=false",
        "core.quotePath=false",
        "core.fsmonitor=true",
        "core.abbrev=4",
        "core.commentChar=x",
        "color.ui=always",
        "log.showSignature=true",
        "format.pretty=oneline",
        "status.short=true",
        "diff.noprefix=true",
        "diff.external=false",
        "commit.template=/nowhere",
        "i18n.logOutputEncoding=latin1",
        "submodule.recurse=true",
        "feature.manyFiles=true",
        "gc.auto=1",
        *(f"alias.{word}=!false" for word in ("fetch", "push", "rebase", "log", "status", "config")),
    ):
        clone.git("config", *setting.split("=", 1))
    clone.orch("submit", "b1")
    clone.orch("submit", "b2")
    clone.orch("land", "--all")
    assert set(remote.refs("refs/tags")) == set(), "tags do not follow"
    assert set(remote.refs("refs/heads")) == {"refs/heads/main", "refs/heads/b1", "refs/heads/b2"}
    assert states(remote) == {"done"}


@pytest.mark.parametrize("value", ["true", "if-asked"])
def test_a_wish_for_signed_pushes_does_not_stop_those_to_a_remote_that_does_not_know_them(
    tmp_path: Path, value: str
) -> None:
    remote, clone = submitted(tmp_path)
    clone.git("config", "push.gpgSign", value)
    clone.orch("land", "b1")
    assert "src/b1.txt" in remote.files()


@pytest.mark.parametrize("settings", [(), ("gpg.format=ssh", "user.signingKey=/nowhere")], ids=["gpg", "ssh"])
def test_a_commit_that_must_be_signed_and_cannot_be_is_not_landed_unsigned(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    remote, clone = submitted(tmp_path)
    for setting in ("commit.gpgSign=true", *settings):
        clone.git("config", *setting.split("=", 1))
    hint = "git config --show-origin"
    refuses(clone, "land", "b1", status=1, says="could not be signed", hint=hint, untouched=remote)
    clone.git("config", "commit.gpgSign", "false")
    clone.orch("land", "b1")
    assert_no_lease_is_held(remote)
