"""The rooms of the house: every file has one, and imports go down the floors only.

Imports inside functions and those for type checkers count, too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pybench
from pybench.public import HOME

ROOT = Path(__file__).parents[2]

# The floor of every room: a room imports rooms on lower floors. Rooms are the folders of pybench, and those below.
FLOORS = {
    "pybench": 0,  # the files that lie in pybench itself
    "machine": 1,
    "disk": 2,
    "images": 2,
    "ops": 2,
    "planning": 2,
    "datasets": 3,
    "metrics": 3,
    "results": 3,
    "training": 3,
    "backbones": 4,
    "methods": 5,
    "trial": 5,
    "gate": 6,
    "latency": 6,
    "executors": 7,
    "run": 8,
    "search": 9,
    "report": 10,
    "cli": 11,
}
FILES_OF_PYBENCH = {"types", "spec", "records", "registry", "hashing", "stages", "public", "version"}
# The ways in, above all floors: ``import pybench`` and ``python -m pybench``. No file imports them.
DOORS = {"__init__.py", "__main__.py"}
# What a room does without although it lies below.
CLOSED = {"methods": {"planning", "results"}}
# The native code, by folder; `*` is the folder of an op.
NATIVE_FLOORS = {"shared": 0, "cpu/shared": 1, "cuda/shared": 1, "cpu/*": 2, "cuda/*": 2, ".": 3}
# Where a library may be imported.
ONLY_IN = {
    "matplotlib": {"report/front_plot.py"},
    "ray": {"executors/ray.py", "executors/ray_task.py"},
    "rich": {"report/*", "cli/*"},
    "typer": {"cli/*"},
}


def modules() -> dict[str, Path]:
    """Every Python file of the project by its path below pybench/, or below the project for methods."""
    own = {file.relative_to(ROOT / "pybench").as_posix(): file for file in (ROOT / "pybench").rglob("*.py")}
    return own | {file.relative_to(ROOT).as_posix(): file for file in (ROOT / "methods").rglob("*.py")}


def imported(file: Path) -> set[str]:
    """Dotted names of all that a file imports; public names of pybench by the module that they lie in."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {HOME.get(name.removeprefix("pybench."), name) for name in found}


def room_of(path: str) -> str:
    """The room of a file, by its path as in ``modules``."""
    folder, _, rest = path.partition("/")
    return folder if rest else "pybench"


def rooms_imported(path: str, file: Path) -> Iterator[tuple[str, str]]:
    """Each room that a file imports, with the dotted name by which it does."""
    for name in imported(file):
        if name.startswith("pybench.") and not name.startswith("pybench._"):
            part = name.split(".")[1]
            yield (part if part in FLOORS else "pybench"), name


def test_nobody_imports_the_doors() -> None:
    names = {"pybench.__version__", "pybench.__main__"}
    users = [path for path, file in modules().items() if names & imported(file)]
    assert not users


def test_every_file_has_a_room() -> None:
    """A new folder, or a new file beside the rooms, is given its place in FLOORS or FILES_OF_PYBENCH."""
    for path in modules():
        if path in DOORS:
            continue
        room = room_of(path)
        assert room in FLOORS, f"{path}: no room '{room}'"
        if room == "pybench":
            assert path.removesuffix(".py") in FILES_OF_PYBENCH, f"{path}: lies beside the rooms"


def test_imports_go_down() -> None:
    for path, file in modules().items():
        if path in DOORS:
            continue
        own = room_of(path)
        for room, name in rooms_imported(path, file):
            assert room == own or FLOORS[room] < FLOORS[own], (
                f"{path} (floor {FLOORS[own]}) imports {name} (floor {FLOORS[room]})"
            )
            assert room not in CLOSED.get(own, ()), f"{path} imports {name}"


