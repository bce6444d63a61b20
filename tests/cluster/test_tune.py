"""A search on a small Ray cluster proposes and finds what it does in one process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors import Executor
from pybench.executors.inline import InlineExecutor
from pybench.executors.ray import RayExecutor
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.search.candidate import Candidate
from pybench.search.prepare import prepare
from pybench.search.search import Search
from pybench.search.settings import Settings
from tests.cluster.listeners import Quiet


class Log(Quiet):
    def candidate(self, candidate: Candidate, best: Candidate | None) -> None: ...


def test_ray_and_inline_search_alike(
    data_root: Path,
    plugins: Path,
    write_suite: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    registry.add_plugins(plugins)
    file = write_suite("difference", extra="    search: {image_size: [32, 40, 48, 56, 64]}\nlatency: null")
    prepared = prepare(
        *load_suite(str(file)),
        "difference",
        ("pixel_auroc",),
        oracle=False,
        filters={},
        overrides={},
        profile="paper",
        data_root=data_root,
    )

    def found(name: str, make: Callable[[], Executor]) -> list[Candidate]:
        settings = Settings(("pixel_auroc",), (), candidates=5, batch=2, seed=1)
        with closing(make()) as executor:
            search = Search(prepared.plan, prepared.space, settings, Store(tmp_path / name), executor, Log())
            search.run(lambda: None)
        return search.candidates

    assert found("ray", lambda: RayExecutor(None)) == found("inline", InlineExecutor)
