"""Five pixel metrics of one test set at once, against scikit-learn and AUPRO as its definition suggests."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.integrate import trapezoid
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from pybench import registry
from pybench.metrics.evaluation.evaluate import evaluate
from pybench.types import Evaluation

SIDE = 256
LIMIT = 0.3
NAMES = ("pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_iou_max", "aupro_30")
METRICS = [registry.load("metric", name) for name in NAMES]
BASELINE_IMAGES = 100  # the baseline would take minutes on 1000


def evaluation_of(images: int) -> Evaluation:
    """Every image has one to three elliptic defects, 1 % of all pixels, that score two standard deviations higher."""
    generator = np.random.default_rng(0)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    masks, maps = [], []
    for _ in range(images):
        mask = np.zeros((SIDE, SIDE), bool)
        for _ in range(generator.integers(1, 4)):
            (y, x), (a, b) = generator.integers(0, SIDE, 2), generator.uniform(4, 18, 2)
            mask |= ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        masks.append(mask)
        maps.append(generator.standard_normal((SIDE, SIDE), np.float32) + 2 * mask.astype(np.float32))
    return Evaluation(
        labels=np.array([int(mask.any()) for mask in masks]),
        scores=np.array([scores.max() for scores in maps], np.float64),
        defect_types=("defect",) * images,
        masks=tuple(masks),
        maps=tuple(maps),
    )


def ours(evaluation: Evaluation) -> list[float | None]:
    evaluation.shared.clear()
    return list(evaluate(evaluation, METRICS)[0].values())


def by_scikit_learn(masks: list[NDArray[np.bool_]], maps: list[NDArray[np.float32]]) -> list[float]:
    truth, scores = np.concatenate(masks, axis=None), np.concatenate(maps, axis=None)
    precision, recall, _ = precision_recall_curve(truth, scores)
    f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-300)).max()
    values = [roc_auc_score(truth, scores), average_precision_score(truth, scores), f1, f1 / (2 - f1)]
    return [*values, straightforward_aupro(masks, truth, scores)]


def straightforward_aupro(
    masks: list[NDArray[np.bool_]], truth: NDArray[np.bool_], scores: NDArray[np.float32]
) -> float:
    """Every pixel in order of its score moves the false positive rate or its region's overlap; then the trapezoids."""
    weights, regions = [], 0
    for mask in masks:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1).astype(np.float64)
        sizes[0] = np.inf
        weights.append((1 / sizes)[labels].ravel())
        regions += count
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    overlap = np.append(0, (np.cumsum(np.concatenate(weights)[order]) / regions)[last])
    rate = np.append(0, (np.cumsum(~truth[order]) / (~truth).sum())[last])
    inside = rate <= LIMIT
    rates = np.append(rate[inside], LIMIT)
    overlaps = np.append(overlap[inside], np.interp(LIMIT, rate, overlap))
    return float(trapezoid(overlaps, rates) / LIMIT)


def extra_mb(call: Callable[[], object]) -> float:
    """Most memory that a call allocates at a time."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


@pytest.mark.parametrize("images", [100, 1000])
def test_five_pixel_metrics(compare: Callable[..., None], benchmark: Any, images: int) -> None:
    evaluation = evaluation_of(images)
    assert evaluation.maps is not None
    masks = [mask for mask in evaluation.masks[:BASELINE_IMAGES] if mask is not None]
    maps = list(evaluation.maps[:BASELINE_IMAGES])
    compare(
        op="metrics",
        case=f"five pixel metrics, {images} images",
        ours=lambda: ours(evaluation),
        baselines={"scikit-learn + AUPRO": lambda: by_scikit_learn(masks, maps)},
        share=BASELINE_IMAGES / images,
    )
    benchmark.extra_info["extra_mb"] = extra_mb(lambda: ours(evaluation))
    if images == BASELINE_IMAGES:
        assert ours(evaluation) == pytest.approx(by_scikit_learn(masks, maps), abs=1e-9)