def test_import_pybench_imports_next_to_nothing() -> None:
    print_loaded = "import sys, pybench; print(*[name for name in sys.modules if name.startswith('pybench.')])"
    run = subprocess.run([sys.executable, "-c", print_loaded], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {"pybench.public", "pybench.version"}


def test_public_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "pybench" / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == HOME
    assert all(getattr(pybench, name).__name__ for name in HOME if name != "Part")
    with pytest.raises(AttributeError, match="no attribute 'Methods'"):
        _ = pybench.Methods  # type: ignore[attr-defined]


def test_a_library_is_imported_in_its_own_rooms_only() -> None:
    for library, places in ONLY_IN.items():
        users = [path for path, file in modules().items() if any(n.split(".")[0] == library for n in imported(file))]
        strangers = [path for path in users if not any(Path(path).match(place) for place in places)]
        assert not strangers, f"{library} is imported in {strangers}"


def native_room(path: str) -> str:
    folder = Path(path).parent.as_posix()
    return folder if folder in NATIVE_FLOORS else f"{folder.split('/')[0]}/*"


def test_native_code_has_rooms_too() -> None:
    """An op's folder includes what ops share, and no other op."""
    folder = ROOT / "csrc"
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    for path, file in files.items():
        if file.name == "CMakeLists.txt":
            continue
        assert native_room(path) in NATIVE_FLOORS, f"csrc/{path}: no room"
        for included in re.findall(r'#include "([^"]+)"', file.read_text()):
            if included == "cuda_emulation.h":  # of the tests, in the place of CUDA's own headers
                continue
            assert included in files, f"csrc/{path} includes {included} by another path than that below csrc"
            own, other = Path(path).parent, Path(included).parent
            lower = NATIVE_FLOORS[native_room(included)] < NATIVE_FLOORS[native_room(path)]
            assert own == other or lower, f"csrc/{path} includes {included}"


def test_the_gate_asks_nothing_of_the_revisions_that_it_measures() -> None:
    """Its worker runs in the environment of either; its rule needs no more than numpy."""
    worker, rule = (imported(ROOT / "pybench" / "gate" / name) for name in ("worker.py", "rule.py"))
    assert {name.split(".")[0] for name in worker} <= sys.stdlib_module_names
    assert {name.split(".")[0] for name in rule} <= {*sys.stdlib_module_names, "numpy"}


def test_help_imports_no_heavy_library() -> None:
    heavy = ("torch", "ray", "pandas", "scipy", "timm", "faiss", "sklearn", "matplotlib")
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pybench", "--help"], capture_output=True, text=True, check=True
    )
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in run.stderr.splitlines() if "import time:" in line}
    assert "typer" in loaded
    assert not loaded & set(heavy)
    assert "pybench run mvtec_rto" in run.stdout


def test_files_are_small() -> None:
    files = [*modules().values(), *(ROOT / "tests").rglob("*.py")]
    long = {str(file.relative_to(ROOT)): lines for file in files if (lines := len(file.read_text().splitlines())) > 400}
    assert not long


def test_functions_are_small() -> None:
    """60 lines at most; of a command of the CLI, whose options are its parameters, the body counts."""
    long = {}
    for path, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0].lineno if room_of(path) == "cli" else node.lineno
                if (lines := (node.end_lineno or 0) - first + 1) > 60:
                    long[f"{path}: {node.name}"] = lines
    assert not long


def test_unit_tests_lie_as_the_rooms_do() -> None:
    """``tests/unit/ROOM/test_FILE.py`` or ``test_FILE_ASPECT.py`` tests ``FILE.py`` of that room."""
    unit, strangers = ROOT / "tests" / "unit", []
    for test in unit.rglob("*/test_*.py"):
        folder, name = test.parent.relative_to(unit).as_posix(), test.stem.removeprefix("test_")
        stems = {Path(path).stem.removeprefix("_") for path in modules() if Path(path).parent.as_posix() == folder}
        if not any(name == stem or name.startswith(f"{stem}_") for stem in stems):
            strangers.append(f"{folder}/{test.name}")
    assert not strangers
