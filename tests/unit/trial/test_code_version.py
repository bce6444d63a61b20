"""What a record's code version covers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pybench import registry
from pybench.disk import source_hash
from pybench.disk.source_hash import with_imports
from pybench.spec import TrialSpec
from pybench.trial.code_version import code_version


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
    assert {path.name for path in with_imports(file)} == {"mine.py", "maps.py", "stages.py", "types.py"}


def test_it_does_not_depend_on_where_the_sources_lie(tmp_path: Path) -> None:
    """A plug-in lies elsewhere on a node of a cluster, before or after pybench's own sources."""
    digests = set()
    for folders in (("a", "b"), ("b", "a")):
        files = [tmp_path / "".join(folders) / folder / "source.py" for folder in folders]
        for file, content in zip(files, ("x = 1", "y = 2"), strict=True):
            file.parent.mkdir(parents=True)
            file.write_text(content)
        digests.add(source_hash.digest(sorted(files)))
    assert len(digests) == 1


def test_the_code_that_draws_counts_for_validation_only(make_spec: Callable[..., TrialSpec]) -> None:
    assert code_version(make_spec()) != code_version(make_spec(evaluate_on="test"))
    assert code_version(make_spec(evaluate_on="oracle")) == code_version(make_spec(evaluate_on="test"))
