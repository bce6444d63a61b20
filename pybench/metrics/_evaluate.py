"""Metrics over a test set, and over each type of defect in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.aupro_30 import METRIC as AUPRO_30
from pybench.metrics.image_auroc import METRIC as IMAGE_AUROC
from pybench.metrics.pixel_auroc import METRIC as PIXEL_AUROC
from pybench.types import Evaluation, Metric, UndefinedMetricError

BY_DEFECT_TYPE = (IMAGE_AUROC, PIXEL_AUROC, AUPRO_30)


def evaluate(evaluation: Evaluation, metrics: Sequence[Metric]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Every metric's value, None where it is undefined, and the reason of each that is."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        try:
            values[metric.name] = metric.function(evaluation)
        except UndefinedMetricError as error:
            values[metric.name] = None
            reasons[metric.name] = str(error)
    return values, reasons


def by_defect_type(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """``image_auroc``, ``pixel_auroc`` and ``aupro_30`` of each defect type, on its images and all good ones.

    Defect types are those of the anomalous images, in alphabetical order. A metric is None where it is undefined.
    """
    anomalous = evaluation.labels == 1
    types = np.array(evaluation.defect_types)
    return {
        str(defect_type): evaluate(_subset(evaluation, ~anomalous | (types == defect_type)), BY_DEFECT_TYPE)[0]
        for defect_type in np.unique(types[anomalous])
    }


def _subset(evaluation: Evaluation, chosen: NDArray[np.bool_]) -> Evaluation:
    """The evaluation of the chosen images (bool [images]); shares maps and masks, but no results, with the whole."""
    indices = np.flatnonzero(chosen)
    return replace(
        evaluation,
        labels=evaluation.labels[indices],
        scores=evaluation.scores[indices],
        defect_types=tuple(evaluation.defect_types[i] for i in indices),
        masks=tuple(evaluation.masks[i] for i in indices),
        maps=None if evaluation.maps is None else tuple(evaluation.maps[i] for i in indices),
        shared={},
    )
