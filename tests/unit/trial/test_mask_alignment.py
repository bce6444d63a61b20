"""Masks and score maps meet at the model's input size, or at each image's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pybench.images.geometry import Geometry
from pybench.trial.mask_alignment import align
from pybench.trial.predictions import Predictions
from pybench.types import Sample
from tests.unit.pictures import save

SHAPE, SIDE = (64, 64), 16
GEOMETRY = Geometry(SIDE)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """A normal image, a square of 16 pixels and a speck, a speck alone, and a defective image without a mask."""
    square, speck = np.zeros(SHAPE), np.zeros(SHAPE)
    square[16:32, 16:32], square[48, 48], speck[48, 48] = 255, 255, 255
    masks = [save(tmp_path / "square.png", square), save(tmp_path / "speck.png", speck)]
    image = tmp_path / "image.png"
    return [
        Sample(image),
        *(Sample(image, 1, "dent", (mask,)) for mask in masks),
        Sample(image, 1, "dent"),
    ]


def predictions(count: int) -> Predictions:
    maps = [np.full((SIDE, SIDE), number, np.float32) for number in range(count)]
    return Predictions(np.arange(count, dtype=np.float64), maps, [SHAPE] * count, {})


def test_masks_are_brought_to_the_models_input(samples: list[Sample]) -> None:
    evaluation, lost = align(samples, predictions(4), None, GEOMETRY, "input")
    normal, square, speck, unannotated = evaluation.masks
    assert normal is not None
    assert not normal.any()
    assert square is not None
    assert square.shape == (SIDE, SIDE)
    assert square.sum() == 16, "the square without its speck"
    assert speck is None, "an annotation without a pixel left counts as none"
    assert unannotated is None
    assert lost == 2
    assert evaluation.labels.tolist() == [0, 1, 1, 1]
    assert evaluation.maps is not None
    assert {map_.shape for map_ in evaluation.maps} == {(SIDE, SIDE)}


def test_maps_are_brought_to_the_images_own_size(samples: list[Sample]) -> None:
    held_out = np.array([0.5])
    evaluation, lost = align(samples, predictions(4), held_out, GEOMETRY, "image")
    assert lost == 0
    assert evaluation.held_out is held_out
    assert [None if mask is None else int(mask.sum()) for mask in evaluation.masks] == [0, 257, 1, None]
    assert evaluation.maps is not None
    for number, map_ in enumerate(evaluation.maps):
        assert map_.shape == SHAPE
        np.testing.assert_allclose(map_, number, atol=1e-5)
