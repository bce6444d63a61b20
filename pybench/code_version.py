"""A hash of the sources that a trial's result depends on: a record made by other code is not taken for this one's."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from pybench import methods, registry
from pybench.records import TrialSpec

_HERE = Path(__file__).parent
_METHODS = Path(str(methods.__path__[0]))
_SHARED = ("data.py", "decoding.py", "images.py", "warping.py", "rto.py", "hashing.py", "trial.py", "latency.py")


def code_version(spec: TrialSpec) -> str:
    """16 hex digits over the method with all of pybench that it imports, its metrics and data set, the native ops and
    what trials share.

    The CLI, reports and executors are left out: they do not change a result.
    """
    files = {*_with_imports(registry.source("method", spec.method)), registry.source("dataset", spec.dataset)}
    files |= {registry.source("metric", name) for name in spec.metrics}
    sha = hashlib.sha256()
    for file in (*sorted(files), *_shared_files()):
        sha.update(_file_digest(file))
    return sha.hexdigest()[:16]


@cache
def _with_imports(file: Path) -> frozenset[Path]:
    """A file and the modules of pybench that it imports, and so on from each; the native ops count anyway."""
    found, waiting = {file}, [file]
    while waiting:
        new = {source for source in map(_source, _imported(waiting.pop())) if source.is_file()} - found
        found |= new
        waiting.extend(new)
    return frozenset(found)


def _imported(file: Path) -> set[str]:
    """Dotted names below ``pybench`` in a file's imports; a name imported from a module may be a module itself."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [_package(file, node.level), node.module]))
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("pybench.")}


def _package(file: Path, level: int) -> str:
    """What the dots of a relative import stand for; nothing in an absolute one, or outside of pybench."""
    for folder, name in ((_METHODS, "pybench.methods"), (_HERE, "pybench")):
        if level and file.is_relative_to(folder):
            package = [name, *file.relative_to(folder).parts]
            return ".".join(package[:-level])
    return ""


def _source(module: str) -> Path:
    """Where the source of a module of pybench would lie."""
    if module.startswith("pybench.methods."):
        return _METHODS.joinpath(*module.split(".")[2:]).with_suffix(".py")
    return _HERE.joinpath(*module.split(".")[1:]).with_suffix(".py")


@cache
def _shared_files() -> tuple[Path, ...]:
    folders = [*(_HERE / "ops").glob("*.py"), *(_HERE / "metrics").glob("_*.py"), *_native_modules()]
    return tuple(sorted([*(_HERE / name for name in _SHARED), *folders]))


def _native_modules() -> list[Path]:
    try:
        import pybench._cpu
    except ImportError:
        return []
    return [Path(pybench._cpu.__file__)]


@cache
def _file_digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
