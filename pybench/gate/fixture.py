"""What the pytest fixture ``gate`` does when a test calls it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pybench.gate import run
from pybench.gate.explain import explain
from pybench.gate.process import Side, SideError, Source
from pybench.gate.revisions import Repository
from pybench.gate.rule import CaseResult, Verdict
from pybench.types import InputError


def measure(request: pytest.FixtureRequest, factory: str, base: str | None) -> CaseResult | None:
    """Time a factory's call; against a base, let the test fail or be skipped as the verdict says.

    Args:
        factory: ``package.module:function``, which is imported from pytest's root folder or one of its ``pythonpath``.
        base: a revision of the git repository that the root folder lies in; None compares with nothing, and returns
            nothing.
    """
    module, colon, name = factory.partition(":")
    if not (module and colon and name.isidentifier()):
        pytest.fail(f"gate({factory!r}): expected 'package.module:factory'", pytrace=False)
    source = Source("factory_cases.py", {"factory": factory, "package": module.split(".")[0]})
    folders = [request.config.rootpath, *map(Path, request.config.getini("pythonpath"))]
    try:
        if base is None:
            _show(request, run.time_one_side(_side("head", folders[0], folders), source), {})
            return None
        with _sides(base, folders) as (of_base, of_head):
            results = run.compare(of_base, of_head, source)
    except (InputError, SideError) as error:
        pytest.fail(str(error), pytrace=False)
    if not results:
        pytest.fail(f"gate({factory!r}): neither {base} nor the working tree has it", pytrace=False)
    _conclude(request, results[0], base)
    return results[0]


def _conclude(request: pytest.FixtureRequest, result: CaseResult, base: str) -> None:
    """Hand the times to pytest-benchmark, then fail or skip."""
    if result.ratios:
        head = np.concatenate([pairs.head for pairs in result.pairs])
        ratio = asdict(result.ratio)
        _show(request, head, {"gate_base": base, "verdict": str(result.verdict), **ratio})
    sentences = "\n".join(explain(result, base))
    if result.verdict.is_failure:
        pytest.fail(sentences, pytrace=False)
    if result.verdict in (Verdict.noisy, Verdict.new):
        pytest.skip(sentences)


@contextmanager
def _sides(base: str, folders: Sequence[Path]) -> Iterator[tuple[Side, Side]]:
    """The base's files in a temporary folder, and the working tree where it lies, with the same interpreter."""
    with tempfile.TemporaryDirectory(prefix="pybench-gate-") as scratch:
        repository = Repository(folders[0], Path(scratch))
        tree = Path(scratch) / "base"
        repository.export(repository.revision("--gate-base", base), tree)
        top = repository.top.resolve()
        inside = [folder.resolve() for folder in folders if folder.resolve().is_relative_to(top)]
        of_base = _side("base", tree, [tree / folder.relative_to(top) for folder in inside])
        yield of_base, _side("head", top, inside)


def _side(name: str, root: Path, folders: Sequence[Path]) -> Side:
    path = [*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    return Side(name, (sys.executable, "-P"), root, {"PYTHONPATH": os.pathsep.join(path)})


def _show(request: pytest.FixtureRequest, nanoseconds: NDArray[np.float64], extra: dict[str, Any]) -> None:
    """Let pytest-benchmark show and store these times: it gets a clock that gives them once more."""
    if not request.config.pluginmanager.hasplugin("benchmark") or "benchmark" in request.fixturenames:
        return
    moments = (moment for taken in nanoseconds / 1e9 for moment in (0.0, float(taken)))

    def recorded() -> float:
        return next(moments)

    request.node.add_marker(pytest.mark.benchmark(timer=recorded))
    benchmark = request.getfixturevalue("benchmark")
    benchmark.extra_info.update(extra)
    benchmark.pedantic(lambda: None, rounds=len(nanoseconds))
