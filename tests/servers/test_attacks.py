"""Somebody with push rights and a shell against a server with the hook, over ssh: what the target, jobs, leases and
verdicts of others are afterwards is what they were before.

Each attack is what a person would type, with git's own program and all of its options; the vectors in tests/hooks are
the finer half of the same question.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.servers.conftest import Client, Start
from tests.servers.ssh import Sshd
from tests.support import THOROUGH, Clone, Remote, Run, git, try_git

pytestmark = pytest.mark.unguarded
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without files."""


@dataclass(frozen=True)
class Scene:
    """A guarded remote where Ada has work in every state, and Eve's clone."""

    remote: Remote
    ada: Clone
    eve: Clone

    def push(self, *words: str) -> Run:
        """What Eve types."""
        return try_git(self.eve.path, "push", *words)

    def oid(self, ref: str) -> str:
        found = self.remote.ref(ref)
        assert found is not None, ref
        return found

    def event(self, ref: str, *, change: tuple[str, str] | None = None, parents: int = 1) -> str:
        """An event on top of a ref that is the present one with a change and another nonce, as Eve forges it."""
        old = self.oid(ref)
        message = self.remote.git("log", "-1", "--format=%B", old)
        nonce = message.rpartition("Nonce: ")[2]
        message = message.replace(f"Nonce: {nonce}", "Nonce: eve" + str(parents))
        if change is not None:
            assert change[0] in message, message
            message = message.replace(*change)
        keep = [word for oid in self.remote.git("log", "-1", "--format=%P", old).split()[1:] for word in ("-p", oid)]
        return self.eve.git("commit-tree", "-p", old, *(keep if parents > 1 else []), "-m", message, EMPTY)

    def code(self, *parents: str) -> str:
        """An untested commit of Eve's."""
        tree = self.eve.git("rev-parse", "evil^{tree}")
        return self.eve.git("commit-tree", *(word for oid in parents for word in ("-p", oid)), "-m", "evil", tree)


_made: list[Path] = []
"""The folder of the scene as it was built once; every test gets a copy."""


