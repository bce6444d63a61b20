"""What a detector must not get by with on the stand-in: an image's brightness, or its colours."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.category import render

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Pictures, Pictures, Pictures]]:
    """Of every category: normal images to compare with, normal ones and defective ones to test."""

    def pictures(name: str, folder: str, count: int) -> Pictures:
        return [render(CATEGORIES[name], folder, index, 64, seed=0).picture for index in range(count)]

    return {
        name: (
            pictures(name, "train/good", 15),
            pictures(name, "test/good", 12),
            [picture for kind in category.defects for picture in pictures(name, f"test/{kind}", 3)],
        )
        for name, category in CATEGORIES.items()
    }


def auroc(normal: list[float], defective: list[float]) -> float:
    labels = [0] * len(normal) + [1] * len(defective)
    return float(roc_auc_score(labels, normal + defective))


def test_brightness_says_little(drawn: dict[str, tuple[Pictures, Pictures, Pictures]]) -> None:
    found = []
    for _, normal, defective in drawn.values():
        one = auroc([picture.mean() for picture in normal], [picture.mean() for picture in defective])
        found.append(max(one, 1 - one))  # whichever way is better
    assert np.mean(found) < 0.65


def test_colours_say_little(drawn: dict[str, tuple[Pictures, Pictures, Pictures]]) -> None:
    """A histogram of 8 x 8 x 8 colours, and its Hellinger distance to the nearest normal image's."""
    found = []
    for train, normal, defective in drawn.values():
        known = [colours(picture) for picture in train]
        scores = [
            [min(float(np.linalg.norm(colours(picture) - other)) for other in known) for picture in pictures]
            for pictures in (normal, defective)
        ]
        found.append(auroc(*scores))
    assert np.mean(found) < 0.65


def colours(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    red, green, blue = (picture // 32).reshape(-1, 3).astype(int).T
    return np.sqrt(np.bincount(64 * red + 8 * green + blue, minlength=512) / red.size)
