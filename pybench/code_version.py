"""A hash of the sources that a trial's result depends on: a record made by other code is not taken for this one's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pybench import registry, sources
from pybench.records import TrialSpec

_HERE = Path(__file__).parent
_SHARED = ("data.py", "decoding.py", "images.py", "warping.py", "rto.py", "hashing.py", "trial.py")
_MEASURING = ("latency.py", "timed_process.py", "stages.py", "percentiles.py")


def code_version(spec: TrialSpec) -> str:
    """16 hex digits over the method with all of pybench that it imports, its metrics and data set, the native ops and
    what trials share, as this process has loaded them.

    The CLI, reports and executors are left out: they do not change a result.
    """
    plugged = registry.source("method", spec.method), registry.source("dataset", spec.dataset)
    return _of(*plugged, spec.metrics, spec.evaluate_on == "validation")


@cache
def _of(method: Path, dataset: Path, metrics: tuple[str, ...], on_validation: bool) -> str:
    files = {*sources.with_imports(method), dataset, *(registry.source("metric", name) for name in metrics)}
    if on_validation:
        files |= sources.with_imports(_HERE / "validation.py")
    return sources.digest([*files, *_shared_files()])


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
