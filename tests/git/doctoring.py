"""What the tests of `git orch doctor` share: its findings, and hooks that answer what is not so."""

from __future__ import annotations

import subprocess

from tests.support import Clone

Finding = dict[str, str]


def findings(clone: Clone, *options: str, status: int | None = None) -> list[Finding]:
    run = clone.orch("doctor", "--json", *options, check=status)
    found: list[Finding] = run.json()["data"]["findings"]
    return found


def about(clone: Clone, words: str, *options: str) -> Finding:
    """The finding that says these words."""
    found = findings(clone, *options)
    return next((one for one in found if words in one["what"]), {"level": "none", "what": str(found), "hint": ""})


def problems(clone: Clone, *options: str) -> list[str]:
    """What all problems say."""
    return [one["what"] for one in findings(clone, *options) if one["level"] == "problem"]


def type_in(clone: Clone, hint: str) -> None:
    """Do what a hint says, as somebody who pastes it into a shell."""
    subprocess.run(["sh", "-c", hint], cwd=clone.path, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def proc_receive(verdict: str, apply: str, between: str = "pass") -> str:
    """A hook `proc-receive`: real git in front, and this decides instead of git's own compare-and-swap. `verdict` says
    which refs lose, of `lines` of (old, new, ref); `apply` is how one ref is written, `between` what happens before."""
    script = _PROC_RECEIVE.replace("VERDICT", verdict).replace("APPLY", apply).replace("BETWEEN", between)
    return f"exec python3 -c '{script}'\n"


ANY_STALE = "{ref for *_, ref in lines} if any(value(ref) != old for old, new, ref in lines) else set()"
EACH_STALE = "{ref for old, new, ref in lines if value(ref) != old}"
NO_LOSER = "set()"
BUT_DELETIONS = (
    "{ref for *_, ref in lines} if any(value(ref) != old and set(new) != {48} for old, new, ref in lines) else set()"
)

MEET = "meet()"
"""Between comparing and swapping in a race, another one compares: each waits for a second one to be there."""

_PROC_RECEIVE = r"""
import os, subprocess, sys, time
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
def read():
    found = []
    while (size := int(stdin.read(4) or b"0000", 16)):
        found.append(stdin.read(size - 4))
    return found
def say(*lines):
    for line in lines:
        stdout.write(b"%04x" % (len(line) + 4) + line)
    stdout.write(b"0000")
    stdout.flush()
def git(*args):
    return subprocess.run(["git", *args], capture_output=True).stdout.strip()
def value(ref):
    return git("rev-parse", "-q", "--verify", ref) or b"0" * 40
def write(new, ref):
    git("update-ref", *(["-d", ref] if set(new) == {48} else [ref, new]))
def meet():
    old, new, ref = lines[0]
    if not ref.endswith(b"-race") or set(new) == {48}:
        return
    name = "met-" + ref.decode().replace("/", "-") + "-" + old.decode()
    os.makedirs(name, exist_ok=True)
    open(os.path.join(name, str(os.getpid())), "w").close()
    until = time.monotonic() + 20
    while len(os.listdir(name)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
read()
say(b"version=1\0atomic\n")
lines = [line.split(b"\0")[0].strip().split(b" ") for line in read()]
lost = VERDICT
BETWEEN
for old, new, ref in lines:
    if ref not in lost:
        APPLY
say(*((b"ng " + ref + b" stale info\n" if ref in lost else b"ok " + ref + b"\n") for old, new, ref in lines))
"""
