"""The documentation, held to the code. A failure here means: a page says something that is not so.

Commands in pages exist, keys of configuration are read and the other way round, tables list what the code lists, links
lead somewhere, and the quick starts of the README are run as they stand.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.cli.outcome import CODES
from gitorch.cli.table import COMMANDS, find
from gitorch.core.codec import known_keys
from gitorch.core.lease import LeaseEvent
from gitorch.core.model import Job, JobId, State
from gitorch.core.settings import Settings
from gitorch.render import job_json, lease_json
from tests.support import Clone, Repo, Run, git, make_alone, make_remote

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = ROOT / "README.md"

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_VERB = re.compile(r"\bgit orch ([a-z]+)(?: ([a-z]+))?")
_KEY = re.compile(r"(?<![\w.])orch\.[a-z]\w*")
_KEY_ROW = re.compile(r"^\| `(orch\.\w+)` \| .* \| ([^|]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def code(text: str) -> Iterator[str]:
    """Everything that a page shows as code."""
    yield from (block for _, block in _FENCE.findall(text))
    yield from _SPAN.findall(prose(text))


def blocks(text: str, label: str) -> list[str]:
    """The fenced blocks whose opening line says exactly this."""
    return [block for name, block in _FENCE.findall(text) if name == label]


def anchors(text: str) -> set[str]:
    """What a `#fragment` of a page may name: its headings, spelled as forges spell them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def not_yet() -> set[str]:
    """The commands that the README says are still to come."""
    match = re.search(r"^\*\*Not yet\*\*.*?(?:\n\n|\Z)", page("README.md"), re.MULTILINE | re.DOTALL)
    assert match is not None, "the README says what is not there yet"
    return set(_SPAN.findall(match[0].replace("\n", " ")))


OPTION = "orch.bypass"
"""An option of a push, and no key."""


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


@pytest.mark.parametrize("path", named(PAGES))
def test_every_link_between_pages_leads_somewhere(path: Path) -> None:
    for link in _LINK.findall(prose(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{link} leads nowhere"
        assert not fragment or fragment in anchors(target.read_text(encoding="utf-8")), f"{link} names no heading"


@pytest.mark.parametrize("path", named(PAGES))
def test_every_command_that_a_page_shows_exists_or_is_said_to_come(path: Path) -> None:
    for text in code(path.read_text(encoding="utf-8")):
        for verb, below in _VERB.findall(text):
            command = find(verb)
            assert command is not None or verb in not_yet(), f"git orch {verb}"
            if command is not None and command.subcommands and below:
                assert below in dict(command.subcommands), f"git orch {verb} {below}"


def test_the_readme_lists_every_command_and_promises_none_that_is_there() -> None:
    rows = "\n".join(line for line in page("README.md").splitlines() if line.startswith("| `git orch"))
    shown = {verb for verb, _ in _VERB.findall(rows)}
    assert {c.name for c in COMMANDS if not c.hidden} - shown == {"help", "version"}
    assert [verb for verb in not_yet() if find(verb)] == []


def test_a_page_names_only_keys_that_are_documented() -> None:
    documented = {key for key, _ in _KEY_ROW.findall(page("docs/configuration.md"))}
    for path in PAGES:
        mentioned = {key for text in code(path.read_text(encoding="utf-8")) for key in _KEY.findall(text)}
        assert mentioned - {OPTION} <= documented, path.name


def test_the_documented_keys_are_those_that_the_code_reads() -> None:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "gitorch").rglob("*.py"))
    strings = (n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant))
    read = {text for text in strings if isinstance(text, str) and re.fullmatch(r"orch\.[A-Za-z]+", text)}
    for hook in (ROOT / "hooks").iterdir():
        read |= set(_KEY.findall(hook.read_text(encoding="utf-8"))) - {OPTION}
    assert read == {key for key, _ in _KEY_ROW.findall(page("docs/configuration.md"))}


def test_the_documented_defaults_are_those_of_the_code() -> None:
    settings = Settings({}, {})
    documented = dict(_KEY_ROW.findall(page("docs/configuration.md")))
    defaults = {
        "orch.namespace": settings.namespace.root,
        "orch.rebase": settings.rebase.value,
        "orch.leaseTTL": settings.lease_ttl_s,
        "orch.maxAttempts": settings.max_attempts,
        "orch.pollInterval": settings.poll_interval_s,
        "orch.gateKeepIgnored": str(settings.keep_ignored).lower(),
    }
    assert {key: documented[key].strip() for key in defaults} == {k: f"`{v}`" for k, v in defaults.items()}


