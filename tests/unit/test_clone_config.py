"""What `git config` lists, judged. A failure here warns of what is harmless, keeps quiet about what is not, or tells
people to type what does not help."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitorch.core.clone_config import (
    COMMAND_LINE,
    clone_troubles,
    harmless,
    parse_config,
    server_troubles,
    url_troubles,
)
from gitorch.core.names import Namespace
from gitorch.core.settings import Entries
from gitorch.core.text import quoted

NAMES = Namespace()


def config(*rows: str, scope: str = "local", origin: str = "file:.git/config") -> Entries:
    """Rows of `key=value`, as git lists them."""
    return parse_config("".join(f"{scope}\0{origin}\0{row.replace('=', chr(10), 1)}\0" for row in rows).encode())


@pytest.mark.parametrize(
    ("scope", "origin", "option"),
    [
        ("local", "file:.git/config", ""),
        ("local", "file:config", ""),
        ("worktree", "file:/a/.git/config.worktree", "--worktree"),
        ("global", "file:/h/.gitconfig", "--global"),
        ("global", "file:/h/.config/git/config", "--file /h/.config/git/config"),
        ("local", "file:.git/../shared ones", "--file '.git/../shared ones'"),
        ("system", "file:/etc/gitconfig", "--file /etc/gitconfig"),
        ("command", "command line:", COMMAND_LINE),
    ],
)
def test_each_entry_knows_how_its_file_is_changed(scope: str, origin: str, option: str) -> None:
    assert config("a.b=c", scope=scope, origin=origin)["a.b"][0].origin == option


def test_a_key_without_a_value_is_true_and_an_empty_value_is_not() -> None:
    assert list(clone_troubles(config("remote.origin.mirror"), "origin", NAMES))
    for value in ("", "false", "no", "off", "0", "FALSE"):
        assert not list(clone_troubles(config(f"remote.origin.mirror={value}"), "origin", NAMES)), value


@pytest.mark.parametrize(
    ("refspec", "bad"),
    [
        ("+refs/heads/*:refs/remotes/origin/*", False),
        ("refs/orch/*", False),
        ("^refs/orch/*", False),
        ("+refs/orchard/*:refs/orchard/*", False),
        ("+refs/notes/*:refs/notes/*", False),
        ("+refs/orch*:refs/orch*", True),
        ("+refs/orch/jobs/x:refs/orch/jobs/x", True),
        ("*:*", True),
    ],
)
def test_a_fetch_refspec_is_judged_by_what_it_writes_here(refspec: str, bad: bool) -> None:
    found = list(clone_troubles(config(f"remote.origin.fetch={refspec}"), "origin", NAMES))
    assert bool(found) == bad, found


def test_the_own_setting_of_a_remote_decides_about_pruning() -> None:
    assert not list(harmless(config("fetch.prune=true", "remote.origin.prune=false"), "origin"))
    assert list(harmless(config("fetch.prune=false", "remote.origin.prune=true"), "origin"))


def test_the_last_entry_about_a_ref_decides_whether_it_is_hidden() -> None:
    hidden = config("transfer.hiderefs=!refs/orch", "transfer.hiderefs=refs/orch")
    assert len(list(server_troubles(hidden, NAMES))) == 1
    shown = config("transfer.hiderefs=refs/orch", "receive.hiderefs=!refs/orch", "uploadpack.hiderefs=!refs/orch")
    assert not list(server_troubles(shown, NAMES))


def test_no_url_is_named() -> None:
    urls = ("https://ada:s3cr3t@example.org/r", "https://ada:s3cr3t@example.com/r")
    found = [
        *url_troubles({}, "origin", urls[0], urls),
        *url_troubles(config("remote.origin.pushurl=x"), "origin", urls[0], urls[1:]),
    ]
    assert len(found) == 2 and "s3cr3t" not in str(found)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_quoted_word_is_one_word_for_a_shell(word: str) -> None:
    assert shlex.split(quoted(word)) == [word]