@pytest.fixture
def scene(start: Start, client: Client, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    server = start(Sshd)
    client.use(server)
    if not _made:
        folder = tmp_path_factory.mktemp("scene")
        build_scene(folder, server.url_of(folder / "remote.git"))
        _made.append(folder)
    remote = Remote(tmp_path / "remote.git")
    clones = [Clone(tmp_path / name, remote.ticks) for name in ("ada", "eve")]
    for path in (remote.path, *(clone.path for clone in clones)):
        shutil.copytree(_made[0] / path.name, path, symlinks=True)
    for clone in clones:
        clone.git("remote", "set-url", "origin", server.url_of(remote.path))
    return Scene(remote, *clones)


def build_scene(folder: Path, url: str) -> None:
    remote = project(folder)
    clones = []
    for name in ("ada", "eve"):
        git(folder, "clone", "-q", url, str(folder / name))
        clones.append(Clone(folder / name, remote.ticks))
    ada, eve = clones
    # Deleting the branch of HEAD is what git would refuse by itself.
    remote.git("config", "receive.denyDeleteCurrent", "ignore")
    ada.orch("hooks", "install", "--server", str(remote.path))
    ada.branch("landed", {"src/landed.txt": "call base\n"}, "Add landed")
    ada.orch("submit", "landed")
    ada.orch("land", "landed")
    ada.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    ada.orch("submit", "one")
    ada.orch("add", "Queued", "--id", "queued")
    ada.orch("add", "Mine", "--id", "mine")
    ada.orch("claim", "mine")
    ada.orch("add", "Gone", "--id", "gone")
    ada.orch("cancel", "gone")
    ada.orch("gate", "one")
    everything = ("+refs/orch/*:refs/orch/*", "+refs/notes/*:refs/notes/*", "+refs/heads/*:refs/remotes/origin/*")
    eve.git("fetch", "-q", "origin", *everything)
    eve.git("switch", "-q", "-c", "evil", "origin/main")
    eve.commit({"src/evil.txt": "call nothing\n"}, "Evil")


Attack = Callable[[Scene], object]
ATTACKS: dict[str, Attack] = {}


def attack(build: Attack) -> Attack:
    ATTACKS[build.__name__.replace("_", "-")] = build
    return build


MAIN, LEASE, NOTES, ARCHIVE = "refs/heads/main", "refs/orch/leases/main", "refs/notes/orch", "refs/orch/archive"
JOBS = tuple(f"refs/orch/jobs/{name}" for name in ("queued", "mine", "gone"))


@attack
def push_the_target(s: Scene) -> None:
    s.push("origin", "evil:main")
    s.push("-f", "origin", "evil:main")
    s.push("--atomic", "origin", "evil:main", "evil:refs/heads/free")
    s.push("--force-with-lease=main", "origin", "evil:main")
    s.push("origin", f"{s.code(s.oid(MAIN))}:{MAIN}")
    s.push("--no-verify", "-o", "orch.bypass=because", "origin", "evil:main")
    s.push("--signed=if-asked", "origin", "evil:main")


@attack
def push_the_target_by_other_names(s: Scene) -> None:
    for name in (
        "HEAD",
        "refs/heads/./main",
        "refs/heads//main",
        "refs/heads/main/",
        "refs/heads/main/x",
        "heads/main",
    ):
        s.push("-f", "origin", f"evil:{name}")


@attack
def delete_the_target(s: Scene) -> None:
    s.push("origin", ":main")
    s.push("origin", "--delete", "main")
    s.push("--prune", "origin", "refs/heads/nothing*:refs/heads/*")


@attack
def mirror_everything_away(s: Scene) -> None:
    s.push("--mirror", "origin")
    s.push("--prune", "-f", "origin", "+refs/heads/*:refs/*")
    s.push("--all", "-f", "origin")


@attack
def rewind_and_push_again(s: Scene) -> None:
    s.push("-f", "origin", f"{s.oid(MAIN)}~1:main")
    s.push("-f", "origin", f"{s.code()}:main")


@attack
def delete_what_others_wrote(s: Scene) -> None:
    for ref in (*JOBS, LEASE, NOTES, ARCHIVE, *s.remote.refs("refs/orch")):
        s.push("origin", f":{ref}")
    s.push("--atomic", "origin", *(f":{ref}" for ref in JOBS))


@attack
def put_something_else_there(s: Scene) -> None:
    blob = s.eve.git("hash-object", "-w", "--stdin", stdin="hello")
    s.eve.git("tag", "-a", "-m", "x", "tag")
    for ref in (*JOBS, LEASE, NOTES):
        for value in ("evil", blob, EMPTY, "refs/tags/tag", s.code(s.oid(ref))):
            s.push("-f", "origin", f"{value}:{ref}")


@attack
def write_the_events_of_others(s: Scene) -> None:
    mine, queued, one = "refs/orch/jobs/mine", "refs/orch/jobs/queued", job_of(s, "one")
    s.push("origin", f"{s.event(mine, change=('State: claimed', 'State: done'))}:{mine}")
    s.push("origin", f"{s.event(mine, change=('Worker: ', 'Worker: eve '))}:{mine}")
    s.push("origin", f"{s.event(mine, change=('Id: mine', 'Id: queued'))}:{queued}")
    s.push("origin", f"{s.event(queued, change=('State: queued', 'State: done'))}:{queued}")
    s.push("origin", f"{s.event(queued, change=('Orch-Format: 1', 'Orch-Format: 2'))}:{queued}")
    s.push("origin", f"{s.event(one, change=('State: submitted', 'State: done'), parents=2)}:{one}")
    s.push("-f", "origin", f"{s.oid(mine)}:{queued}", f"{s.oid(queued)}:{mine}")
    s.push("-f", "origin", f"{s.oid(mine)}~1:{mine}")


@attack
def say_that_it_landed(s: Scene) -> None:
    one = job_of(s, "one")
    head = s.remote.git("rev-parse", "one")
    forged = s.event(one, change=("State: submitted", f"State: done\nLanded: {head}"), parents=2)
    s.push("origin", f"{forged}:{one}")


@attack
def move_the_lease_of_another(s: Scene) -> None:
    lines = s.remote.git("log", "-1", "--format=%B", LEASE).splitlines()
    token, epoch = (next(line for line in lines if line.startswith(key)) for key in ("Token", "Epoch"))
    changes = ((token, "Token: " + "e" * 40), (epoch, "Epoch: 1"), (epoch, "Epoch: 900"))
    for forged in [s.event(LEASE, change=change, parents=2) for change in changes]:
        s.push("origin", f"{forged}:{LEASE}")
    s.push("-f", "origin", f"{LEASE}~1:{LEASE}")


@attack
def land_evil_under_the_lease_of_another(s: Scene) -> None:
    word = next(line for line in s.remote.git("log", "-1", "--format=%B", LEASE).splitlines() if "Event: " in line)
    land = s.event(LEASE, change=(word, "Event: land"), parents=2)
    s.push("--atomic", "origin", f"evil:{MAIN}", f"{land}:{LEASE}")
    s.push("origin", f"evil:{MAIN}", f"{land}:{LEASE}")
    s.push(
        "--atomic", "-f", "origin", f"{s.code(s.oid(MAIN), s.remote.git('rev-parse', 'one'))}:{MAIN}", f"{land}:{LEASE}"
    )


@attack
def change_verdicts(s: Scene) -> None:
    tree = s.remote.git("rev-parse", "one^{tree}")
    s.eve.git("notes", "--ref=orch", "add", "-f", "-m", "2026-01-01T00:00:00Z green", tree)
    s.push("-f", "origin", NOTES)
    s.eve.git("notes", "--ref=orch", "remove", tree)
    s.push("-f", "origin", NOTES)
    s.push("-f", "origin", f"evil:{NOTES}")
    s.push("-f", "origin", f"{s.oid(NOTES)}~1:{NOTES}")
    s.eve.git("update-ref", NOTES, s.oid(NOTES))
    s.eve.git("notes", "--ref=orch", "prune", "-v")
    s.eve.git("notes", "--ref=orch", "append", "-m", "2026-01-01T00:00:00Z landed job=queued target=main", s.oid(MAIN))
    s.push("origin", NOTES)


@attack
def replace_objects(s: Scene) -> None:
    good = s.remote.git("rev-parse", "one")
    evil = s.eve.git("rev-parse", "evil")
    s.eve.git("update-ref", f"refs/replace/{evil}", good)
    s.eve.git("update-ref", f"refs/replace/{s.oid(LEASE)}", evil)
    s.push("origin", "refs/replace/*:refs/replace/*")
    s.push("-f", "origin", f"{evil}:main")
    s.push("-f", "origin", f"{evil}:{LEASE}")


@attack
def fill_the_archive(s: Scene) -> None:
    s.push("origin", f"evil:{ARCHIVE}")
    s.push("--atomic", "origin", f"{s.code(s.oid('refs/orch/jobs/gone'))}:{ARCHIVE}", ":refs/orch/jobs/gone")
    s.push("--atomic", "origin", f"evil:{ARCHIVE}", *(f":{ref}" for ref in JOBS))


@attack
def get_in_the_way_of_names(s: Scene) -> None:
    for name in (
        "refs/orch/jobs/queued/x", "refs/orch/jobs", "refs/orch/leases/main/x", "refs/orch/leases/main%2Fx/y",
        "refs/orch/jobs/QUEUED", "refs/orch/archive/x", "refs/orch/jobs/--x", "refs/notes/orch/x", "refs/orch",
        "refs/orch-remotes/origin/state/jobs/x", "refs/orch/leases/.lock", "refs/orch/slots/1",
    ):  # fmt: skip
        s.push("-f", "origin", f"evil:{name}")


@attack
def break_off_in_the_middle(s: Scene) -> None:
    s.eve.git("config", "remote.origin.receivepack", "git-receive-pack")
    old, evil, zero = s.oid(MAIN), s.eve.git("rev-parse", "evil"), "0" * 40
    for line in (f"{old} {evil} {MAIN}", f"{zero} {evil} {MAIN}", f"{evil} {evil} {MAIN}", f"{old} {zero} {MAIN}"):
        raw = f"{line}\0report-status delete-refs ofs-delta".encode()
        packet = b"%04x%s0000" % (len(raw) + 4, raw)
        pack = git_bytes(s.eve, "pack-objects", "--revs", "--stdout", stdin=f"{evil}\n^{old}\n")
        for end in (b"", pack[: len(pack) // 2], pack):
            raw_push(s, packet + end)


def raw_push(s: Scene, data: bytes) -> None:
    """What a client of one's own would send, by the server's own program."""
    url = s.eve.git("config", "remote.origin.url")
    host, _, path = url.removeprefix("ssh://").partition("/")
    name, _, port = host.partition(":")
    command = [*os.environ["GIT_SSH_COMMAND"].split(), "-p", port, name, f"git-receive-pack '/{path}'"]
    subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)


def git_bytes(clone: Clone, *args: str, stdin: str) -> bytes:
    return subprocess.run(["git", *args], cwd=clone.path, input=stdin.encode(), capture_output=True, check=True).stdout


@attack
def use_the_commands_themselves(s: Scene) -> None:
    s.eve.git("config", "orch.gate", "true")
    s.eve.orch("submit", "evil", check=None)
    s.eve.orch("land", "evil", check=None)
    s.eve.orch("release", "mine", check=None)
    s.eve.orch("done", "mine", check=None)
    s.eve.orch("claim", "mine", check=None)


def job_of(s: Scene, branch: str) -> str:
    found = s.ada.orch("show", branch, "--json").json()["data"]["id"]
    return f"refs/orch/jobs/{found}"


def state(remote: Remote) -> dict[str, str]:
    return {ref: oid for ref, oid in remote.refs().items() if ours(ref)}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_changes_nothing_of_others(name: str, scene: Scene) -> None:
    before = state(scene.remote)
    ATTACKS[name](scene)
    after = state(scene.remote)
    assert {ref: after.get(ref) for ref in before} == before
    added = set(after) - set(before)
    assert all(ref.startswith("refs/orch/jobs/") for ref in added), "a job of her own is all that she may add"
    scene.remote.git("fsck", "--connectivity-only")
    scene.ada.orch("land", "one")
    assert scene.remote.tip() == scene.remote.git("rev-parse", "one")
    scene.ada.orch("release", "mine")


HARMLESS = frozenset({"push-the-target-by-other-names", "replace-objects", "use-the-commands-themselves"})
"""What git, or the commands, refuse by themselves, or what needs a hook to be fooled."""


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - HARMLESS)[:: 1 if THOROUGH else 5])
def test_without_the_hook_the_attack_would_do_harm(name: str, scene: Scene) -> None:
    """Otherwise the test above would prove nothing."""
    scene.ada.orch("hooks", "uninstall", "--server", str(scene.remote.path))
    before = state(scene.remote)
    ATTACKS[name](scene)
    after = state(scene.remote)
    assert {ref: after.get(ref) for ref in before} != before or set(after) - set(before)


def ours(ref: str) -> bool:
    return ref in (MAIN, NOTES) or ref.startswith("refs/orch")
