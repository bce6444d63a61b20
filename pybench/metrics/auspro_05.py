"""Area under the saturated per-region overlap up to a false positive rate of 0.05."""

from __future__ import annotations

from statistics import fmean

from pybench.metrics.evaluation.defect_kinds import kinds, of_type
from pybench.metrics.evaluation.spro import area_under_spro
from pybench.types import Evaluation, Metric


def auspro_05(evaluation: Evaluation) -> float:
    """Area under the sPRO curve over the false positive rate from 0 to 0.05, divided by 0.05.

    Where the test set tells structural from logical anomalies, each kind is evaluated with all good images, and the
    result is the mean over the kinds, as in MVTec's own evaluation of LOCO. For regions and saturation see
    ``evaluation.spro``.

    Raises:
        UndefinedMetricError: the method gives no maps, no defect is annotated, or every pixel is defective.
    """
    parts = [of_type(evaluation, kind) for kind in kinds(evaluation)] or [evaluation]
    return fmean(area_under_spro(part, limit=0.05) for part in parts)


METRIC = Metric(
    name="auspro_05",
    level="region",
    higher_is_better=True,
    description="area under the saturated per-region overlap up to a false positive rate of 0.05, normalised",
    function=auspro_05,
)
