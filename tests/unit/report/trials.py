"""Results by hand, and the one table that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybench.records import Record, Result, Status
from pybench.report.summary import Summary, summaries
from pybench.spec import TrialSpec

METRICS = ("image_auroc", "pixel_auroc", "aupro_30", "overkill_rate")


def trial(
    category: str,
    method: str,
    values: dict[str, float | None] | float | None,
    *,
    seed: int = 0,
    status: Status = "ok",
    reason: str = "",
    undefined: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
    provenance: dict[str, Any] | None = None,
    **spec: Any,
) -> Result:
    """A result; one number stands for image AUROC."""
    spec = {"suite": "a_suite", "dataset": "tiles", "profile": "quick", **spec}
    params = {"weights": "random", **(params or {})}
    made = TrialSpec(category=category, method=method, seed=seed, metrics=METRICS, params=params, **spec)
    metrics = values if isinstance(values, dict) else {} if values is None else {"image_auroc": values}
    record = Record(
        key=made.key(),
        spec=made,
        status=status,
        reason=reason,
        metrics=metrics,
        undefined=undefined or {},
        provenance=provenance or {},
    )
    return Result(record, None)


def one(results: Sequence[Result], *metrics: str) -> Summary:
    (summary,) = summaries(results, metrics or ("image_auroc",))
    return summary
