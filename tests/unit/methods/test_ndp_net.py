"""NDP-Net: its two phases of training, and the method as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pybench import registry
from pybench.images.score_maps import mean_filter, median_filter
from pybench.training.losses import ssim_map
from pybench.types import Context, InputError
from tests.unit.methods.ndp_net_parts import PLANT, SETTINGS, method

COLUMNS: dict[str, dict[str, Any]] = {
    "A": {},
    "B": {"attention": False},
    "C": {"defect_perception": False},
    "D": {"segmentation": "pixel_gap"},
    "E": {"segmentation": "feature_residual"},
    "F": {"segmentation": "ssim"},
}


def test_perceptual_loss_is_trained_with_and_its_weights_are_named(vgg: dict[str, Tensor]) -> None:
    fitted = method(perceptual="imagenet")
    fitted.fit(PLANT.train)
    assert fitted.provenance()["perceptual"] == "VGG-16, ImageNet"
    assert len(type(fitted).prepare(fitted.params)["imagenet:vgg16"]) == 64
    assert not any("vgg" in name for name in fitted.state_dict()["network"])


def test_without_perceptual_loss_nothing_is_fetched_and_the_record_says_so() -> None:
    made = method()
    assert type(made).prepare(made.params) == {}
    assert made.provenance()["perceptual"] == "left out"


def test_the_second_phase_leaves_the_encoder_as_it_is() -> None:
    def states(steps: int) -> dict[str, Tensor]:
        made = method(second_phase={"steps": steps})
        made.fit(PLANT.train)
        state: dict[str, Tensor] = made.state_dict()["network"]
        return state

    few, more = states(1), states(3)
    assert few.keys() == more.keys()
    changed = {name.split(".")[0] for name in few if not torch.equal(few[name], more[name])}
    assert changed == {"decoder", "attention", "segmentation"}


def test_a_fit_killed_in_its_second_phase_keeps_the_first(tmp_path: Path) -> None:
    cls = registry.load("method", "ndp_net")
    params = cls.Params(**SETTINGS)

    def fit(folder: Path) -> Any:
        made = cls(params, Context(checkpoints=folder))
        made.fit(PLANT.train)
        return made

    whole = fit(tmp_path)
    (tmp_path / "second_phase.pt").unlink()
    again = fit(tmp_path)
    assert again.trainings[0].seconds == whole.trainings[0].seconds
    assert again.trainings[1].seconds != whole.trainings[1].seconds
    for name, weight in whole.state_dict()["network"].items():
        torch.testing.assert_close(again.state_dict()["network"][name], weight, rtol=0, atol=0)


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_table_six_can_be_fitted(column: str) -> None:
    fitted = method(**COLUMNS[column])
    fitted.fit(PLANT.train)
    prediction = fitted.predict(PLANT.test)
    assert prediction.maps.shape == (12, 64, 64)
    torch.testing.assert_close(prediction.scores, prediction.maps.amax((1, 2)))
    assert prediction.artefacts["reconstruction"].shape == (12, 3, 64, 64)
    has = {name.split(".")[0] for name in fitted.state_dict()["network"]}
    assert ("attention" in has) == (column != "B")
    assert ("segmentation" in has) == (column in "ABC")


@pytest.mark.parametrize("column", "DEF")
def test_maps_of_the_columns_without_segmentation_module(column: str) -> None:
    """Against their definitions, with the filters that all columns share."""
    fitted = method(**COLUMNS[column])
    fitted.fit(PLANT.train)
    prediction = fitted.predict(PLANT.test)
    other = prediction.artefacts["reconstruction"]
    expected = {
        "D": lambda: (PLANT.test - other).abs().mean(1),
        "E": lambda: residual(PLANT.test, other, fitted),
        "F": lambda: 1 - ssim_map(PLANT.test, other)[:, 0],
    }[column]()
    torch.testing.assert_close(prediction.maps, median_filter(mean_filter(expected, 5), 5))


def residual(images: Tensor, reconstructions: Tensor, fitted: Any) -> Tensor:
    total = torch.zeros(len(images), 64, 64)
    with torch.no_grad():
        one, other = fitted.network.encoder(images)[:3], fitted.network.encoder(reconstructions)[:3]
    for weight, left, right in zip((0.2, 0.2, 0.6), one, other, strict=True):
        gap = (left - right).square().mean(1, keepdim=True)
        total += weight * nn.functional.interpolate(gap, size=(64, 64), mode="bilinear")[:, 0]
    return total


def test_the_reference_is_a_training_image_that_the_seed_draws() -> None:
    references = []
    for seed in range(4):
        cls = registry.load("method", "ndp_net")
        made = cls(
            cls.Params(**{**SETTINGS, "first_phase": {"steps": 1}, "second_phase": {"steps": 1}}), Context(seed=seed)
        )
        made.fit(PLANT.train)
        references.append(made.state_dict()["reference"])
    normal = (PLANT.train.stack * 255).round().to(torch.uint8)
    for reference in references:
        assert any(torch.equal(reference, image) for image in normal)
    assert len({reference.numpy().tobytes() for reference in references}) > 1


def test_textures_come_from_the_folder_that_is_named(tmp_path: Path) -> None:
    made = method(textures=str(tmp_path))
    for use in (lambda: made.fit(PLANT.train), lambda: type(made).prepare(made.params)):
        with pytest.raises(InputError, match=f"{tmp_path}: has no images"):
            use()


@pytest.mark.parametrize("size", [96, 100])
def test_sizes_that_patches_do_not_fill_are_refused(size: int) -> None:
    with pytest.raises(ValidationError, match="multiple of 64"):
        method(image_size=size)
