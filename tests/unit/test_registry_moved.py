"""A plug-in from before the rooms is answered in one line that says where its imports lie now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pybench import registry
from pybench.registry import MOVED
from pybench.types import InputError


@pytest.mark.parametrize("statement", ["from {0}.{1} import something", "import {0}.{1}", "from {0} import {1}"])
@pytest.mark.parametrize("module", sorted(MOVED))
def test_a_moved_module_is_named_with_its_new_place(tmp_path: Path, module: str, statement: str) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text(statement.format(*module.split(".")))
    registry.add_plugins(tmp_path)
    with pytest.raises(InputError) as caught:
        registry.load("method", "mine")
    message = str(caught.value)
    assert message.startswith(f"method 'mine' cannot be imported: {module} is now {MOVED[module]}; ")
    assert "from pybench import Method" in message
    assert "\n" not in message


def test_the_new_places_are_there() -> None:
    assert all(importlib.util.find_spec(module) for module in MOVED.values())
    assert not any(importlib.util.find_spec(module) for module in MOVED)


def test_a_public_name_that_is_asked_of_another_module_is_named_with_its_import(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("from pybench.training import train\n")
    registry.add_plugins(tmp_path)
    with pytest.raises(InputError, match=r"'train' is not in pybench\.training; write: from pybench import train$"):
        registry.load("method", "mine")


def test_any_other_missing_module_is_named_as_python_does(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("import pybench.nothing_like_it\n")
    registry.add_plugins(tmp_path)
    with pytest.raises(InputError, match=r"ModuleNotFoundError: No module named 'pybench\.nothing_like_it'"):
        registry.load("method", "mine")
