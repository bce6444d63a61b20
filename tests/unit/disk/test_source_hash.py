"""Which files a piece of code runs, as its imports say, and the hash of what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pybench.disk.source_hash import installed_modules, modules_in, source_hash, sources_of
from pybench.public import HOME


def write_package(folder: Path, files: dict[str, str]) -> Path:
    """Writes files by path and content, an empty ``__init__.py`` in each folder that is given none, and ``unused.py``,
    which no other file imports."""
    for name, content in {"unused.py": "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        (path.parent / "__init__.py").touch()
    return folder


def paths_below(folder: Path, files: Iterable[Path]) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in files}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "maps.py": "import numpy\n",
        "types.py": "",
        "room/__init__.py": "from pybench.room.first import something\n",
        "room/first.py": "something = 1\n",
        "room/second.py": "",
    }
    return write_package(tmp_path / "pybench", files)


def found(package: Path, source: str) -> set[str]:
    """Paths of the files of the package that a plug-in with this source runs."""
    plugin = package.parent / f"plugin_{abs(hash(source))}.py"  # a file is read once in a process
    plugin.write_text(source)
    files = sources_of([plugin], modules_in("pybench", package))
    assert plugin in files
    return paths_below(package, files - {plugin})


@pytest.mark.parametrize(
    "source",
    [
        "import pybench.maps",
        "from pybench import maps",
        "from pybench.maps import smooth",
        "def late():\n    from pybench import maps",
        "import pybench\nx = pybench.maps.smooth",
        "import pybench as bench\nx = bench.maps.smooth",
        "try:\n    import pybench.maps\nexcept ImportError:\n    pass",
        "if TYPE_CHECKING:\n    import pybench.unused\nelse:\n    import pybench.maps",
    ],
)
def test_every_way_to_import_a_module_is_seen(package: Path, source: str) -> None:
    assert found(package, source) == {"maps.py"}


def test_a_module_counts_with_its_package_and_what_that_imports(package: Path) -> None:
    assert found(package, "import pybench.room.second") == {"room/__init__.py", "room/first.py", "room/second.py"}
    assert found(package, "import pybench.types, numpy, missing\nfrom . import other") == {"types.py"}


def test_imports_for_type_checkers_do_not_count(package: Path) -> None:
    source = "import typing\nif typing.TYPE_CHECKING:\n    from pybench import unused\n"
    assert found(package, source) == set()


def test_relative_imports_are_followed(package: Path) -> None:
    write_package(
        package, {"room/second.py": "from . import first\nfrom ..maps import smooth\n", "room/__init__.py": ""}
    )
    assert found(package, "import pybench.room.second") == {
        "maps.py",
        "room/__init__.py",
        "room/first.py",
        "room/second.py",
    }


@pytest.mark.parametrize("name", sorted(HOME))
def test_a_public_name_leads_to_its_module(tmp_path: Path, name: str) -> None:
    plugin = tmp_path / "plugin.py"
    home = installed_modules()[HOME[name]]
    for source in (f"from pybench import {name}", f"import pybench\nx = pybench.{name}"):
        plugin.write_text(source)
        assert home in sources_of([plugin], installed_modules())
        plugin = tmp_path / "another.py"  # a file is read once in a process


def test_a_plugin_of_an_installed_package_counts_with_its_package(tmp_path: Path) -> None:
    mine = "from ..networks import net\nfrom detectors import loss\n"
    files = {"methods/mine.py": mine, "networks/net.py": "", "loss.py": ""}
    folder = write_package(tmp_path / "detectors", files)
    assert paths_below(folder, sources_of([folder / "methods" / "mine.py"], {})) == {
        "__init__.py",
        "loss.py",
        "methods/__init__.py",
        "methods/mine.py",
        "networks/__init__.py",
        "networks/net.py",
    }


def test_native_modules_count() -> None:
    modules = installed_modules()
    assert modules["pybench._cpu"].suffix == ".so"
    assert modules["pybench._cpu"] in sources_of([modules["pybench.ops"]], modules)


def test_the_hash_does_not_depend_on_where_the_sources_lie(tmp_path: Path) -> None:
    """A plug-in lies elsewhere on a node of a cluster, before or after pybench's own sources."""
    hashes = set()
    for folders in (("a", "b"), ("b", "a")):
        files = [tmp_path / "".join(folders) / folder / "source.py" for folder in folders]
        for file, content in zip(files, ("x = 1", "y = 2"), strict=True):
            file.parent.mkdir(parents=True)
            file.write_text(content)
        hashes.add(source_hash(sorted(files)))
    assert len(hashes) == 1
