"""A repository that is its own remote: a landing there moves somebody's checkout. A failure here means: a file that a
user wrote, committed or not, ignored or not, was overwritten, or work under way was disturbed."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.git.landing import gate_runs, project_alone
from tests.git.prepared import submitted_alone
from tests.git.refusals import assert_no_lease_is_held, refuses
from tests.support import Clone, eventually, try_git


def test_a_dirty_checkout_of_the_target_is_refused_and_untouched(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    clone.write({"shared.txt": "mine\n"})
    says, hint = "with uncommitted changes, which a landing would overwrite", "git stash"
    refuses(clone, "land", "b1", status=16, says=says, hint=hint, untouched=clone)
    refuses(clone, "land", "--all", status=16, says=says, hint=hint, untouched=clone, both=False)
    clone.git("add", "--all")
    refuses(clone, "land", "b1", status=16, says=says, hint=hint, untouched=clone, both=False)
    assert (clone.path / "shared.txt").read_text() == "mine\n"
    clone.git("stash", "-q")
    clone.orch("land", "b1")
    clone.git("stash", "pop", "-q")
    assert (clone.path / "shared.txt").read_text() == "mine\n"


def test_a_checkout_that_becomes_dirty_while_the_gate_runs_is_refused_and_untouched(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    hold, log = tmp_path / "hold", tmp_path / "runs"
    hold.touch()
    env = {"GATE_HOLD": str(hold), "GATE_LOG": str(log)}
    running = clone.start_orch("land", "b1", env=env)
    eventually(lambda: gate_runs(log), "the gate starts")
    clone.write({"shared.txt": "mine\n"})
    main = clone.tip()
    hold.unlink()
    run = running.wait()
    assert (run.status == 16 and "uncommitted changes" in run.err) or "unstaged changes" in run.err, run.said()
    assert (clone.tip(), (clone.path / "shared.txt").read_text()) == (main, "mine\n")
    assert_no_lease_is_held(clone)
    clone.git("checkout", "-q", ".")
    clone.orch("land", "b1", env=env)
    assert len(gate_runs(log)) == 1, "the verdict of the first run still counts"


def test_untracked_and_ignored_files_are_never_overwritten(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path, 2)
    (clone.path / ".git/info/exclude").write_text("src/b2.txt\n")
    clone.write({"src/b1.txt": "untracked\n", "src/b2.txt": "ignored\n"})
    for name in ("b1", "b2"):
        says = f"untracked files are in the way of this landing in {clone.path}: src/{name}.txt"
        refuses(clone, "land", name, status=16, says=says, hint="git status --ignored", untouched=clone)
    assert (clone.path / "src/b1.txt").read_text() == "untracked\n"
    assert (clone.path / "src/b2.txt").read_text() == "ignored\n"
    (clone.path / "src/b1.txt").unlink()
    (clone.path / "src/b2.txt").rename(clone.path / "kept")
    clone.orch("land", "--all")
    assert clone.git("status", "--porcelain") == "?? kept"


def test_a_file_in_place_of_a_folder_and_a_folder_in_place_of_a_file_are_in_the_way(tmp_path: Path) -> None:
    clone = project_alone(tmp_path)
    clone.branch("folder", {"new/inner.txt": "x\n"}, "folder")
    clone.branch("file", {"other": "x\n"}, "file")
    clone.branch("turned", {"shared.txt": None, "shared.txt.d/x": "x\n"}, "turned")
    clone.write({".git/info/exclude": "new\nother\n", "new": "mine\n", "other/inner": "mine\n"})
    for name in ("folder", "file"):
        clone.orch("submit", name)
        refuses(clone, "land", name, status=16, says="in the way", hint="git status", untouched=clone, both=False)
    assert (clone.path / "new").read_text() == (clone.path / "other/inner").read_text() == "mine\n"
    clone.orch("submit", "turned")
    clone.orch("land", "turned")
    assert (clone.path / "shared.txt.d/x").exists() and not (clone.path / "shared.txt").exists()


def test_an_untracked_file_that_nothing_lands_on_is_not_in_the_way(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    clone.write({"src/notes.txt": "mine\n", "new/folder/x": "mine\n"})
    clone.orch("land", "b1")
    assert (clone.path / "src/b1.txt").exists()
    assert (clone.path / "src/notes.txt").read_text() == (clone.path / "new/folder/x").read_text() == "mine\n"


def test_a_jobs_own_branch_that_is_checked_out_dirty_lands_and_stays(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    clone.commit({"src/m.txt": "call base\n"}, "main moves")
    head = clone.tip("b1")
    clone.git("switch", "-q", "b1")
    clone.write({"shared.txt": "mine\n", "new": "mine\n"})
    run = clone.orch("land")
    assert "b1 stays where it is: it is checked out or being rebased here" in run.out
    assert clone.tip("b1") == head and clone.git("rev-parse", "--abbrev-ref", "HEAD") == "b1"
    assert clone.git("status", "--porcelain") == " M shared.txt\n?? new"
    assert "src/b1.txt" in clone.files("main")


def test_the_target_may_be_checked_out_in_another_worktree(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path, 2)
    clone.git("switch", "-q", "-c", "work")
    clone.git("worktree", "add", "-q", "../linked", "main")
    linked = Clone(tmp_path / "linked")
    linked.write({"shared.txt": "mine\n"})
    refuses(clone, "land", "b1", status=16, says=f"checked out at {linked.path} with", hint="stash", untouched=clone)
    linked.git("checkout", "-q", ".")
    clone.orch("land", "b1")
    assert (linked.path / "src/b1.txt").exists() and linked.git("status", "--porcelain") == ""
    shutil.rmtree(linked.path)
    says, hint = f"checked out at {linked.path}, which is gone", "git worktree prune"
    refuses(clone, "land", "b2", status=16, says=says, hint=hint, untouched=clone)
    clone.git("worktree", "prune")
    clone.orch("land", "b2")


def test_a_rebase_or_bisection_under_way_is_not_disturbed(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path, 2)
    clone.commit({"src/m.txt": "call base\n"}, "main moves")
    clone.git("worktree", "add", "-q", "../linked", "b1")
    linked = Clone(tmp_path / "linked")
    stopped = try_git(linked.path, "-c", "sequence.editor=sed -i 1ibreak", "rebase", "-q", "-i", "HEAD~1")
    assert stopped.status == 0, stopped.said()
    before = linked.git("status"), linked.git("rev-parse", "HEAD")
    run = clone.orch("land", "b1")
    assert "b1 stays where it is" in run.out
    assert (linked.git("status"), linked.git("rev-parse", "HEAD")) == before
    linked.git("rebase", "--continue")
    assert linked.git("status", "--porcelain") == ""
    clone.git("bisect", "start", "HEAD", "HEAD~1")
    says = "main is being rebased or bisected in a worktree"
    refuses(clone, "land", "b2", status=16, says=says, hint="git status", untouched=clone)
    clone.git("bisect", "reset")
    clone.orch("land", "b2")


def test_a_merge_under_way_in_the_checkout_of_the_target_is_refused(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    clone.branch("side", {"src/side.txt": "call base\n"}, "side")
    clone.git("merge", "-q", "--no-ff", "--no-commit", "side")
    refuses(clone, "land", "b1", status=16, says="uncommitted changes", hint="stash", untouched=clone, both=False)
    assert clone.git("status", "--porcelain") == "A  src/side.txt"
    clone.git("commit", "-q", "-m", "merged")
    clone.orch("land", "b1")


def test_settings_that_a_repository_has_for_others_do_not_stop_its_own_landings(tmp_path: Path) -> None:
    clone = submitted_alone(tmp_path)
    clone.commit({"src/m.txt": "call base\n"}, "main moves")
    for key, value in (
        ("receive.denyCurrentBranch", "refuse"),
        ("receive.denyNonFastForwards", "true"),
        ("receive.denyDeletes", "true"),
        ("receive.advertiseAtomic", "false"),
        ("receive.fsckObjects", "true"),
        ("core.autocrlf", "true"),
    ):
        clone.git("config", key, value)
    run = clone.orch("land", "b1")
    assert "b1 stays where it is: the remote does not let it be rewritten" in run.out
    assert (clone.path / "src/b1.txt").exists()
