"""Forcing the backend of the native ops changes no record beyond rounding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pybench.executors.inline import InlineExecutor
from pybench.ops import backends
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.records import Latency, LatencyFailure, Record
from pybench.results.store import Store
from pybench.run.run_plan import run
from pybench.spec import TrialSpec

NATIVE = [name for name, reason in backends()["mutual_match"].items() if not reason and name != "reference"]
TOLERANCE = 1e-4  # of a metric: cosines and distances differ by about 1e-6, which may swap two pixels of 1,600
METHODS = """\
  - name: hetmm
    params: {backbone: resnet18, weights: random, image_size: 32, layers: [1, 2], windows: [5, 3], sheets: 5}
  - name: patchcore
    params: {backbone: resnet18, weights: random, image_size: 32, crop_size: null, coreset_share: 0.5}
"""


class Quiet:
    """A listener that keeps nothing."""

    def started(self, total: int) -> None:
        pass

    def handed(self, spec: TrialSpec) -> None: ...

    def trial(self, record: Record, *, reused: bool) -> None:
        pass

    def measuring(self, spec: TrialSpec) -> None:
        pass

    def latency(self, latency: Latency | LatencyFailure) -> None:
        pass


@pytest.fixture
def records(
    data_root: Path, tmp_path: Path, write_suite: Callable[..., Path]
) -> Callable[[str], dict[tuple[str, str], Record]]:
    """Runs the suite with a forced backend; a record for each category and method."""

    def make(backend: str) -> dict[tuple[str, str], Record]:
        file = write_suite("hetmm", extra=f"resources: {{backend: {backend}}}\nlatency: null")
        file.write_text(file.read_text().replace("  - name: hetmm\n", METHODS))
        planned = plan(*load_suite(str(file)), profile="paper", data_root=data_root)
        results = run(planned, Store(tmp_path / backend), InlineExecutor(), force=False, listener=Quiet())
        return {(result.record.spec.category, result.record.spec.method): result.record for result in results}

    return make


def test_records_are_the_same(records: Callable[[str], dict[tuple[str, str], Record]]) -> None:
    expected = records("reference")
    assert len(expected) == 4
    for backend in NATIVE:
        for key, record in records(backend).items():
            assert record.status == "ok", record.reason
            assert set(record.backends.values()) == {backend}
            assert record.metrics == pytest.approx(expected[key].metrics, abs=TOLERANCE)
