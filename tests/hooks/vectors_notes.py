"""Pushes to the notes."""

from __future__ import annotations

from gitorch.core.model import JobId, LandingRecord
from gitorch.core.verdicts import format_landing
from tests.hooks.vectors import NOTES, Build, several, vector
from tests.hooks.vectors_landing import GATE, Landing
from tests.hooks.world import World

# -- notes

TREE = "1" * 40
GREEN = f"2026-01-01T00:00:00.000Z green tree={TREE} gate={GATE} seconds=1.0"
RED = GREEN.replace(" green ", " red ")


def _notes(before: dict[str, str] | None, after: dict[str, str | bytes]) -> Build:
    def build(w: World) -> None:
        old = None if before is None else w.put(NOTES, w.commit("notes\n", [], w.tree(before)))
        w.push(NOTES, w.commit("notes\n", [old] if old else [], w.tree(after)))

    return build


several(
    "",
    the_first_note=_notes(None, {TREE: GREEN + "\n"}),
    a_note_on_something_else=_notes({TREE: GREEN + "\n"}, {TREE: GREEN + "\n", "2" * 40: "hello\n"}),
    a_line_more=_notes({TREE: GREEN + "\n"}, {TREE: f"{GREEN}\n{RED}\n"}),
    a_line_more_after_an_empty_one=_notes({TREE: GREEN + "\n"}, {TREE: f"{GREEN}\n\n{RED}\n"}),
    a_line_more_without_an_end=_notes({TREE: GREEN}, {TREE: f"{GREEN}\n{RED}"}),
    notes_in_folders=_notes({TREE: GREEN + "\n"}, {f"11/{TREE[2:]}": GREEN + "\n"}),
    notes_in_folders_with_a_line_more=_notes({TREE: GREEN + "\n"}, {f"11/{TREE[2:]}": f"{GREEN}\n{RED}\n"}),
    a_note_in_other_scripts=_notes(None, {TREE: "ünï 日本\n\udcff".encode("utf-8", "surrogateescape")}),
)
several(
    "notes",
    a_line_less=_notes({TREE: f"{GREEN}\n{RED}\n"}, {TREE: GREEN + "\n"}),
    a_line_changed=_notes({TREE: RED + "\n"}, {TREE: GREEN + "\n"}),
    a_line_before_the_others=_notes({TREE: RED + "\n"}, {TREE: f"{GREEN}\n{RED}\n"}),
    a_line_that_is_longer=_notes({TREE: RED}, {TREE: RED + " x\n"}),
    a_note_less=_notes({TREE: GREEN + "\n", "2" * 40: "x\n"}, {TREE: GREEN + "\n"}),
    notes_in_folders_with_a_line_less=_notes({TREE: f"{GREEN}\n{RED}\n"}, {f"11/{TREE[2:]}": GREEN + "\n"}),
    notes_in_folders_and_another_that_is_changed=_notes(
        {TREE: GREEN + "\n", "2" * 40: RED + "\n"}, {f"11/{TREE[2:]}": GREEN + "\n", "2" * 40: GREEN + "\n"}
    ),
    a_note_with_nul=_notes(None, {TREE: b"a\0b\n"}),
    a_note_of_two_megabytes=_notes(None, {TREE: "x" * 2_000_000}),
    a_bypass_that_a_client_writes=_notes(None, {TREE: "2026-01-01T00:00:00.000Z bypass ref=x\n"}),
)


@vector("notes")
def a_note_that_is_a_program(w: World) -> None:
    w.push(NOTES, w.commit("notes\n", [], w.tree({TREE: ("100755", w.blob("x"))})))


@vector("parents")
def notes_that_begin_anew(w: World) -> None:
    w.put(NOTES, w.commit("notes\n", [], w.tree({TREE: GREEN})))
    w.push(NOTES, w.commit("else\n", [], w.tree({TREE: GREEN})))


@vector("deletion")
def deleted_notes(w: World) -> None:
    w.put(NOTES, w.commit("notes\n", [], w.tree({TREE: GREEN})))
    w.push(NOTES, None)


@vector("kind")
def notes_that_are_a_blob(w: World) -> None:
    w.push(NOTES, w.blob("x"))


def _record(made: Landing) -> str:
    return format_landing(
        LandingRecord(job=JobId("a"), target="main", head=made.head, base=made.base, time_ms=0, branch="b")
    )


@vector("")
def a_landing_and_its_record(w: World) -> None:
    made = Landing(w)
    made.push()
    w.push(NOTES, w.commit("notes\n", [], w.tree({made.head: _record(made) + "\n"})))


@vector("notes")
def a_record_of_a_landing_that_is_none(w: World) -> None:
    made = Landing(w)
    w.push(NOTES, w.commit("notes\n", [], w.tree({made.head: _record(made) + "\n"})))


@vector("notes")
def a_record_of_a_landing_on_another_commit(w: World) -> None:
    made = Landing(w)
    made.push()
    w.push(NOTES, w.commit("notes\n", [], w.tree({made.base: _record(made) + "\n"})))
