"""What a record's code version covers."""

from __future__ import annotations

from pathlib import Path

from pybench import registry
from pybench.sources import with_imports


def names(method: str) -> set[str]:
    return {"/".join(file.parts[-2:]) for file in with_imports(registry.source("method", method))}


def test_a_method_counts_with_what_it_imports_of_pybench() -> None:
    found = names("ndp_net")
    assert {"methods/ndp_net.py", "networks/ndp_net.py", "networks/ndp_net_attention.py"} <= found
    assert {"pybench/training.py", "pybench/synthesis.py", "pybench/textures.py", "ops/perlin.py"} <= found
    assert "networks/local_occ.py" not in found
    assert "pybench/templates.py" not in names("padim")


def test_a_plugin_counts_with_what_it_imports_of_pybench(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import numpy\nfrom pybench import maps\nfrom pybench.types import Method\nfrom . import other\n")
    assert {path.name for path in with_imports(file)} == {"mine.py", "maps.py", "types.py"}
