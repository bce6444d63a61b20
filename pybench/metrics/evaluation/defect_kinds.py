"""Parts of a test set: the anomalies of one type, or of one kind (structural or logical), with all good images.

The kinds are those of P. Bergmann et al., "Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly
Detection and Localization" (IJCV 130, 2022); a defect type may begin with its kind and a slash.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pybench.types import Evaluation, UndefinedMetricError

KINDS = ("structural", "logical")


def of_type(evaluation: Evaluation, name: str) -> Evaluation:
    """All good images and the anomalous ones whose defect type is ``name``, or of the kind ``name``.

    The part shares maps and masks with the whole, but no results. It is made once, and is the whole itself where that
    holds no other anomaly.

    Raises:
        UndefinedMetricError: no image is anomalous in this way.
    """
    key = f"of_type {name}"
    if key not in evaluation.shared:
        chosen = [
            not label or name in (defect_type, defect_type.partition("/")[0])
            for label, defect_type in zip(evaluation.labels, evaluation.defect_types, strict=True)
        ]
        if not evaluation.labels[chosen].any():
            raise UndefinedMetricError(f"the test set has no {name} anomaly")
        if all(chosen):
            return evaluation
        evaluation.shared[key] = _part(evaluation, np.flatnonzero(chosen).tolist())
    part: Evaluation = evaluation.shared[key]
    return part


def kinds(evaluation: Evaluation) -> list[str]:
    """The kinds of anomalies in the test set; none where its defect types name no kind."""
    there = {defect_type.partition("/")[0] for defect_type in evaluation.defect_types}
    return [kind for kind in KINDS if kind in there]


def _part(evaluation: Evaluation, indices: list[int]) -> Evaluation:
    return replace(
        evaluation,
        labels=evaluation.labels[indices],
        scores=evaluation.scores[indices],
        defect_types=tuple(evaluation.defect_types[i] for i in indices),
        masks=tuple(evaluation.masks[i] for i in indices),
        maps=None if evaluation.maps is None else tuple(evaluation.maps[i] for i in indices),
        regions=None if evaluation.regions is None else tuple(evaluation.regions[i] for i in indices),
        shared={},
    )
