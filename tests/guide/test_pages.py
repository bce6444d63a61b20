"""What the pages name is there: every file of a room, every file on the way of a suite, every link of the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_rooms import FLOORS

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "pybench"
ARCHITECTURE = REPOSITORY / "docs" / "design" / "architecture.md"
ROW = re.compile(r"^\| (\d+) \| `([a-z]+/?)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
# Pages outside docs/, whose links Sphinx does not see.
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def folder_of(room: str) -> Path:
    if room == "pybench":
        return PACKAGE
    return REPOSITORY / room if room.endswith("/") else PACKAGE / room


def test_the_map_names_every_room() -> None:
    named = {room for _, room, _ in ROW.findall(ARCHITECTURE.read_text())}
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()}
    assert named == {*rooms, "pybench", "methods/"}


def test_the_map_names_the_floors() -> None:
    assert {room.rstrip("/"): int(floor) for floor, room, _ in ROW.findall(ARCHITECTURE.read_text())} == FLOORS


@pytest.mark.parametrize(("room", "files"), [(room, files) for _, room, files in ROW.findall(ARCHITECTURE.read_text())])
def test_the_map_names_every_file(room: str, files: str) -> None:
    there = {file.stem for file in folder_of(room).glob("*.py") if not file.stem.startswith("__")}
    assert set(files.split(", ")) == there


def test_the_way_of_a_suite_names_files_that_are_there() -> None:
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", ARCHITECTURE.read_text())
    assert len(named) > 10
    assert not [name for name in named if not ((PACKAGE / name).is_file() or (REPOSITORY / name).is_file())]


@pytest.mark.parametrize("page", OUTSIDE)
def test_links_outside_the_site(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (REPOSITORY / page).read_text())
    assert not [link for link in links if "://" not in link and not (REPOSITORY / link).exists()]
