"""`git orch hooks`: ours is put beside a hook that is there, and everything is as before when it is taken away.

Scripts that note what they got stand in for the hooks that this program brings: what those check is told elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.core.errors import OrchError
from gitorch.core.hookplan import CLIENT, NAMES, SERVER, STRICT, chain_script, shared_mode
from gitorch.shell.hookfiles import HookFiles, Place, clone_place, server_place
from gitorch.shell.repository import open_repository
from tests.git.killing import kill_everywhere
from tests.support import Run, make_remote, try_git

NAME = "pre-push"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
NOTE = 'printf "%s %s\\n" {who} "$*" >> "$(dirname "$0")/log"; cat >> "$(dirname "$0")/log"\n'


def script(name: str, text: str = NOTE.format(who="ours")) -> str:
    return f"#!/bin/sh\n# git-orch-hook: {name}\n{text}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of scripts as this program brings them."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(script(name))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "hooks"
    made.mkdir()
    return made


@pytest.fixture
def files(folder: Path, source: Path) -> HookFiles:
    return HookFiles(Place(folder), source)


def put(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def earlier(folder: Path, text: str = NOTE.format(who="theirs"), mode: int = 0o755) -> Path:
    return put(folder / NAME, "#!/bin/sh\n" + text, mode)


def listing(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file: mode and content, or where a link leads."""
    found = {}
    for path in folder.iterdir():
        info = path.lstat()
        found[path.name] = (info.st_mode, str(path.readlink()) if path.is_symlink() else path.read_text())
    return found


def call(folder: Path, stdin: bytes = b"a b c d\n", *args: str, by: str | None = None) -> Run:
    """Run the hook as git does; `by` another shell than sh."""
    command = [str(folder / NAME), *args]
    if by is not None:
        command = [*(["busybox", "sh"] if by == "busybox" else [by]), *command]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def state(files: HookFiles, name: str = NAME) -> tuple[str, bool]:
    hook = files.look(name)
    return hook.state, hook.chained


def test_alone_the_hook_is_our_script_itself(folder: Path, files: HookFiles, source: Path) -> None:
    assert state(files) == ("absent", False)
    files.install(CLIENT)
    assert (folder / NAME).read_bytes() == (source / NAME).read_bytes()
    assert (folder / NAME).stat().st_mode & 0o777 == 0o755
    assert state(files) == ("current", False)
    before = listing(folder)
    assert files.install(CLIENT)[0].steps == (), "twice is the same as once"
    assert listing(folder) == before
    files.uninstall(CLIENT)
    assert listing(folder) == {}
    assert files.uninstall(CLIENT)[0].steps == ()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("stdin", [b"", b"a b c d\n", b"one\n two \\n\\\\ %s \n\n\xff\xfe\tlast", b"x\n" * 3000])
def test_an_earlier_hook_runs_first_and_both_get_the_same(
    folder: Path, files: HookFiles, shell: str, stdin: bytes
) -> None:
    earlier(folder)
    files.install(CLIENT)
    assert state(files) == ("current", True)
    run = call(folder, stdin, "origin", "a  b", "*", by=shell)
    assert run.status == 0 and run.err == "", run.said()
    assert (folder / "log").read_bytes() == b"theirs origin a  b *\n" + stdin + b"ours origin a  b *\n" + stdin


@pytest.mark.parametrize("shell", SHELLS)
def test_an_earlier_hook_that_refuses_is_obeyed_and_ours_is_not_run(folder: Path, files: HookFiles, shell: str) -> None:
    earlier(folder, "exit 42\n")
    files.install(CLIENT)
    run = call(folder, b"line\n" * 50_000, by=shell)
    assert (run.status, run.err) == (42, ""), "that it reads nothing is no matter either"
    assert not (folder / "log").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_our_refusal_is_passed_on(folder: Path, files: HookFiles, source: Path, shell: str) -> None:
    (source / NAME).write_text(script(NAME, "exit 7\n"))
    earlier(folder)
    files.install(CLIENT)
    assert call(folder, by=shell).status == 7


