"""Area under the per-region overlap up to a false positive rate of 0.3."""

from __future__ import annotations

from pybench.metrics.evaluation.regions import area_under_pro
from pybench.types import Evaluation, Metric


def aupro_30(evaluation: Evaluation) -> float:
    """Area under the PRO curve over the false positive rate from 0 to 0.3, divided by 0.3.

    See ``evaluation.regions.area_under_pro`` for regions, ties and the cut at the limit.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    return area_under_pro(evaluation, limit=0.3)


METRIC = Metric(
    name="aupro_30",
    level="region",
    higher_is_better=True,
    description="area under the per-region overlap up to a false positive rate of 0.3, normalised",
    function=aupro_30,
)
