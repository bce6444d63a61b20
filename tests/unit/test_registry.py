"""Methods are found by name; what is wrong with a name or a file is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybench import registry
from pybench.types import InputError


def test_the_registry_names_the_nearest_and_reports_a_broken_file(tmp_path: Path) -> None:
    assert {"hetmm", "padim", "patchcore"} <= set(registry.names("method"))
    with pytest.raises(InputError, match="did you mean 'patchcore'"):
        registry.load("method", "patch_core")
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "methods" / "empty.py").write_text("")
    registry.add_plugins(tmp_path)
    with pytest.raises(InputError, match="'broken' cannot be imported: ModuleNotFoundError"):
        registry.load("method", "broken")
    with pytest.raises(InputError, match="expected one Method class named 'empty'"):
        registry.load("method", "empty")
    with pytest.raises(InputError, match="no plug-ins here"):
        registry.add_plugins(tmp_path / "methods")
