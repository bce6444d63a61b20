"""What the layout promises: imports go one way, and the command line starts without the heavy libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pybench

PACKAGE = Path(pybench.__file__).parent
METHODS = PACKAGE.parent / "methods"

# What a module may import of pybench, by the folder or file that it lies in; others may import anything.
ALLOWED = {
    "types": set(),
    "hashing": set(),
    "records": {"hashing"},
    "metrics": {"types", "metrics", "ops"},
    "ops": {"types", "ops", "_cpu", "_cuda"},
    "datasets": {"types", "datasets", "images", "decoding", "paths"},
    "images": {"types", "decoding", "warping", "hashing", "stages"},
    "stages": set(),
    "suite": {"types", "records", "registry", "strict_yaml", "search"},
    "limits": {"types", "records", "registry"},
    "pareto": set(),
    "durable": {"types"},
    "underway": set(),
    "store": {"types", "records", "registry", "report", "durable", "hashing"},
    "backbones": {
        "types",
        "registry",
        "geometry",
        "backbones",
        "training",
        "synthesis",
        "varied_defects",
        "learning_rate",
        "kept",
        "sources",
        "hashing",
        "paths",
        "durable",
    },
    "features": {"types", "geometry", "backbones", "training", "hashing", "feature_cache", "stages"},
    "feature_cache": {"types", "paths", "bounded", "durable"},
    "bounded": {"types"},
    "fitted": {"types", "records", "hashing", "paths", "bounded", "kept", "durable"},
    "percentiles": {"records"},
    "gallery": {"types", "images", "geometry"},
    "training": {"types", "geometry", "hashing", "durable"},
    "textures": {"ops"},
    "synthesis": {"types", "ops", "decoding", "images", "textures"},
    "varied_defects": {"synthesis"},
    "losses": {"types"},
    "learning_rate": set(),
    "kept": {"types", "durable"},
    "sources": {"methods"},
    "methods": {
        "types",
        "ops",
        "features",
        "backbones",
        "geometry",
        "maps",
        "training",
        "synthesis",
        "losses",
        "stages",
        "methods",
        "templates",
    },
    "templates": {"ops"},
}
RAY = {"executors/ray.py", "executors/ray_task.py"}


def imported(file: Path) -> set[str]:
    """Dotted names of all modules that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> dict[str, Path]:
    """Every module of the project by its path below the package; methods as ``methods/NAME.py``."""
    own = {file.relative_to(PACKAGE).as_posix(): file for file in PACKAGE.rglob("*.py")}
    return own | {f"methods/{file.relative_to(METHODS).as_posix()}": file for file in METHODS.rglob("*.py")}


def test_imports_go_one_way() -> None:
    for name, file in modules().items():
        part = name.split("/")[0].removesuffix(".py")
        if part not in ALLOWED:
            continue
        used = {module.split(".")[1] for module in imported(file) if module.startswith("pybench.")}
        assert used <= ALLOWED[part], f"{name} imports {sorted(used - ALLOWED[part])} of pybench"


def test_ray_is_imported_in_its_own_files_only() -> None:
    users = {name for name, file in modules().items() if any(m.split(".")[0] == "ray" for m in imported(file))}
    assert users <= RAY


def test_rich_is_imported_for_showing_only() -> None:
    users = {name for name, file in modules().items() if any(m.split(".")[0] == "rich" for m in imported(file))}
    assert all(name.startswith(("report/", "cli/")) for name in users), users


def test_matplotlib_is_imported_in_one_file() -> None:
    users = {name for name, file in modules().items() if any(m.split(".")[0] == "matplotlib" for m in imported(file))}
    assert users == {"report/front_plot.py"}


def test_the_gate_asks_nothing_of_the_revisions_that_it_measures() -> None:
    """Its worker runs in the environment of either; its rule needs no more than numpy."""
    worker, rule = (imported(PACKAGE / "gate" / name) for name in ("worker.py", "rule.py"))
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
    long = {name: lines for name, file in modules().items() if (lines := len(file.read_text().splitlines())) > 400}
    assert not long
