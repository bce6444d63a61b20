"""What the image metrics share: the ranking of image scores, and a threshold from held-out normal images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pybench.metrics.evaluation.ranking import Ranking, rank
from pybench.types import Evaluation, UndefinedMetricError

HELD_OUT_QUANTILE = 0.95


def normal_scores(evaluation: Evaluation) -> NDArray[np.float64]:
    """Scores of the normal test images, a copy.

    Raises:
        UndefinedMetricError: there is none.
    """
    scores: NDArray[np.float64] = evaluation.scores[evaluation.labels == 0]
    if not scores.size:
        raise UndefinedMetricError("the test set has no normal image")
    return scores


def anomalous_scores(evaluation: Evaluation) -> NDArray[np.float64]:
    """Scores of the anomalous test images, a copy.

    Raises:
        UndefinedMetricError: there is none.
    """
    scores: NDArray[np.float64] = evaluation.scores[evaluation.labels == 1]
    if not scores.size:
        raise UndefinedMetricError("the test set has no anomalous image")
    return scores


def image_ranking(evaluation: Evaluation) -> Ranking:
    """Ranking of anomalous (positive) among normal images by score, computed once per evaluation.

    Raises:
        UndefinedMetricError: the test set has one class only.
    """
    if "image_ranking" not in evaluation.shared:
        anomalous, normal = anomalous_scores(evaluation), normal_scores(evaluation)
        evaluation.shared["image_ranking"] = rank(anomalous, [lambda: normal])
    ranking: Ranking = evaluation.shared["image_ranking"]
    return ranking


def held_out_threshold(evaluation: Evaluation) -> float:
    """The 95 % quantile of scores of normal images that were held out of the fit; the smallest score with at least 95 %
    of the others at or below it (numpy's method ``higher``). An image is rejected when it scores strictly above.

    Raises:
        UndefinedMetricError: no image was held out.
    """
    if evaluation.held_out is None:
        raise UndefinedMetricError("the protocol asks for no held-out folds (threshold_folds: 0)")
    if not evaluation.held_out.size:
        raise UndefinedMetricError("no normal image was held out of the fit")
    return float(np.quantile(evaluation.held_out, HELD_OUT_QUANTILE, method="higher"))
