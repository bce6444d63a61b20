"""NDP-Net (paper 004): its losses and modules against hand-made values and independent computations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from pybench import registry
from pybench.losses import ssim_map
from pybench.maps import mean_filter, median_filter
from pybench.methods.networks.ndp_net import NdpNetwork, Objective
from pybench.methods.networks.ndp_net_attention import (
    FeatureFusion,
    ReferenceAttention,
    feature_repair_loss,
    repair,
)
from pybench.methods.networks.ndp_net_autoencoder import (
    Decoder,
    Encoder,
    defect_perception_loss,
    feature_gap,
    resized_mask,
)
from pybench.methods.networks.ndp_net_perceptual import PerceptualLoss
from pybench.methods.networks.ndp_net_segmentation import (
    DefectSegmentation,
    combine,
    pixel_gap,
    segmentation_loss,
)
from pybench.synthesis import Textures
from pybench.training import Batch
from pybench.types import Context, InputError

from ..conformance.checks import plant

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


# --- encoder and decoder ------------------------------------------------------------------------------------------


def test_the_encoder_has_five_layers_and_the_decoder_undoes_three_of_them() -> None:
    features = Encoder(4)(values(2, 3, 64, 64))
    assert [tuple(layer.shape) for layer in features] == [
        (2, 4, 64, 64),
        (2, 8, 32, 32),
        (2, 16, 16, 16),
        (2, 32, 8, 8),
        (2, 32, 4, 4),
    ]
    image = Decoder(4)(features[2:])
    assert image.shape == (2, 3, 64, 64)
    assert 0 <= image.min() <= image.max() <= 1


def test_a_shallow_pass_gives_the_first_layers() -> None:
    network, images = NdpNetwork(2, attention=True, segmentation=True).eval(), values(1, 3, 64, 64)
    for shallow, layer in zip(network.shallow(images), network.encoder(images)[:3], strict=True):
        torch.testing.assert_close(shallow, layer)


def test_defect_perception_by_hand() -> None:
    """Two channels, one layer of 2x2: gaps 0, 1, 4 and 5 are brought to 0, 0.2, 0.8 and 1."""
    normal = torch.zeros(1, 2, 2, 2)
    changed = torch.tensor([[[[0.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [2.0, 3.0]]]])
    torch.testing.assert_close(feature_gap(normal, changed), torch.tensor([[[0.0, 1.0], [4.0, 5.0]]]))
    mask = torch.tensor([[[False, False], [True, True]]])
    expected = (0.0 + 0.2**2 + 0.2**2 + 0.0) / 4
    torch.testing.assert_close(defect_perception_loss([normal], [changed], mask), torch.tensor(expected))


def test_defect_perception_is_a_mean_over_layers_with_the_mask_resized() -> None:
    """The first layer answers with the mask itself, the second, of half the side, with its opposite."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, 2:, 2:] = True
    fine, coarse = mask[:, None].float(), 1 - resized_mask(mask, 2)[:, None]
    loss = defect_perception_loss([torch.zeros_like(fine), torch.zeros_like(coarse)], [3 * fine, 7 * coarse], mask)
    torch.testing.assert_close(loss, torch.tensor(0.5))