def test_the_exit_statuses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)`|–) \|", page("docs/json.md"), re.MULTILINE)
    assert {word or "done": int(number) for number, word in rows} == {word: row.exit for word, row in CODES.items()}
    sentence = re.search(r"Exit status: (.*?)\. Every failure", page("README.md").replace("\n", " "))
    assert sentence is not None
    assert {int(n) for n in re.findall(r"\d+", sentence[1])} == {row.exit for row in CODES.values()}


def test_the_format_names_every_key_and_every_event_of_a_lease() -> None:
    shown = set(_SPAN.findall(prose(page("docs/format.md"))))
    assert set(known_keys("job")) | set(known_keys("lease")) | {"Orch-Format", "Record", "Event", "Nonce"} <= shown
    assert {event.value for event in LeaseEvent} <= shown


def test_the_documents_of_a_job_and_a_lease_are_described_field_by_field() -> None:
    text = page("docs/json.md")
    job = Job(id=JobId("a"), title="a", state=State.QUEUED, target="main", created_ms=0, updated_ms=0)
    for field in (*job_json(job, {}), *lease_json(None, "main")):
        assert f'"{field}":' in text, field


@pytest.mark.parametrize("path", named(PAGES))
def test_blocks_of_shell_are_shell(path: Path) -> None:
    for label, block in _FENCE.findall(path.read_text(encoding="utf-8")):
        if label.split(" ")[0] == "sh":
            parsed = subprocess.run(["sh", "-n"], input=block.encode(), capture_output=True, check=False)
            assert parsed.returncode == 0, parsed.stderr.decode()


def in_shell(where: Path, script: str, **env: str) -> Run:
    """Run a block as a reader does, with the program of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu"],
        cwd=where,
        input=script.encode(),
        capture_output=True,
        env={**os.environ, "PATH": path, **env},
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def subjects(path: Path) -> list[str]:
    return git(path, "log", "--format=%s", "main").splitlines()


def test_the_quick_start_for_one_person_lands_its_branch(tmp_path: Path) -> None:
    (script,) = blocks(page("README.md"), "sh quickstart alone")
    run = in_shell(tmp_path, script)
    assert run.status == 0, run.said()
    assert subjects(tmp_path / "greeting") == ["Be polite", "A greeting, and its gate"]
    assert "landed job=" in run.out, "the last command shows the note of the landing"


def test_the_quick_start_for_a_team_lands_both_branches_and_plain_git_shows_it(tmp_path: Path) -> None:
    (script,) = blocks(page("README.md"), "sh quickstart team")
    run = in_shell(tmp_path, script)
    assert run.status == 0, run.said()
    assert subjects(tmp_path / "server.git") == ["Be polite", "Be loud", "A greeting, and its gate"]
    assert subjects(tmp_path / "ada") == subjects(tmp_path / "server.git")
    (look,) = [block for block in blocks(page("README.md"), "sh") if "for-each-ref" in block]
    seen = in_shell(tmp_path / "ada", look)
    assert seen.status == 0, seen.said()
    for shown in ("landed job=", "refs/orch-remotes/origin/state/leases/main", "acquire: main"):
        assert shown in seen.out


def test_the_quick_start_for_handing_out_work_lands_both_jobs_in_order(tmp_path: Path) -> None:
    (script,) = blocks(page("README.md"), "sh quickstart work")
    run = in_shell(tmp_path, script)
    assert run.status == 0, run.said()
    assert subjects(tmp_path / "queue") == ["Use the parser", "Write the parser", "A gate"]


def test_the_example_for_programs_runs_as_it_stands(tmp_path: Path) -> None:
    (script,) = blocks(page("docs/api.md"), "python")
    clone = make_alone(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=clone.path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "working on parser" in done.stdout and "cycle" in done.stdout and done.stdout.endswith("1\n")


def test_ci_lands_what_is_ready_and_does_not_mind_when_nothing_is(tmp_path: Path) -> None:
    land, _ = blocks(page("README.md"), "sh ci")
    clone = with_feature(make_remote(tmp_path, {"Makefile": "test:\n\ttrue\n"}).clone("ci"))
    assert in_shell(clone.path, land).status == 0
    run = in_shell(clone.path, land)
    assert run.status == 0 and "nothing is ready" in run.err


def test_ci_notes_what_it_found_and_landing_believes_it(tmp_path: Path) -> None:
    _, test = blocks(page("README.md"), "sh ci")
    clone = with_feature(make_remote(tmp_path, {"Makefile": "test:\n\ttrue\n"}).clone("ci"))
    clone.git("switch", "-q", "feature")
    run = in_shell(clone.path, test, BUILD_URL="https://ci.example.org/17")
    assert run.status == 0, run.said()
    assert clone.orch("land", "--json").json()["data"]["gate"]["cached"] is True


def with_feature(clone: Clone) -> Clone:
    """A clone with the gate `make test` and a branch that is handed in."""
    clone.commit({".gitorch": "[orch]\n\tgate = make test\n"}, "A gate")
    clone.push("main")
    clone.branch("feature", {"new": "new\n"}, "A feature")
    clone.orch("submit", "feature")
    return clone


def test_the_digest_of_the_gate_is_what_the_documented_command_says(tmp_path: Path) -> None:
    (script,) = [block for block in blocks(page("docs/configuration.md"), "sh") if "hash-object" in block]
    clone = with_feature(make_remote(tmp_path, {"Makefile": "test:\n\ttrue\n"}).clone("a"))
    digest = clone.orch("verdict", "HEAD", "--json", check=10).json()["data"]["gate"]["digest"]
    assert in_shell(clone.path, script).out.strip() == digest


def test_the_documented_fetch_brings_the_state_to_a_fresh_clone(tmp_path: Path) -> None:
    (script,) = blocks(page("docs/format.md"), "sh")
    remote = make_remote(tmp_path, {"Makefile": "test:\n\ttrue\n"})
    with_feature(remote.clone("a")).orch("land", "feature")
    fresh = remote.clone("b")
    assert in_shell(fresh.path, script).status == 0
    assert "landed job=" in fresh.git("log", "-1", "--notes=orch", "--format=%N", "main")
    assert states(fresh, "refs/orch-remotes/origin/state/jobs") == ["done"]


def states(repo: Repo, folder: str) -> list[str]:
    """What the documented listing with plain git says."""
    form = "--format=%(contents:trailers:key=State,valueonly,separator=%2C)"
    return repo.git("for-each-ref", folder, form).split()


def test_a_repository_of_its_own_keeps_its_state_where_the_format_says(tmp_path: Path) -> None:
    clone = make_alone(tmp_path)
    clone.branch("feature", {"new": "new\n"}, "A feature")
    clone.orch("submit", "feature")
    assert states(clone, "refs/orch/jobs") == ["submitted"]
