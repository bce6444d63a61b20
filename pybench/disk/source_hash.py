"""The source files that a piece of code runs, found by following its imports, and a hash of their contents."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from pybench.public import HOME

Modules = Mapping[str, Path]
NATIVE = ("pybench._cpu", "pybench._cuda")


def source_hash(files: Iterable[Path]) -> str:
    """A hash, 16 hex digits, of the contents of files. It does not depend on their paths, which differ by machine.

    A file is read once in a process: a later change of it does not change the hash.
    """
    sha = hashlib.sha256()
    for content in sorted(map(_file_hash, files)):
        sha.update(content)
    return sha.hexdigest()[:16]


@cache
def hash_with_imports(file: Path) -> str:
    """The hash of an installed file together with all of pybench that it imports."""
    return source_hash(sources_of([file], installed_modules()))


def sources_of(files: Iterable[Path], modules: Modules) -> frozenset[Path]:
    """The files, the modules that they import, those that these import, and so on.

    Imports inside functions count. Those under ``if TYPE_CHECKING:`` do not, because they never run. The packages of a
    module count with it, because Python runs their ``__init__.py`` first. For a file that is part of a package outside
    of ``modules`` (an installed plug-in), what it imports of that package counts too.

    Args:
        files: where to begin.
        modules: the file of each module, by its dotted name; see ``modules_in``. Imports of other modules do not count.
    """
    waiting = list(files)
    for file in set(waiting) - set(modules.values()):
        modules = {**_own_package(file), **modules}
    names = {file: name for name, file in modules.items()}
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(modules[name] for name in _imported(file, names.get(file, "")) if name in modules)
    return frozenset(found)


@cache
def installed_modules() -> Modules:
    """pybench's modules, its methods and its native modules, as this process would import them."""
    packages = ("pybench", "pybench.methods")
    found = {name: file for package in packages for name, file in modules_in(package, _folder(package)).items()}
    native = {name: importlib.util.find_spec(name) for name in NATIVE}
    return {**found, **{name: Path(spec.origin) for name, spec in native.items() if spec and spec.origin}}


def modules_in(package: str, folder: Path) -> dict[str, Path]:
    """The Python files of a package by dotted name.

    The ``__init__.py`` of ``pybench`` itself is left out: it only says in which modules the public names lie, and the
    import of a public name is followed to its module.
    """
    found = {}
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder).with_suffix("").parts
        found[".".join([package, *(part for part in parts if part != "__init__")])] = file
    found.pop("pybench", None)
    return found


def _own_package(file: Path) -> dict[str, Path]:
    """The modules of the package that a file is part of; none for a file that lies by itself."""
    top = file.parent
    if not (top / "__init__.py").is_file():
        return {}
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    return modules_in(top.name, top)


def _imported(file: Path, name: str) -> Iterator[str]:
    """The dotted names of what a file imports, and of the packages that it and those lie in.

    Not all are modules: ``from a import b`` may name a function. ``name`` is the file's own, for relative imports.
    """
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for dotted in [name, *(_import_statements(file) if file.suffix == ".py" else ())]:
        if dotted.startswith("."):
            try:
                dotted = importlib.util.resolve_name(dotted, package)
            except ImportError:  # outside of all packages
                continue
        home = HOME.get(dotted.removeprefix("pybench."), dotted)
        parts = home.split(".")
        yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


@cache
def _import_statements(file: Path) -> frozenset[str]:
    """Dotted names in a file's import statements (relative ones with their dots) and in uses like ``pybench.train``."""
    finder = _ImportFinder()
    finder.visit(ast.parse(file.read_bytes()))
    return frozenset(finder.found)


class _ImportFinder(ast.NodeVisitor):
    """Collects the names that a module's code imports when it runs."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._packages: dict[str, str] = {}  # what ``import`` bound, by the name that the code uses

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
            return
        for statement in node.orelse:
            self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.found.add(alias.name)
            top = alias.name.partition(".")[0]
            self._packages[alias.asname or top] = alias.name if alias.asname else top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        self.found.add(base)
        self.found |= {f"{base}{'.' if node.module else ''}{alias.name}" for alias in node.names}

    def visit_Attribute(self, node: ast.Attribute) -> None:
        names: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in self._packages:
            self.found.add(".".join([self._packages[inner.id], *reversed(names)]))
        self.generic_visit(node)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is part of the installation"
    assert spec.origin is not None, f"{package} has an __init__.py"
    return Path(spec.origin).parent


@cache
def _file_hash(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