def test_defect_perception_of_equal_features_is_finite() -> None:
    layer = values(1, 2, 4, 4).requires_grad_()
    loss = defect_perception_loss([layer], [layer * 1], torch.zeros(1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert layer.grad is not None
    assert torch.isfinite(layer.grad).all()


# --- attention ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch", [2, 4])
def test_repair_is_a_softmax_sum_over_the_patches_of_the_reference(patch: int) -> None:
    features, reference = values(2, 3, 8, 8, seed=1) - 0.5, values(3, 8, 8, seed=2) - 0.5
    corners = [(row, column) for row in range(0, 8, patch) for column in range(0, 8, patch)]

    def cut(layer: np.ndarray[Any, Any], corner: tuple[int, int]) -> np.ndarray[Any, Any]:
        return layer[:, corner[0] : corner[0] + patch, corner[1] : corner[1] + patch]

    expected = np.zeros(features.shape)
    references = [cut(reference.double().numpy(), corner) for corner in corners]
    for image, layer in enumerate(features.double().numpy()):
        for corner in corners:
            own = cut(layer, corner)
            cosines = [np.sum(own * other) / np.linalg.norm(own) / np.linalg.norm(other) for other in references]
            total = sum(np.exp(cosine) for cosine in cosines)
            repaired = sum(np.exp(c) / total * other for c, other in zip(cosines, references, strict=True))
            cut(expected[image], corner)[:] = repaired
    np.testing.assert_allclose(repair(features, reference, patch).numpy(), expected, atol=1e-6)


def test_repair_gives_a_reference_of_equal_patches_back() -> None:
    """Whatever the weights are, they sum to 1, and patches return to where they were cut."""
    reference = values(3, 4, 4).repeat(1, 2, 2)
    repaired = repair(values(2, 3, 8, 8, seed=1), reference, 4)
    torch.testing.assert_close(repaired, reference.expand(2, -1, -1, -1))


def test_repair_does_not_depend_on_the_strength_of_the_features() -> None:
    features, reference = values(1, 3, 8, 8, seed=1), values(3, 8, 8, seed=2)
    torch.testing.assert_close(repair(5 * features, reference, 2), repair(features, reference, 2))


def test_fusion_weights_sum_to_one_and_choose_between_the_maps() -> None:
    torch.manual_seed(0)
    fusion, maps = FeatureFusion(4, 64), [values(2, 4, 8, 8, seed=seed) for seed in range(3)]
    weights = fusion.weights(maps)
    torch.testing.assert_close(weights.sum(0), torch.ones(2, 4, 8, 8))
    assert weights.std(0).max() > 0.01
    fused = fusion(maps)
    torch.testing.assert_close(fused, sum(weight * each for weight, each in zip(weights, maps, strict=True)))
    assert (fused <= torch.stack(maps).amax(0) + 1e-6).all()
    assert (fused >= torch.stack(maps).amin(0) - 1e-6).all()


def test_fusion_weights_against_the_convolutions_and_a_softmax_by_hand() -> None:
    torch.manual_seed(0)
    fusion, maps = FeatureFusion(2, 64), [values(1, 2, 4, 4, seed=seed) for seed in range(3)]
    compressed = conv2d(sum(maps), fusion.compress.weight, fusion.compress.bias, padding=2).clamp(min=0)  # type: ignore[arg-type]
    convolutions = [module for module in fusion.attend if isinstance(module, nn.Conv2d)]
    raised = [conv2d(compressed, each.weight, each.bias, padding=2).exp() for each in convolutions]
    torch.testing.assert_close(fusion.weights(maps), torch.stack([each / sum(raised) for each in raised]))
    assert compressed.shape[1] == 64


def test_attention_fuses_both_patch_sizes_with_the_features() -> None:
    """Where all three attention maps are equal, the result is the mean of the three."""
    attention = ReferenceAttention([3], 64)
    for convolution in attention.fusions[0].attend:  # type: ignore[union-attr]
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    features, reference = values(2, 3, 8, 8, seed=1), values(3, 8, 8, seed=2)
    expected = (repair(features, reference, 4) + repair(features, reference, 2) + features) / 3
    torch.testing.assert_close(attention([features], [reference])[0], expected)


def test_feature_repair_by_hand() -> None:
    """Three layers, off by 1, 2 and 3 everywhere; the factor is 1 / (5 - 3)."""
    normal = [torch.zeros(1, 2, size, size) for size in (4, 2, 1)]
    repaired = [layer + off for layer, off in zip(normal, (1, 2, 3), strict=True)]
    torch.testing.assert_close(feature_repair_loss(repaired, normal), torch.tensor((1 + 4 + 9) / 2.0))


# --- segmentation -------------------------------------------------------------------------------------------------


def test_segmentation_has_a_map_per_scale() -> None:
    features = [values(2, channels, side, side) for channels, side in ((4, 16), (8, 8), (16, 4))]
    logits = DefectSegmentation(4)(features, features)
    assert [tuple(scale.shape) for scale in logits] == [(2, 16, 16), (2, 8, 8), (2, 4, 4)]


def test_segmentation_starts_out_from_one_pixel_in_ten() -> None:
    """Of features that are 0, an untrained sub-network passes on its bias only."""
    features = [torch.zeros(1, channels, 8, 8) for channels in (4, 8, 16)]
    for logits in DefectSegmentation(4).eval()(features, features):
        torch.testing.assert_close(logits.sigmoid(), torch.full((1, 8, 8), 0.1))


def test_segmentation_loss_by_hand() -> None:
    """At logit 0, p is 0.5: alpha_t (1 - p)^2 log 2 with alpha_t 0.25 on defects and 0.75 elsewhere."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, :2] = True
    loss = segmentation_loss([torch.zeros(1, side, side) for side in (4, 2, 2)], mask)
    assert float(loss) == pytest.approx((0.25 + 0.75) / 2 * 0.25 * np.log(2))


def test_maps_are_combined_with_the_weights_of_the_paper() -> None:
    maps = [torch.full((1, side, side), value) for side, value in ((8, 1.0), (4, 10.0), (2, 100.0))]
    torch.testing.assert_close(combine(maps, 8), torch.full((1, 8, 8), 0.2 + 2 + 60))


def test_pixel_gap_by_hand() -> None:
    images = torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1)
    reconstructions = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    torch.testing.assert_close(pixel_gap(images, reconstructions), torch.tensor([[[0.7 / 3]]]))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(mean_filter, ndimage.uniform_filter), (median_filter, ndimage.median_filter)]
)
def test_filters_against_scipy(ours: Callable[[Tensor, int], Tensor], theirs: Callable[..., Any]) -> None:
    maps = values(2, 9, 12)
    expected = np.stack([theirs(each.numpy(), 5, mode="nearest") for each in maps])
    np.testing.assert_allclose(ours(maps, 5).numpy(), expected, atol=1e-6)


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
