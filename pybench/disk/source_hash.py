"""Which of pybench's sources a module stands on, and a hash of them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pybench import methods

_HERE = Path(__file__).parents[1]
_METHODS = Path(str(methods.__path__[0]))


def digest(files: Iterable[Path]) -> str:
    """16 hex digits over the contents of files, wherever they lie: on another machine their order may be another."""
    sha = hashlib.sha256()
    for content in sorted(map(_file_digest, files)):
        sha.update(content)
    return sha.hexdigest()[:16]


@cache
def with_imports(file: Path) -> frozenset[Path]:
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
def _file_digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
