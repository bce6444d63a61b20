"""NDP-Net: its perceptual loss, its two phases of training, and the method as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from pybench import registry
from pybench.images.score_maps import mean_filter, median_filter
from pybench.methods.networks.ndp_net import NdpNetwork, Objective
from pybench.methods.networks.ndp_net_perceptual import PerceptualLoss
from pybench.training.batches import Batch
from pybench.training.losses import ssim_map
from pybench.training.textures import Textures
from pybench.types import Context, InputError
from tests.conformance.checks import plant

PLANT = plant()
SETTINGS: dict[str, Any] = {
    "image_size": 64,
    "width": 2,
    "perceptual": "none",
    "batch_size": 2,
    "first_phase": {"steps": 2},
    "second_phase": {"steps": 2},
}
COLUMNS: dict[str, dict[str, Any]] = {
    "A": {},
    "B": {"attention": False},
    "C": {"defect_perception": False},
    "D": {"segmentation": "pixel_gap"},
    "E": {"segmentation": "feature_residual"},
    "F": {"segmentation": "ssim"},
}
VGG_SHAPES = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}  # of torchvision's ``features``


def method(**params: Any) -> Any:
    cls = registry.load("method", "ndp_net")
    return cls(cls.Params(**{**SETTINGS, **params}), Context())


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- perceptual loss ----------------------------------------------------------------------------------------------


@pytest.fixture
def vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights that stand for VGG-16's, where torchvision looks for its own."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for number, (outputs, inputs) in VGG_SHAPES.items():
        state[f"features.{number}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * 0.1
        state[f"features.{number}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({**state, "classifier.0.bias": torch.zeros(1)}, folder / "vgg16-397923af.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return state


def test_perceptual_loss_against_the_layers_one_by_one(vgg: dict[str, Tensor]) -> None:
    def outputs(images: Tensor) -> list[Tensor]:
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        hidden = (images - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        found = []
        for number in VGG_SHAPES:
            if number in (5, 10):  # after a block
                hidden = max_pool2d(hidden, 2)
            weight, bias = vgg[f"features.{number}.weight"], vgg[f"features.{number}.bias"]
            hidden = conv2d(hidden, weight, bias, padding=1).clamp(min=0)
            found.append(hidden)
        return found

    one, other = values(2, 3, 16, 16, seed=1), values(2, 3, 16, 16, seed=2)
    expected = np.mean([float((a - b).abs().mean()) for a, b in zip(outputs(one), outputs(other), strict=True)])
    loss = PerceptualLoss()
    assert float(loss(one, other)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(one, one)) == 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_perceptual_loss_is_trained_with_and_its_weights_are_named(vgg: dict[str, Tensor]) -> None:
    fitted = method(perceptual="imagenet")
    fitted.fit(PLANT.train)
    assert fitted.provenance()["perceptual"] == "VGG-16, ImageNet"
    assert len(type(fitted).prepare(fitted.params)["imagenet:vgg16"]) == 64
    assert not any("vgg" in name for name in fitted.state_dict()["network"])


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=r"vgg16-397923af\.pth.*params\.perceptual=none"):
        type(method()).prepare(method(perceptual="imagenet").params)


def test_without_perceptual_loss_nothing_is_fetched_and_the_record_says_so() -> None:
    made = method()
    assert type(made).prepare(made.params) == {}
    assert made.provenance()["perceptual"] == "left out"


# --- training -----------------------------------------------------------------------------------------------------


def objective(network: NdpNetwork, *, defect_perception: bool = True) -> Objective:
    return Objective(network, Textures(None, 64), None, defect_perception)


def batch(images: Tensor) -> Batch:
    return Batch(images, np.random.default_rng(0), 0.0)


def test_the_terms_of_both_phases_follow_the_switches() -> None:
    def terms(*, attention: bool = True, segmentation: bool = True, defect_perception: bool = True) -> list[set[str]]:
        network = NdpNetwork(2, attention=attention, segmentation=segmentation).eval()
        network.refer_to(PLANT.train.stack[0])
        losses = objective(network, defect_perception=defect_perception)
        images = PLANT.train.stack[:2]
        return [set(losses.first_phase(batch(images))), set(losses.second_phase(batch(images)))]

    full = [{"reconstruction", "defect_perception"}, {"reconstruction", "feature_repair", "segmentation"}]
    assert terms() == full
    assert terms(attention=False) == [full[0], full[1] - {"feature_repair"}]
    assert terms(segmentation=False) == [full[0], full[1] - {"segmentation"}]
    assert terms(defect_perception=False) == [full[0] - {"defect_perception"}, full[1]]


def test_the_first_phase_decodes_normal_images_only() -> None:
    seen: list[int] = []
    network = NdpNetwork(2, attention=True, segmentation=True)
    network.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0][0])))
    objective(network).first_phase(batch(PLANT.train.stack[:3]))
    assert seen == [3]


def test_reconstruction_has_a_hundred_times_the_weight() -> None:
    network, images = NdpNetwork(2, attention=False, segmentation=False).eval(), PLANT.train.stack[:2]
    found = objective(network, defect_perception=False).first_phase(batch(images))["reconstruction"]
    reconstructed = network.decoder(network.encoder(images)[2:])
    torch.testing.assert_close(found, 100 * (reconstructed - images).square().mean())


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


# --- the method ---------------------------------------------------------------------------------------------------


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
