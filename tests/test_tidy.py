"""The house rules, checked by reading the code. A failure here means: the shape of the project has slipped.

Imports go one way, wherever in a file they stand; processes, clocks and ref names each have one door; files and
functions stay small. A number in a ratchet may only fall.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gitorch"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
HARNESSES = ("bench", "fuzz", "sim", "model", "planted", "kills")
BENCHES = sorted(path for name in HARNESSES for path in (ROOT / name).rglob("*.py"))

FUNCTION_LINES = 60
FILE_LINES = 400

# Files and functions that were over a limit when the limit came: `path` or `path::function` to the lines it may have.
RATCHET: dict[str, int] = {
    "tests/contract/test_git_store.py": 500,
    "tests/contract/test_store.py": 500,
    "tests/git/test_catch_up.py": 750,
    "tests/git/test_landing.py": 500,
    "tests/git/test_worktrees.py": 700,
    "tests/unit/test_plan.py": 500,
}

PURE = frozenset(
    {
        "__future__",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "graphlib",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "typing",
        "unicodedata",
    }
)
"""Standard modules without input, output, clock or randomness."""

# Who may import what of ours. The command line, and what puts the parts together for it, may import anything.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gitorch.core", ("gitorch.core",)),
    ("gitorch.render", ("gitorch.core",)),
    ("gitorch.render_status", ("gitorch.core", "gitorch.render")),
    ("gitorch.render_why", ("gitorch.core", "gitorch.render")),
    ("gitorch.ports", ("gitorch.core",)),
    ("gitorch.memory", ("gitorch.core", "gitorch.ports")),
    ("gitorch.engine", ("gitorch.core", "gitorch.ports", "gitorch.engine")),
    ("gitorch.shell", ("gitorch.core", "gitorch.ports", "gitorch.shell")),
)
RENDERERS = ("gitorch.render", "gitorch.render_status", "gitorch.render_why")
THROUGH_PORTS = ("gitorch.core", *RENDERERS, "gitorch.ports", "gitorch.engine", "gitorch.memory")
"""Modules that reach the world through ports only."""

STARTS_A_PROCESS = (
    r"subprocess\.(run|call|check_call|check_output|Popen|getoutput|getstatusoutput)"
    r"|os\.(system|popen|fork|forkpty|exec\w+|spawn\w+|posix_spawnp?)"
    r"|pty\.\w+|multiprocessing\..*|asyncio\.create_subprocess.*"
)
PROCESS_STARTERS = {
    "gitorch/shell/gitcmd.py": "git, and only here",
    "gitorch/shell/hookfiles.py": "a hook of ours, which `git orch hooks run` becomes",
    "gitorch/shell/session.py": "the shell command of a gate",
    "gitorch/shell/system.py": "sysctl, where the name of the boot is no file",
    "gitorch/demo/stage.py": "what is typed in the demonstration",
}
CLOCKS = {
    "gitorch/shell/system.py": "the real clock and randomness behind the ports",
    "gitorch/shell/attendant.py": "how long a gate has run",
    "gitorch/shell/runner.py": "when a gate's time is up",
    "gitorch/shell/session.py": "how long killed processes take to go",
}
PRINTERS = ("gitorch/cli/outcome.py", "gitorch/shell/terminal.py", "gitorch/cli/commands/demo.py")
REF_SPELLERS = ("gitorch/core/names.py",)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of these or inside of one."""
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, in whatever function; `from gitorch import core` counts as gitorch.core."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in named if _is_module(name)] or [str(node.module)]
    return tuple(found)


def _is_module(name: str) -> bool:
    base = ROOT.joinpath(*name.split("."))
    return name.startswith("gitorch.") and (base.is_dir() or base.with_suffix(".py").exists())


@cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    """Every call with the dotted name of what is called, as far as it is written out."""
    return tuple((ast.unparse(node.func), node) for node in nodes(path) if isinstance(node, ast.Call))


def called(path: Path, pattern: str) -> list[str]:
    """The calls whose whole dotted name fits."""
    return [f"{call.lineno}: {name}" for name, call in calls(path) if re.fullmatch(pattern, name)]


def strings(path: Path) -> list[str]:
    """Every string of the code; docstrings and other strings that stand alone are prose."""
    prose = {node.value for node in nodes(path) if isinstance(node, ast.Expr)}
    constants = [node for node in nodes(path) if isinstance(node, ast.Constant) and node not in prose]
    return [node.value for node in constants if isinstance(node.value, str)]


