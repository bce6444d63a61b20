"""An environment of its own for a revision: pybench as that revision builds it, native ops included.

<cache folder>/gate/<key>/       a virtual environment; pybench is installed into it
<cache folder>/gate/lock         held while a gate runs, so that another gate removes nothing that it uses

Dependencies are those of the running interpreter, whose site-packages the environment sees after its own (an
environment with a torch of its own would be 6 GB); pip adds what a revision needs beyond them. A ``.pth`` file that
names a folder does not run the ``.pth`` files in it, so the hooks of editable installs have no effect, and the
worker checks where its modules came from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pybench.disk.compute_once import locked
from pybench.disk.paths import cache_folder
from pybench.gate.process import Side, SideError
from pybench.gate.revisions import Repository, Revision
from pybench.machine.environment import environment

_KEPT = 8  # environments, a few megabytes each; the least recently used ones are removed
_NOT_BUILT_FROM = {".ci", ".github", "docs", "results", "tests"}  # at the top of the tree
_LOG_LINES = 25


@contextmanager
def environments(report: Callable[[str], None]) -> Iterator[Environments]:
    """The cached environments, for one gate at a time.

    Raises:
        InputError: the cache folder cannot be written.
    """
    folder = (cache_folder() / "gate").absolute()
    with locked(folder / "lock", lambda _: report("waiting for another gate on this machine")):
        yield Environments(folder, report)


class Environments:
    """Builds what is not in the cache; ``report`` gets a line when a build begins."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder, self._report = folder, report

    def side(self, name: str, repository: Repository, revision: Revision) -> Side:
        """A revision's environment, as base or head.

        Raises:
            SideError: it cannot be built.
        """
        place = self._folder / self._key(repository, revision)
        built = place / "built"
        if not built.is_file():
            self._report(f"building {name}: {revision}")
            shutil.rmtree(place, ignore_errors=True)
            try:
                _build(place, repository, revision)
            except _CommandError as error:
                shutil.rmtree(place, ignore_errors=True)
                log = "\n".join(str(error).splitlines()[-_LOG_LINES:])
                raise SideError(name, f"{revision} does not build:\n{log}") from None
        built.touch()
        self._remove_oldest()
        return Side(name, (str(_python(place)), "-I"), place)

    def _key(self, repository: Repository, revision: Revision) -> str:
        """A hash of what an environment depends on: files that go into the build, interpreter, dependencies."""
        parts = sorted(item for item in repository.parts(revision).items() if item[0] not in _NOT_BUILT_FROM)
        depends_on = (parts, sys.version, sys.executable, _dependencies(), _options())
        return hashlib.sha256(repr(depends_on).encode()).hexdigest()[:16]

    def _remove_oldest(self) -> None:
        by_use = sorted(self._folder.glob("*/built"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in by_use[_KEPT:]:
            shutil.rmtree(file.parent, ignore_errors=True)


class _CommandError(Exception):
    """A command failed; the message is what it printed."""


def _build(place: Path, repository: Repository, revision: Revision) -> None:
    venv.create(place, symlinks=True, with_pip=find_spec("pip") is None)
    packages = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(place), "platbase": str(place)}))
    (packages / "dependencies.pth").write_text("".join(f"{folder}\n" for folder in _dependencies()))
    source, wheels = place / "source", place / "wheels"
    repository.export(revision, source)
    pip = [str(_python(place)), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(*pip, "wheel", "--no-deps", *_options(), "--wheel-dir", str(wheels), str(source))
    (wheel,) = map(str, wheels.glob("*.whl"))
    # pip must leave the pybench of the running interpreter alone; the second call adds missing dependencies.
    _run(*pip, "install", "--no-deps", "--ignore-installed", wheel)
    _run(*pip, "install", wheel)
    shutil.rmtree(source)
    shutil.rmtree(wheels)


def _python(place: Path) -> Path:
    return place / "bin" / "python"


def _dependencies() -> list[str]:
    """The folders of installed packages that the running interpreter sees, without source trees of pybench."""
    return [folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]


def _options() -> list[str]:
    """How wheels are built: with the build tools that are installed here, where all are, so that no network is needed;
    the kernels for GPUs only where there is one, since they take long to compile."""
    has_tools = find_spec("scikit_build_core") and find_spec("pybind11") and shutil.which("cmake")
    cuda = "AUTO" if environment()["gpus"] else "OFF"
    return [*(["--no-build-isolation"] if has_tools else []), f"--config-settings=cmake.define.PYBENCH_CUDA={cuda}"]


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=_environment()
    )
    if done.returncode:
        raise _CommandError(done.stdout)


def _environment() -> dict[str, str]:
    """The variables of this process, without those that change what is built."""
    return {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "CXXFLAGS", "PYTHONPATH")}
