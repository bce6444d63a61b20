"""A hash of the sources that a trial's result depends on: a record made by other code is not taken for this one's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pybench import registry
from pybench.disk import source_hash
from pybench.spec import TrialSpec

_HERE = Path(__file__).parents[1]
_SHARED = (
    "trial/samples.py",
    "trial/rto.py",
    "trial/run_trial.py",
    "images/decoding.py",
    "images/loading.py",
    "images/warping.py",
    "hashing.py",
)
_MEASURING = ("latency/measure.py", "latency/worker.py", "stages.py", "latency/percentiles.py")


def code_version(spec: TrialSpec) -> str:
    """16 hex digits over the method with all of pybench that it imports, its metrics and data set, the native ops and
    what trials share, as this process has loaded them.

    The CLI, reports and executors are left out: they do not change a result.
    """
    plugged = registry.source("method", spec.method), registry.source("dataset", spec.dataset)
    return _of(*plugged, spec.metrics, spec.evaluate_on == "validation")


@cache
def _of(method: Path, dataset: Path, metrics: tuple[str, ...], on_validation: bool) -> str:
    files = {*source_hash.with_imports(method), dataset, *(registry.source("metric", name) for name in metrics)}
    if on_validation:
        files |= source_hash.with_imports(_HERE / "trial/validation.py")
    return source_hash.digest([*files, *_shared_files()])


@cache
def _shared_files() -> tuple[Path, ...]:
    folders = [*(_HERE / "ops").glob("*.py"), *(_HERE / "metrics").glob("_*.py"), *_native_modules()]
    return tuple(sorted([*(_HERE / name for name in _SHARED + _MEASURING), *folders]))


def _native_modules() -> list[Path]:
    try:
        import pybench._cpu
    except ImportError:
        return []
    return [Path(pybench._cpu.__file__)]
