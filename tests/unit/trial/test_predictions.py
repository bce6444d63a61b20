"""Predictions of all test images: joined in their order, whatever the batches, and the same kind for every image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench.trial.contract import MethodError
from pybench.trial.predictions import predict_all
from pybench.types import Citation, Context, Images, Method, MethodParams, Prediction, Sample
from tests.unit.pictures import save

SIDE = 32
GREYS = (10, 20, 30, 40, 50)


class Fixed(Method):
    """Predicts what a function of the images returns, and counts the images of each call."""

    name, Params, paper = "fixed", MethodParams, Citation("none", "the tests", 2026)

    def __init__(self, answer: Callable[[Tensor], Prediction]) -> None:
        super().__init__(MethodParams(image_size=SIDE), Context())
        self.answer = answer
        self.batches: list[int] = []

    def fit(self, train: Images) -> None: ...

    def predict(self, images: Tensor) -> Prediction:
        self.batches.append(len(images))
        return self.answer(images)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def greys(images: Tensor) -> Tensor:
    """The grey of each image of one colour, 0 to 255."""
    return (255 * images.mean((1, 2, 3))).round()


def maps(images: Tensor) -> Tensor:
    return greys(images).view(-1, 1, 1).expand(-1, SIDE, SIDE)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Images of one grey each; the last one is wider than the others."""
    shapes = [(8, 8)] * 4 + [(8, 12)]
    return [
        Sample(save(tmp_path / f"{grey}.png", np.full((*shape, 3), grey)))
        for grey, shape in zip(GREYS, shapes, strict=True)
    ]


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1, 1, 1, 1, 1]), (3, [3, 1, 1]), (8, [4, 1])])
def test_predictions_are_in_the_order_of_the_samples(
    samples: list[Sample], batch_size: int, batches: list[int]
) -> None:
    def answer(images: Tensor) -> Prediction:
        return Prediction(greys(images), maps(images), {"twice": greys(images)[:, None].repeat(1, 2), "image": images})

    method = Fixed(answer)
    found = predict_all(method, samples, batch_size)
    assert method.batches == batches
    assert found.scores.dtype == np.float64
    assert found.scores.tolist() == list(GREYS)
    assert found.shapes == [(8, 8)] * 4 + [(8, 12)]
    assert found.maps is not None
    assert [(map_.shape, map_.dtype, map_.min(), map_.max()) for map_ in found.maps] == [
        ((SIDE, SIDE), np.float32, grey, grey) for grey in GREYS
    ]
    assert found.vectors.keys() == {"twice"}, "pictures are for the contact sheet only"
    assert found.vectors["twice"].tolist() == [[grey, grey] for grey in GREYS]


def test_a_method_may_give_no_maps(samples: list[Sample]) -> None:
    found = predict_all(Fixed(lambda images: Prediction(greys(images), None)), samples, 8)
    assert found.maps is None
    assert found.vectors == {}


def test_predictions_may_require_gradients(samples: list[Sample]) -> None:
    weight = torch.ones(1, requires_grad=True)
    found = predict_all(Fixed(lambda images: Prediction(greys(images) * weight, maps(images) * weight)), samples[:1], 8)
    assert found.scores.tolist() == [10]


def test_maps_of_some_images_only_are_refused(samples: list[Sample]) -> None:
    def answer(images: Tensor) -> Prediction:
        return Prediction(greys(images), maps(images) if images.shape[-1] == 8 else None)

    with pytest.raises(MethodError) as raised:
        predict_all(Fixed(answer), samples, 8)
    assert str(raised.value) == "predict gave a score map for 4 of 5 images; it must for all or for none"


@pytest.mark.parametrize("artefact", [lambda images: greys(images)[:, None], lambda images: images])
def test_an_artefact_of_some_images_only_is_refused(
    samples: list[Sample], artefact: Callable[[Tensor], Tensor]
) -> None:
    def answer(images: Tensor) -> Prediction:
        return Prediction(greys(images), None, {"shift": artefact(images)} if images.shape[-1] == 12 else {})

    with pytest.raises(MethodError) as raised:
        predict_all(Fixed(answer), samples, 8)
    assert str(raised.value) == "predict gave the artefact shift for 1 of 5 images; it must for all or for none"


def test_the_contract_is_checked_in_every_batch(samples: list[Sample]) -> None:
    def answer(images: Tensor) -> Prediction:
        return Prediction(greys(images) / (images.shape[-1] - 12), None)

    with pytest.raises(MethodError, match="NaN or infinity in 1 of 1 values of scores"):
        predict_all(Fixed(answer), samples, 8)