def offenders(paths: Iterable[Path], look: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """What `look` finds, by file; files in which it finds nothing are left out."""
    return {relative(path): found for path in paths if (found := look(path))}


def test_imports_go_one_way() -> None:
    def wrong(path: Path) -> list[str]:
        allowed = next((inner for layer, inner in LAYERS if within(module_name(path), (layer,))), ("gitorch",))
        return [name for name in imports(path) if within(name, ("gitorch",)) and not within(name, allowed)]

    assert offenders(SOURCES, wrong) == {}


def test_the_core_and_the_renderer_touch_nothing() -> None:
    def impure(path: Path) -> list[str]:
        theirs = [name for name in imports(path) if not within(name, ("gitorch",)) and name not in PURE]
        return theirs + called(path, r"open|.*\.(now|utcnow|today|open|read_text|write_text)")

    core = [path for path in SOURCES if within(module_name(path), ("gitorch.core", *RENDERERS))]
    assert core
    assert offenders(core, impure) == {}


def test_the_engine_reaches_the_world_through_ports_only() -> None:
    def worldly(path: Path) -> list[str]:
        known = PURE | {"contextlib", "threading"}
        return [name for name in imports(path) if not within(name, ("gitorch",)) and name not in known]

    assert offenders([path for path in SOURCES if within(module_name(path), THROUGH_PORTS)], worldly) == {}


def test_processes_are_started_where_that_is_said() -> None:
    def starts(path: Path) -> list[str]:
        hidden = [n.module for n in nodes(path) if isinstance(n, ast.ImportFrom) and n.module == "subprocess"]
        return called(path, STARTS_A_PROCESS) + [f"from {name} import" for name in hidden]

    assert offenders([path for path in SOURCES if relative(path) not in PROCESS_STARTERS], starts) == {}


def test_git_is_started_in_one_module() -> None:
    def starts_git(path: Path) -> list[str]:
        starters = [call for name, call in calls(path) if re.fullmatch(STARTS_A_PROCESS, name)]
        return [ast.unparse(call) for call in starters if _first_word(call) == "git"]

    assert offenders([path for path in SOURCES if relative(path) != "gitorch/shell/gitcmd.py"], starts_git) == {}


def _first_word(call: ast.Call) -> object:
    first = call.args[0] if call.args else None
    words = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
    return words[0].value if words and isinstance(words[0], ast.Constant) else None


def test_clocks_and_randomness_have_few_doors() -> None:
    def ambient(path: Path) -> list[str]:
        imported = [name for name in imports(path) if within(name, ("time", "random", "secrets", "uuid"))]
        return imported + called(path, r"os\.urandom|(datetime\.)?datetime\.(now|utcnow)")

    assert offenders([path for path in SOURCES if relative(path) not in CLOCKS], ambient) == {}


def test_ref_names_are_spelled_in_one_file() -> None:
    root = "refs" + "/orch"
    others = [path for path in SOURCES if relative(path) not in REF_SPELLERS]
    assert offenders(others, lambda path: [text for text in strings(path) if root in text]) == {}


def test_only_the_streams_are_written_to_by_their_keepers() -> None:
    others = [path for path in SOURCES if relative(path) not in PRINTERS]
    assert offenders(others, lambda path: called(path, r"print|typer\.s?echo|sys\.(stdout|stderr)\.write")) == {}


def test_no_shell_reads_our_arguments() -> None:
    def shells(path: Path) -> list[str]:
        keywords = [key for _, call in calls(path) for key in call.keywords if key.arg == "shell"]
        return [ast.unparse(key) for key in keywords if getattr(key.value, "value", True) is not False]

    assert offenders([*SOURCES, *TESTS, *BENCHES], shells) == {}


def test_no_test_sleeps_but_between_two_looks() -> None:
    def sleeps(path: Path) -> list[str]:
        loops = [node for node in nodes(path) if isinstance(node, ast.While)]
        polling = {inner for loop in loops for inner in ast.walk(loop)}
        found = [call for name, call in calls(path) if name in ("sleep", "time.sleep", "asyncio.sleep")]
        return [f"{call.lineno}: sleep" for call in found if call not in polling]

    assert offenders(TESTS, sleeps) == {}


def test_files_stay_small() -> None:
    def surplus(path: Path) -> list[str]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        return [f"{lines} lines"] if lines > RATCHET.get(relative(path), FILE_LINES) else []

    assert offenders([*SOURCES, *TESTS, *BENCHES], surplus) == {}


def test_functions_stay_small() -> None:
    def giants(path: Path) -> list[str]:
        functions = [node for node in nodes(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
        limits = {name: RATCHET.get(f"{relative(path)}::{name}", FUNCTION_LINES) for name in lengths}
        return [f"{name}: {length} lines" for name, length in lengths.items() if length > limits[name]]

    assert offenders([*SOURCES, *TESTS, *BENCHES], giants) == {}


def test_the_ratchet_is_never_looser_than_it_must_be() -> None:
    for entry, limit in RATCHET.items():
        path = ROOT / entry.partition("::")[0]
        assert path.exists(), entry
        assert limit > (FUNCTION_LINES if "::" in entry else FILE_LINES), entry


def test_every_exception_to_a_rule_is_still_needed() -> None:
    files = (*PROCESS_STARTERS, *CLOCKS, *PRINTERS, *REF_SPELLERS)
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert [name for name in PROCESS_STARTERS if not called(ROOT / name, STARTS_A_PROCESS)] == []
    assert [name for name in CLOCKS if not set(imports(ROOT / name)) & {"time", "random"}] == []


def test_each_module_says_what_it_is() -> None:
    def silent(path: Path) -> list[str]:
        text = path.read_text(encoding="utf-8")
        return ["no docstring"] if text.strip() and ast.get_docstring(ast.parse(text)) is None else []

    assert offenders([*SOURCES, *TESTS, *BENCHES], silent) == {}


def test_no_file_names_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.])/(work|root|home|Users)/\w+")
    written = [*SOURCES, *TESTS, *BENCHES, *_prose()]
    assert offenders(written, lambda path: [m.group() for m in machine.finditer(path.read_text("utf-8"))]) == {}


def _prose() -> list[Path]:
    folders = [ROOT / name for name in ("docs", "hooks", "man", ".ci")]
    files = [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()]
    mine = [path for path in files if path.suffix not in (".pyc", ".png")]
    return [*mine, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]


def test_each_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert records
    assert [name for name in records if f"({name})" not in listed] == []
    assert len({name[:4] for name in records}) == len(records)


def test_the_readers_above_see_what_they_look_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        '"""refs/x"""\nimport json\ndef f():\n    from time import sleep\n    import gitorch.core.model\n'
        "    from gitorch import core\n    sleep(1)\n    os.system('refs/x', shell=True)\n",
        encoding="utf-8",
    )
    assert set(imports(path)) == {"json", "time", "gitorch.core.model", "gitorch.core"}
    assert called(path, STARTS_A_PROCESS) == ["8: os.system"]
    assert strings(path) == ["refs/x"]
