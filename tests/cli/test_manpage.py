"""The manual page: made from the commands, committed, current."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gitorch.cli.describe import Page, Parameter, pages
from gitorch.cli.manpage import main, manual
from gitorch.cli.outcome import CODES
from gitorch.cli.table import COMMANDS
from tests.cli.samples import TABLE

COMMITTED = Path(__file__).parents[2] / "man" / "git-orch.1"


def test_the_committed_page_is_what_the_commands_say(tmp_path: Path) -> None:
    assert main(["--strict", str(tmp_path / "page")]) == 0
    made = (tmp_path / "page").read_text(encoding="utf-8")
    assert made == COMMITTED.read_text(encoding="utf-8"), "the page is stale: run `make man`"


def test_each_command_and_exit_code_is_on_the_page() -> None:
    text = manual(pages(COMMANDS, strict=False)).replace("\\-", "-")
    for page in pages(COMMANDS, strict=False):
        assert f".SS {page.usage}\n" in text
    for name, code in CODES.items():
        assert f"\\fB{code.exit}\\fR ({name})" in text


def test_without_strict_a_command_that_is_missing_is_left_out() -> None:
    from gitorch.cli.table import Command

    table = (*TABLE, Command("ghost", "test", "Haunt", module="tests.cli.samples.ghost"))
    assert [page.words[0] for page in pages(table, strict=False)] == ["echo", "fail", "lamp", "lamp", "lamp"]
    with pytest.raises(ModuleNotFoundError):
        pages(table)


def test_no_text_becomes_a_request_of_roff() -> None:
    option = Parameter(form="--back\\slash", text=".TH x", spellings=("--back",), takes_value=False, choices=())
    page = Page(
        words=("help",),
        summary="",
        usage="git orch help",
        help="'quoted `torn\nword`\n\n.so /etc/passwd\n\n\b\n.kept\n  as is",
        tail="",
        parameters=(option,),
    )
    lines = manual((page,)).splitlines()
    assert "\\&'quoted \\fBtorn word\\fR" in lines
    assert lines[lines.index(".nf") :][:4] == [".nf", "\\&.kept", "  as is", ".fi"]
    assert "\\&.so /etc/passwd" in lines
    assert "\\&.TH x" in lines
    assert "\\fB\\-\\-back\\eslash\\fR" in lines


def test_a_wrong_call_of_the_generator_says_how_to_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: ")


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_finds_nothing_to_warn_about() -> None:
    page = manual(pages(COMMANDS, strict=False))
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tascii"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
