"""What the guide and the README tell a reader to type works as it stands there.

Every ``$`` line of a console block is checked in one of the ways of ``WAYS``; a line that none of them names fails.
YAML blocks are loaded as suites and Python blocks are run. The data and the suites' budgets are tiny: see ``small``.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from pybench import registry
from pybench.cli.app import app
from pybench.planning.suite import load_suite

REPOSITORY = Path(__file__).parents[2]
GUIDE = REPOSITORY / "docs" / "guide"
FIRST = GUIDE / "first-detector.md"
PAGES = [REPOSITORY / "README.md", *sorted(GUIDE.glob("*.md"))]

# How a command is checked; the first pattern that it begins with counts.
#   run    it is run, and must end well
#   plan   it is run with --dry-run: the suite and every option are resolved, no trial is run
#   parse  its arguments and options are parsed; it would take minutes, or needs what is not here (a run, a cluster)
#   tool   it is another program's; the make targets and files that it names must be there
WAYS = [
    ("pybench run lids.yaml --data-root ~/photos --dry-run", "run"),
    ("pybench run my_suite.yaml", "run"),
    ("pybench run results/mvtec_ad_tune_hetmm/best.yaml", "parse"),
    ("pybench run", "plan"),
    ("pybench tune lids.yaml", "run"),
    ("pybench tune", "parse"),
    ("pybench latency results/lids", "run"),
    ("pybench latency", "parse"),
    ("pybench best", "run"),
    ("pybench show mvtec_ad --format json --filter status=failed", "parse"),  # no trial of the tutorial fails
    ("pybench show", "run"),
    ("pybench export", "run"),
    ("pybench submit", "parse"),
    ("pybench gate", "parse"),
    ("pybench list", "run"),
    ("pybench doctor", "run"),
    ("pybench data check folder", "run"),
    ("pybench data check", "parse"),
    ("pybench data standin", "parse"),
    ("pybench data sheet --to sheets --category bottle", "run"),
    ("pybench data sheet", "parse"),
    *[(f"{tool} ", "tool") for tool in ("make", "source", "ray", "sbatch", "kubectl", "pytest")],
]
# The tutorial's own run is really run, once: other commands read its records.
TUTORIAL = "pybench run lids.yaml --data-root ~/photos"
QUICKER = {
    "run": ["--executor", "inline"],
    "tune": ["--executor", "inline", "--samples", "2", "--filter", "category=lid"],
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def typed(line: str) -> str:
    """A line of a console block without its comment."""
    return re.sub(r"\s+#.*", "", line[2:]).strip()


def way(command: str) -> str:
    return next((how for start, how in WAYS if command.startswith(start)), "")


def small(suite: dict[str, Any]) -> dict[str, Any]:
    """The suite with small images and a short latency measurement; nothing else is changed."""
    methods = [{**entry, "params": {**entry.get("params", {}), **SMALL_PARAMS}} for entry in suite["methods"]]
    latency = SHORT_LATENCY if suite.get("latency", True) else None
    return {**suite, "methods": methods, "latency": latency}


SMALL_PARAMS = {"image_size": 64, "crop_size": None}
SHORT_LATENCY = {"calls": 30, "seconds": 0.1, "processes": 1, "batch_sizes": []}


def write_suites(page: Path, folder: Path) -> None:
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if "datasets" in content:
            (folder / f"{content['name']}.yaml").write_text(yaml.safe_dump(small(content)))


def arguments(command: str, folder: Path) -> list[str]:
    """What follows ``pybench``, with the home folder replaced by the test's."""
    return [part.replace("~/", f"{folder}/") for part in shlex.split(command)[1:]]


def call(command: str, folder: Path, *more: str) -> None:
    given = arguments(command, folder)
    done = CliRunner().invoke(app, [*given, *more])
    assert done.exit_code == 0, f"{command}\n{done.output}\n{done.exception!r}"


def parse(command: str, folder: Path) -> None:
    """Parse a command as its own parser does, down to its options, and go no further."""
    parser: Any = typer.main.get_command(app)
    given = arguments(command, folder)
    while hasattr(parser, "resolve_command"):
        name, parser, given = parser.resolve_command(parser.make_context("pybench", list(given)), given)
    parser.make_context(name, list(given))


def check_tool(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), command
    for word in words[1:]:
        if word.startswith("docs/"):
            assert (REPOSITORY / word).is_file(), command


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder with ``photos``, an empty ``data``, the guide's suites and plug-ins, and the tutorial's results."""
    folder = tmp_path_factory.mktemp("home")
    photograph(folder / "photos")
    (folder / "data").mkdir()
    plug_in(folder / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYBENCH_CACHE", str(folder / "cache"))
        patch.setenv("PYBENCH_FITTED_GB", "1")  # so that measuring a latency does not fit again
        patch.setattr(registry, "_plugin_folders", [])
        for page in PAGES:
            write_suites(page, folder)
        write_suites(FIRST, folder)
        with one_core():
            call(TUTORIAL, folder, *QUICKER["run"])
        # Other pages read a run of mvtec_ad; the tutorial's records stand for it.
        shutil.copytree(folder / "results" / "lids", folder / "results" / "mvtec_ad")
        yield folder


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """This process and its children have one core, so that a latency is measured in one process only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def photograph(folder: Path) -> None:
    """Ten good images and four with a square on them, of two products."""
    for category in ("lid", "plate"):
        random = np.random.default_rng(len(category))
        for number in range(14):
            picture = random.normal(120, 6, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            if number < 10:
                save(folder / category / "ok" / f"{number}.png", picture)
                continue
            mask = np.zeros((40, 40), np.uint8)
            row, column = random.integers(4, 28, 2)
            mask[row : row + 8, column : column + 8] = 255
            save(folder / category / "masks" / "dent" / f"{number}.png", mask)
            save(folder / category / "nok" / "dent" / f"{number}.png", np.where(mask[..., None] > 0, 220, picture))


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def plug_in(folder: Path) -> None:
    """The method and the metric that the guide writes, in files named for them."""
    for block in blocks(GUIDE / "own-method.md", "python"):
        method, metric = re.search(r'^    name = "(\w+)"', block, re.MULTILINE), re.search(r'Metric\("(\w+)"', block)
        found = method or metric
        assert found is not None, block
        file = folder / ("methods" if method else "metrics") / f"{found[1]}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands(page: Path, workspace: Path) -> None:
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    write_suites(page, workspace)
    for command in map(typed, lines):
        how = way(command)
        if command == TUTORIAL and page == FIRST:
            how = "run"  # again: every record is there
        if how == "run":
            call(command, workspace, *QUICKER.get(command.split()[1], []))
        elif how == "plan":
            call(command, workspace, "--dry-run")
        elif how == "parse":
            parse(command, workspace)
        else:
            assert how == "tool", f"{page.name}: no way to check `{command}`; name one in WAYS"
            check_tool(command)


def test_every_way_is_used() -> None:
    lines = [typed(line) for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    starts = {next((start for start, _ in WAYS if line.startswith(start)), "") for line in lines}
    assert {start for start, _ in WAYS} <= starts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_blocks(page: Path, workspace: Path, tmp_path: Path) -> None:
    registry.add_plugins(workspace / "mine")
    for number, block in enumerate(blocks(page, "yaml")):
        content = yaml.safe_load(block)
        if "datasets" in content:
            file = tmp_path / f"{number}.yaml"
            file.write_text(block)
            load_suite(str(file))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks(page: Path, workspace: Path) -> None:
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": page.stem.replace("-", "_")})
