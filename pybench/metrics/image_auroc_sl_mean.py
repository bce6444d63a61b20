"""Mean of the image AUROC on structural and on logical anomalies."""

from __future__ import annotations

from statistics import fmean

from pybench.metrics.evaluation.defect_kinds import KINDS, of_type
from pybench.metrics.image_auroc import image_auroc
from pybench.types import Evaluation, Metric


def image_auroc_sl_mean(evaluation: Evaluation) -> float:
    """Mean of ``image_auroc_structural`` and ``image_auroc_logical``, however many images each kind has.

    It is the number by which MVTec LOCO AD is compared (P. Bergmann et al., IJCV 130, 2022; HETMM, Tables 6 and 7).

    Raises:
        UndefinedMetricError: the test set lacks one of the kinds (or does not tell them apart), or has no good image.
    """
    return fmean(image_auroc(of_type(evaluation, kind)) for kind in KINDS)


METRIC = Metric(
    name="image_auroc_sl_mean",
    level="image",
    higher_is_better=True,
    description="mean of the image AUROC on structural and on logical anomalies, each with all good images",
    function=image_auroc_sl_mean,
)
