"""The server's hooks as they are installed, by real pushes: refusals, the way around, its trace, notifications."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.support import Clone, Remote, Run, eventually, try_git

HOOKS = Path(__file__).parents[2] / "hooks"
pytestmark = pytest.mark.unguarded


def served(tmp_path: Path, *options: str) -> tuple[Remote, Clone]:
    """A remote with the hooks, and a clone with a branch `one` that is submitted."""
    remote = project(tmp_path)
    remote.git("config", "receive.advertisePushOptions", "true")
    clone = remote.clone("a")
    clone.orch("hooks", "install", "--server", str(remote.path), *options)
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    clone.orch("submit", "one")
    return remote, clone


def push(clone: Clone, *words: str) -> Run:
    return try_git(clone.path, "push", "origin", *words)


def word(run: Run) -> str:
    """The word of the refusal."""
    found = re.search(r"\[([a-z-]+)\]\s*$", run.err, re.MULTILINE)
    assert run.status != 0 and found is not None, run.said()
    return found[1]


def test_work_lands_through_the_hook_and_by_no_other_way(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    before = remote.tip()
    run = push(clone, "one:main")
    assert word(run) == "no-lease" and "hint: git orch submit, then git orch land" in run.err
    assert word(push(clone, "+one:main")) == "no-lease"
    assert word(push(clone, ":main")) == "target-deleted"
    assert word(push(clone, "--mirror")) in ("deletion", "unknown-ref", "target-deleted")
    assert remote.tip() == before
    clone.orch("land", "one")
    assert remote.tip() == clone.git("rev-parse", "one")
    assert word(push(clone, f"+{before}:main")) == "not-fast-forward"


def test_a_weaker_gate_of_ones_own_bounces(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    before = remote.tip()
    clone.git("config", "orch.gate", "true")
    run = clone.orch("land", "one", check=16)
    assert "another gate than the one that the target defines" in run.err
    assert remote.tip() == before


def test_other_branches_and_tags_need_no_process(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    clone.git("tag", "v1")
    assert push(clone, "one:free", "v1").status == 0
    assert push(clone, "+main:free").status == push(clone, ":free").status == 0
    # What `.gitorch` says is known by now, so nothing is left to ask git: there is none to be found.
    lines = f"{'0' * 40} {'1' * 40} refs/heads/free\n"
    for hook in ("pre-receive", "post-receive", "reference-transaction"):
        done = subprocess.run(
            ["/bin/sh", str(HOOKS / hook), "prepared"],
            cwd=remote.path,
            input=lines.encode(),
            env={"PATH": "/nonexistent", "GIT_DIR": "."},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), hook


def test_targets_are_what_the_configuration_says_or_the_gitorch_of_head(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    clone.git("switch", "-q", "one")
    clone.commit({".gitorch": "[orch]\n\tgate = ./gate.sh\n\ttarget = release\n"}, "Name a target")
    clone.orch("submit", "one", "--target", "main")
    clone.orch("land", "one", "--target", "main")
    clone.git("push", "-q", "origin", "one:release")
    clone.commit({"more": "x"}, "More")
    assert word(push(clone, "one:release")) == "no-lease"
    assert push(clone, "one:main").status == 0, "main is no target any more"
    remote.git("config", "--add", "orch.target", "main")
    remote.git("config", "--add", "orch.target", "stable")
    assert push(clone, "one:release").status == 0
    clone.git("push", "-q", "origin", "one:stable")
    clone.commit({"more": "y"}, "More")
    assert word(push(clone, "one:stable")) == word(push(clone, "one:main")) == "no-lease"


@pytest.mark.parametrize(
    "text",
    [
        '[orch]\n\ttarget = "main"\n',
        "[orch]\n\ttarget = ma\\\nin\n",
        "[Orch] ; remark\n\tTarget=main # remark\n",
        "[orch]\n\ttarget = other\n[core]\n[orch]\n\ttarget = main\n",
        "[include]\n\tpath = more\n",
    ],
    ids=["quoted", "continued", "remarks", "twice", "included"],
)
def test_every_form_of_configuration_is_understood(tmp_path: Path, text: str) -> None:
    remote, clone = served(tmp_path)
    (remote.path / "more").write_text("[orch]\n\ttarget = main\n")
    with (remote.path / "config").open("a") as config:
        config.write(text)
    remote.git("symbolic-ref", "HEAD", "refs/heads/nothing")
    assert word(push(clone, "one:main")) == "no-lease"
    assert push(clone, "one:nothing").status == 0


def test_a_replaced_object_fools_nobody(tmp_path: Path) -> None:
    """git shows refs/replace/X instead of X to whoever asks, and anybody may push such a ref."""
    remote, clone = served(tmp_path)
    clone.orch("gate", "one")
    clone.git("switch", "-q", "-c", "evil", "main")
    evil = clone.commit({"src/evil.txt": "call nothing\n"}, "Evil")
    good = clone.git("rev-parse", "one")
    clone.git("replace", evil, good)
    assert push(clone, f"refs/replace/{evil}").status == 0
    clone.git("replace", "-d", evil)
    before = remote.tip()
    assert word(push(clone, f"{evil}:main")) == "no-lease"
    remote.git("config", "orch.forgeMerge", "true")
    assert word(push(clone, f"{evil}:main")) == "untested"
    assert remote.tip() == before
    assert push(clone, f"{good}:main").status == 0, "a forge may merge what is green"


def test_the_way_around_is_closed_unless_the_server_opens_it(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    run = push(clone, "-o", "orch.bypass=urgent", "one:main")
    assert word(run) == "no-lease" and "allows no bypass" in run.err
    remote.git("config", "orch.allowBypass", "true")
    assert word(push(clone, "one:main")) == "no-lease", "without a reason there is no bypass"
    before = remote.tip()
    reason = "outage ßé 50% \\033[31m"
    assert push(clone, "-o", f"orch.bypass={reason}", "one:main").status == 0
    events = clone.orch("log", "--json").json()["data"]["events"]
    found = next(event for event in events if "bypass" in event)
    expected = {"ref": "refs/heads/main", "old": before, "new": remote.tip(), "reason": reason}
    assert found["bypass"] == expected and found["by"]
    assert "bypass refs/heads/main: outage" in clone.orch("log").out
    assert "bypass refs/heads/main: outage" in clone.orch("log", "--lease", "main").out
    clone.git("fetch", "-q", "origin", "+refs/notes/orch:refs/notes/orch")
    assert "bypass ref=refs/heads/main" in clone.git("log", "-1", "--notes=orch", str(remote.tip()))
    assert reason.split()[0] in (remote.path / "git-orch-bypass.log").read_text()
    assert not remote.refs("refs/notes/git-orch"), "nothing is left over"
    clone.orch("submit", "one", check=None)
    assert clone.orch("fsck", check=None).status in (0, 1)


def test_a_deletion_and_a_creation_are_traced_too(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    remote.git("config", "orch.allowBypass", "true")
    ref, oid = next(iter(remote.refs("refs/orch/jobs").items()))
    assert push(clone, "-o", "orch.bypass=damage", f":{ref}").status == 0
    clone.git("config", "push.pushOption", "orch.bypass=put it back")
    assert "1 refs published again" in clone.orch("restore").out
    assert remote.ref(ref) == oid
    found = [event["bypass"] for event in clone.orch("log", "--json").json()["data"]["events"] if "bypass" in event]
    assert {(one["old"], one["new"], one["reason"]) for one in found} == {
        (oid, None, "damage"),
        (None, oid, "put it back"),
    }


def test_bypasses_at_the_same_time_are_all_traced(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    remote.git("config", "orch.allowBypass", "true")
    head = clone.git("rev-parse", "main")
    commands = [
        ["git", "push", "-q", "-o", f"orch.bypass=n{i}", "origin", f"{head}:refs/orch/scratch/s{i}"] for i in range(6)
    ]
    racing = [subprocess.Popen(command, cwd=clone.path, stderr=subprocess.PIPE) for command in commands]
    said = [process.communicate()[1] for process in racing]
    assert [process.returncode for process in racing] == [0] * 6, said
    events = clone.orch("log", "--json").json()["data"]["events"]
    assert {event["bypass"]["reason"] for event in events if "bypass" in event} == {f"n{i}" for i in range(6)}


def test_a_command_is_told_of_every_push(tmp_path: Path) -> None:
    remote, clone = served(tmp_path)
    heard = tmp_path / "heard"
    remote.git("config", "orch.notify", f"cat >> {heard}; sleep 60 && exit 1")
    clone.git("push", "-q", "origin", "one:free")
    eventually(lambda: heard.exists() and "refs/heads/free" in heard.read_text(), "the command was started")
    assert heard.read_text().split()[1] == clone.git("rev-parse", "one")


def test_a_refusal_shows_no_escape_sequence(tmp_path: Path) -> None:
    _, clone = served(tmp_path)
    text = "add\n\nOrch-Format: 1\nRecord: job\nEvent: a\\033[31m%s\nNonce: x\nId: a\nTitle: T\nState: queued\n"
    text += "Target: main\nCreated: 2026-01-01T00:00:00Z\nUpdated: 2026-01-01T00:00:00Z\n"
    commit = clone.git("commit-tree", "-m", text, clone.git("mktree", stdin=""))
    run = push(clone, f"{commit}:refs/orch/jobs/a")
    assert word(run) == "step" and "\x1b" not in run.err.replace("\x1b[K", "")
    assert "a\\033[31m%s" in run.err


def test_the_parts_that_two_hooks_share_are_the_same() -> None:
    def settings(name: str) -> str:
        text = (HOOKS / name).read_text()
        return text[text.index("# -- settings") : text.index("# -- what ")]

    assert settings("pre-receive") == settings("reference-transaction")

    def quoted(name: str) -> str:
        text = (HOOKS / name).read_text()
        return text[text.index("quoted() {") : text.index("\n}\n", text.index("quoted() {"))]

    assert quoted("pre-receive") == quoted("post-receive")


@pytest.mark.parametrize("hook", ["pre-receive", "post-receive", "reference-transaction", "pre-push"])
def test_a_hook_is_plain_posix_shell(hook: str) -> None:
    for shell in (["dash"], ["busybox", "sh"]):
        done = subprocess.run([*shell, "-n", str(HOOKS / hook)], check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    text = (HOOKS / hook).read_text()
    assert "[[ " not in text and not re.search(r"^\s*local ", text, re.MULTILINE) and "function " not in text
    assert os.access(HOOKS / hook, os.X_OK)


# -- strict


def caught(clone: Clone, remote: Remote, wanted: str, *args: str) -> dict[str, str]:
    """What a command would push together with a ref that begins with `wanted`, as ref to new value; it is refused."""
    hook, kept = remote.path / "hooks/pre-receive", (remote.path / "hooks/pre-receive").read_bytes()
    hook.unlink()
    hook.write_text(
        f'#!/bin/sh\nlines=$(cat)\n[ ! -e caught ] || exit 1\ncase $lines in *" {wanted}"*) ;; *) exit 0 ;; esac\n'
        'printf "%s\\n" "$lines" > caught\nexit 1\n'
    )
    hook.chmod(0o755)
    run = clone.orch(*args, check=None)
    hook.write_bytes(kept)
    assert (remote.path / "caught").exists(), run.said()
    rows = [line.split() for line in (remote.path / "caught").read_text().splitlines()]
    (remote.path / "caught").unlink()
    return {ref: new for _, new, ref in rows}


def test_strict_work_lands_and_is_archived(tmp_path: Path) -> None:
    remote, clone = served(tmp_path, "--strict")
    clone.git("config", "orch.maxConcurrency", "2")
    clone.orch("land", "one")
    assert remote.tip() == clone.git("rev-parse", "one")
    clone.orch("add", "A", "--id", "a")
    clone.orch("add", "B", "--id", "b")
    clone.orch("after", "b", "a")
    clone.orch("claim", "a")
    clone.orch("release", "a")
    clone.orch("cancel", "a")
    clone.orch("gc", "--now")
    assert clone.orch("fsck").status == 0


@pytest.mark.parametrize("strict", [True, False])
def test_strict_a_push_that_is_not_atomic_cannot_split_a_landing(tmp_path: Path, strict: bool) -> None:
    remote, clone = served(tmp_path, *(["--strict"] if strict else []))
    clone.orch("gate", "one")
    found = caught(clone, remote, "refs/heads/main", "land", "one")
    assert {"refs/heads/main", "refs/orch/leases/main"} <= set(found)
    before = remote.tip()
    # The hook sees the whole push; then the lease cannot be written, and git goes on with the other refs.
    lock = remote.path / "refs/orch/leases/main.lock"
    lock.touch()
    run = push(clone, *(f"{new}:{ref}" for ref, new in found.items()))
    lock.unlink()
    assert run.status != 0
    if strict:
        assert remote.tip() == before and "the target moves only together with its lease [torn]" in run.err
        assert clone.orch("show", "one", "--json").json()["data"]["state"] == "submitted"
        clone.orch("land", "one", check=None)
        assert clone.orch("fsck").status == 0
    else:
        assert remote.tip() != before, "which is what --strict is for"


def test_strict_no_part_that_others_rest_on_is_carried_out_alone(tmp_path: Path) -> None:
    remote, clone = served(tmp_path, "--strict")
    clone.git("config", "orch.maxConcurrency", "2")
    clone.orch("add", "A", "--id", "a")
    clone.orch("add", "B", "--id", "b")
    clone.orch("cancel", "b")
    for args, needed, alone in (
        (("after", "a", "b"), "refs/orch/graph", "refs/orch/jobs/a"),
        (("claim", "a"), "refs/orch/slots/", "refs/orch/jobs/a"),
        (("claim", "a"), "refs/orch/jobs/a", "refs/orch/slots/"),
        (("gc", "--now"), "refs/orch/archive", "refs/orch/jobs/b"),
    ):
        found = caught(clone, remote, needed, *args)
        assert any(ref.startswith(needed) for ref in found) and any(ref.startswith(alone) for ref in found), found
        needed = next(ref for ref in found if ref.startswith(needed))
        before = remote.refs("refs/orch")
        lock = remote.path / f"{needed}.lock"
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
        empty = "0" * 40
        run = push(clone, *(f"{'' if new == empty else new}:{ref}" for ref, new in found.items()))
        lock.unlink()
        assert run.status != 0 and "[torn]" in run.err, (args, run.said())
        assert remote.refs("refs/orch") == before, args


def test_strict_a_branch_that_moves_on_the_server_itself_is_stopped(tmp_path: Path) -> None:
    remote, clone = served(tmp_path, "--strict")
    one = clone.git("rev-parse", "one")
    before = remote.tip()
    assert "[torn]" in try_git(remote.path, "update-ref", "refs/heads/main", one).err
    assert "[torn]" in try_git(remote.path, "update-ref", "-d", "refs/heads/main").err
    assert try_git(remote.path, "update-ref", "refs/heads/free", one).status == 0
    assert remote.tip() == before
    remote.git("config", "orch.allowBypass", "true")
    assert push(clone, "-o", "orch.bypass=urgent", "one:main").status == 0
    assert remote.tip() == one