def test_after_the_fact_ours_runs_although_an_earlier_hook_failed(
    folder: Path, files: HookFiles, tmp_path: Path
) -> None:
    put(folder / "post-receive", "#!/bin/sh\nexit 5\n")
    files.install(SERVER)
    done = subprocess.run([str(folder / "post-receive")], input=b"x\n", check=False)
    assert done.returncode == 5
    assert (folder / "log").read_text() == "ours \nx\n"


def test_the_chain_is_plain_shell_and_starts_nothing_of_its_own(folder: Path, files: HookFiles) -> None:
    put(folder / NAME, "#!/bin/sh\n:\n")
    files.install(CLIENT)
    put(folder / "git-orch-pre-push", "#!/bin/sh\nexit 9\n")
    done = subprocess.run(
        ["/bin/sh", str(folder / NAME)], input=b"a\n", env={"PATH": "/nonexistent"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (9, b"")
    for shell in SHELLS:
        words = [shell, "sh"] if shell == "busybox" else [shell]
        assert subprocess.run([*words, "-n"], input=chain_script(NAME), check=False).returncode == 0


def test_a_push_runs_both(tmp_path: Path, source: Path) -> None:
    clone = make_remote(tmp_path).clone("a")
    clone.hook(NAME, 'echo "theirs $1" >&2; cat >&2\n')
    (source / NAME).write_text(script(NAME, 'echo "ours $1" >&2; cat >&2; exit 1\n'))
    HookFiles(clone_place(open_repository(clone.path)), source).install(CLIENT)
    clone.branch("topic", {"new": "new\n"}, "New")
    run = try_git(clone.path, "push", "origin", "topic")
    assert run.status != 0
    line = f"refs/heads/topic {clone.tip('topic')} refs/heads/topic {'0' * 40}\n"
    assert f"theirs origin\n{line}ours origin\n{line}" in run.err


def test_uninstalling_brings_back_bytes_mode_and_symbolic_link(folder: Path, files: HookFiles) -> None:
    earlier(folder, "echo theirs \x01 \n", mode=0o750)
    before = listing(folder)
    number = (folder / NAME).stat().st_ino
    files.install(CLIENT)
    files.uninstall(CLIENT)
    assert listing(folder) == before
    assert (folder / NAME).stat().st_ino == number
    (folder / NAME).unlink()
    put(folder / "shared.sh", "#!/bin/sh\nexit 3\n")
    (folder / NAME).symlink_to("shared.sh")
    before = listing(folder)
    files.install(CLIENT)
    assert call(folder).status == 3
    assert (folder / "pre-push.before-git-orch").is_symlink()
    files.uninstall(CLIENT)
    assert listing(folder) == before


def test_an_earlier_hook_that_git_ignores_stays_ignored(folder: Path, files: HookFiles) -> None:
    earlier(folder, "exit 1\n", mode=0o644)
    before = listing(folder)
    files.install(CLIENT)
    assert call(folder).status == 0
    assert (folder / "log").read_text().startswith("ours")
    (folder / "log").unlink()
    files.uninstall(CLIENT)
    assert listing(folder) == before


@pytest.mark.parametrize("chained", [False, True])
def test_an_older_copy_of_ours_is_replaced_in_place(
    folder: Path, files: HookFiles, source: Path, chained: bool
) -> None:
    if chained:
        earlier(folder)
    files.install(CLIENT)
    (source / NAME).write_text(script(NAME, "exit 8\n"))
    assert state(files) == ("outdated", chained)
    assert files.install(CLIENT)[0].kept == []
    assert state(files) == ("current", chained)
    assert call(folder).status == 8
    assert not list(folder.glob("*edited*"))


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("away", [False, True])
def test_a_hook_of_ours_that_somebody_edited_is_kept(folder: Path, files: HookFiles, chained: bool, away: bool) -> None:
    if chained:
        earlier(folder, "exit 6\n")
    files.install(CLIENT)
    mine = folder / ("git-orch-pre-push" if chained else NAME)
    text = script(NAME, "echo mine\n")
    mine.write_text(text)
    assert state(files) == ("edited", chained)
    (change,) = files.uninstall(CLIENT) if away else files.install(CLIENT)
    assert change.kept == [f"{mine.name}.git-orch-edited"]
    assert (folder / change.kept[0]).read_text() == text
    assert state(files) == (("other" if chained else "absent", False) if away else ("current", chained))
    put(folder / NAME, script(NAME, "echo again\n"))
    assert files.uninstall(CLIENT)[0].kept == ["pre-push.git-orch-edited" if chained else "pre-push.git-orch-edited-2"]


def test_a_hook_of_ours_that_lost_its_permission_is_repaired(folder: Path, files: HookFiles) -> None:
    files.install(CLIENT)
    (folder / NAME).chmod(0o644)
    assert state(files)[0] == "disabled"
    files.install(CLIENT)
    assert state(files)[0] == "current"


def test_two_hooks_of_others_are_not_chosen_between(folder: Path, files: HookFiles) -> None:
    earlier(folder)
    put(folder / "pre-push.before-git-orch", "#!/bin/sh\n: another\n")
    before = listing(folder)
    with pytest.raises(OrchError) as refused:
        files.install((*CLIENT, *SERVER))
    assert "pre-push.before-git-orch" in refused.value.message
    assert listing(folder) == before, "nothing else was begun"
    assert files.uninstall(CLIENT)[0].steps == ()


def test_a_hook_that_took_the_place_of_the_chain_is_left_alone(folder: Path, files: HookFiles) -> None:
    earlier(folder)
    files.install(CLIENT)
    (folder / NAME).unlink()
    earlier(folder, ": new\n")
    with pytest.raises(OrchError):
        files.install(CLIENT)
    files.uninstall(CLIENT)
    assert sorted(listing(folder)) == [NAME, "pre-push.before-git-orch"]


def test_a_chain_whose_earlier_hook_was_deleted_becomes_our_script(folder: Path, files: HookFiles) -> None:
    earlier(folder)
    files.install(CLIENT)
    (folder / "pre-push.before-git-orch").unlink()
    files.install(CLIENT)
    assert sorted(listing(folder)) == [".git-orch-installed", NAME]
    assert state(files) == ("current", False)


@pytest.mark.parametrize("kind", ["alone", "file", "link", "edited"])
@pytest.mark.parametrize("again", ["install", "uninstall"])
def test_killed_at_any_step_the_next_call_ends_where_it_should(
    tmp_path: Path, source: Path, kind: str, again: str
) -> None:
    template = prepared(tmp_path / "template", kind)
    wanted = Path(shutil.copytree(template, tmp_path / "wanted", symlinks=True))
    HookFiles(Place(wanted), source).install(CLIENT)
    installed = Path(shutil.copytree(wanted, tmp_path / "installed", symlinks=True))
    if again == "uninstall":
        HookFiles(Place(wanted), source).uninstall(CLIENT)
    for first, start in (("install", template), ("uninstall", installed)):
        for copy in interrupted(tmp_path / f"{first}-{again}", start, source, first):
            if kind in ("file", "link"):
                assert call(copy).status == 3, "git runs the earlier hook all the time"
            getattr(HookFiles(Place(copy), source), again)(CLIENT)
            assert same(copy, wanted), f"{first}, {again}"


def prepared(folder: Path, kind: str) -> Path:
    """A folder with a hook of others, an edited one of ours, or none."""
    folder.mkdir()
    if kind == "link":
        put(folder / "target.sh", "#!/bin/sh\nexit 3\n")
        (folder / NAME).symlink_to("target.sh")
    elif kind == "file":
        earlier(folder, "exit 3\n")
    elif kind == "edited":
        put(folder / NAME, script(NAME, "echo mine\n"))
    return folder


def interrupted(where: Path, start: Path, source: Path, first: str) -> Iterator[Path]:
    """Copies of a folder in which a call was killed, each a step further."""
    where.mkdir()
    copy = Path(shutil.copytree(start, where / "0", symlinks=True))
    turn = iter(range(1, 100))

    def work() -> None:
        getattr(HookFiles(Place(copy), source), first)(CLIENT)

    for _ in kill_everywhere(work):
        yield copy
        copy = Path(shutil.copytree(start, where / str(next(turn)), symlinks=True))


def same(folder: Path, wanted: Path) -> bool:
    return listing(folder) == listing(wanted)


def test_what_a_killed_call_left_half_written_goes(folder: Path, files: HookFiles) -> None:
    (folder / ".git-orch-new-abc").write_text("half")
    files.install(CLIENT)
    assert sorted(listing(folder)) == [".git-orch-installed", NAME]


def test_pre_commit_runs_ours_as_the_hook_that_was_there(folder: Path, files: HookFiles) -> None:
    theirs = "# File generated by pre-commit: https://pre-commit.com\nexit 0\n"
    earlier(folder, theirs)
    files.install(CLIENT)
    assert (folder / NAME).read_text() == "#!/bin/sh\n" + theirs
    assert state(files) == ("current", True)
    assert files.look(NAME).front_name == "pre-push.legacy"
    files.uninstall(CLIENT)
    assert listing(folder).keys() == {NAME}
    (folder / NAME).unlink()
    earlier(folder, "exit 4\n")
    files.install(CLIENT)
    (folder / NAME).rename(folder / "pre-push.legacy")
    earlier(folder, theirs)
    assert state(files) == ("current", True), "pre-commit moved the chain, as it does when it is installed later"
    files.uninstall(CLIENT)
    assert (folder / "pre-push.legacy").read_text() == "#!/bin/sh\nexit 4\n"


def test_a_hook_that_calls_ours_is_enough(folder: Path, files: HookFiles) -> None:
    earlier(folder, '# git orch hooks run pre-push\ngit orch hooks run pre-push-x "$@"\n')
    assert state(files) == ("other", False)
    earlier(folder, 'git orch hooks run pre-push "$@" && make lint\n')
    before = listing(folder)
    assert state(files) == ("other", True)
    files.install(CLIENT)
    assert listing(folder) == before


def test_the_hooks_of_a_server_are_two_and_three_when_strict(tmp_path: Path, source: Path) -> None:
    remote = make_remote(tmp_path)
    clone = remote.clone("a")
    files = HookFiles(server_place(remote.path), source)
    files.install((*SERVER, *STRICT))
    clone.branch("topic", {"new": "new\n"}, "New")
    clone.push("topic")
    assert (remote.path / "hooks" / "log").read_text().count("refs/heads/topic") >= 3
    assert {name: state(files, name) for name in NAMES} == {
        "pre-push": ("absent", False),
        **dict.fromkeys((*SERVER, *STRICT), ("current", False)),
    }


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (None, 0o755),
        ("umask", 0o755),
        ("group", 0o775),
        ("1", 0o775),
        ("world", 0o775),
        ("0660", 0o770),
        ("0640", 0o750),
    ],
)
def test_the_mode_follows_how_the_repository_is_shared(
    folder: Path, source: Path, value: str | None, mode: int
) -> None:
    HookFiles(Place(folder, mode=shared_mode(value)), source).install(CLIENT)
    assert (folder / NAME).stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else takes root")
def test_a_folder_that_may_not_be_changed_is_explained(folder: Path, files: HookFiles, tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path.name.startswith("pytest"):
            path.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            files.install(CLIENT)
        except OrchError as problem:
            os._exit(0 if "cannot be changed: Permission denied" in problem.message else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert listing(folder) == {}
