"""Scores of normal images that were held out of the fit (K-fold), from which an operating threshold is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pybench.hashing import derive_seed
from pybench.images.loading import DecodedImages
from pybench.trial.build_method import build_method
from pybench.trial.job import Job
from pybench.trial.predictions import predict_all
from pybench.types import Sample


def held_out_scores(
    job: Job, train: Sequence[Sample], spend: Callable[[str, float], None]
) -> NDArray[np.float64] | None:
    """The scores [N] of the N training samples, each from a method that was fitted without it.

    The samples are divided into ``protocol.threshold_folds`` folds by the data seed.

    Returns:
        The scores in the order of the samples; None where fewer than two folds are asked for or possible.
    """
    spec = job.spec
    folds = min(spec.protocol.threshold_folds, len(train))
    if folds < 2:
        return None
    generator = np.random.default_rng(derive_seed(spec.data_seed, spec.dataset, spec.category, "folds"))
    order = generator.permutation(len(train)).tolist()
    scores = np.empty(len(train))
    for fold in range(folds):
        held_out = order[fold::folds]
        method = build_method(job, f"fold-{fold + 1}-of-{folds}", spend)
        method.fit(DecodedImages([train[index] for index in order if index not in held_out]))
        scores[held_out] = predict_all(method, [train[index] for index in held_out], job.batch_size).scores
    return scores
