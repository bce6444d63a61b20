"""Benchmark of anomaly detectors for industrial inspection.

``load_results(RUN)`` gives a run's records as a DataFrame; everything else is in the submodules. Importing the package
imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pybench.results.store import load_results

__version__ = "0.1.0"
__all__ = ["__version__", "load_results"]


def __getattr__(name: str) -> Any:
    if name == "load_results":
        from pybench.results.store import load_results

        return load_results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
