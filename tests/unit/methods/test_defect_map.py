"""``defect_map`` against its paper: each network, loss and equation by an independent computation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from pybench.methods import defect_map
from pybench.methods.defect_map import DefectMap, DefectMapParams, Synthesis, enhanced, rotated, schedule
from pybench.planning.suite import load_suite
from pybench.training.batches import Batch
from pybench.training.foreground import foreground_mask
from pybench.training.losses import ssim_map
from pybench.types import InputError
from tests.conformance.checks import Pictures
from tests.unit.methods.defect_map_parts import PLANT, TINY, method


def batch(images: Tensor) -> Batch:
    return Batch(images, np.random.default_rng(0), 0.0)


def discs() -> Tensor:
    """A bright disc beside the centre of a dark ground, lighter in some images: [4, 3, 64, 64]."""
    row, column = np.mgrid[:64, :64]
    disc = torch.from_numpy(((row - 32) ** 2 + (column - 26) ** 2 < 18**2).astype(np.float32))
    brightness = torch.linspace(0.6, 0.9, 4)
    return (0.1 + brightness[:, None, None, None] * disc).expand(-1, 3, -1, -1).contiguous()


def test_the_losses_are_those_of_the_paper() -> None:
    made = method(ssim_weight=2.0, vision_weight=0.8, deep_weight=0.2)
    images, damaged = torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[0, :20] = True
    terms = {name: term.item() for name, term in made.loss(images, damaged, masks).items()}
    assert made.deep_features is not None
    with torch.no_grad():
        reconstructed, features = made.reconstruction(damaged)
        again = made.deep_features.extractor(reconstructed)
        probability = made.prediction(reconstructed, damaged).sigmoid()[:, 0].double().numpy()
    squared = ((reconstructed - images).double().numpy() ** 2).sum() / (2 * 64 * 64)
    assert terms["l2"] == pytest.approx(0.8 * squared, rel=1e-4)
    assert terms["ssim"] == pytest.approx(0.8 * 2 * (1 - float(ssim_map(reconstructed, images).mean())), rel=1e-4)
    assert terms["deep"] == pytest.approx(0.2 * np.abs((again - features).numpy()).mean(), rel=1e-4)
    right = np.where(masks.numpy(), probability, 1 - probability)
    focal = -np.where(masks.numpy(), 0.25, 0.75) * (1 - right) ** 2 * np.log(right)
    assert terms["focal"] == pytest.approx(focal.mean(), rel=1e-4)


def test_mixed_precision_gives_finite_gradients_close_to_full_precision() -> None:
    made = method()
    images = PLANT.train.stack[:2]
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    full = made.loss(images, images, masks)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made.loss(images, images, masks)
    torch.stack(list(mixed.values())).sum().backward()
    for name, term in mixed.items():
        assert term.item() == pytest.approx(full[name].item(), rel=0.05), name
    trained = [*made.reconstruction.parameters(), *made.prediction.parameters()]
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in trained)


def test_the_learning_rate_falls_at_400_and_600_of_700_epochs() -> None:
    factors = [schedule(epoch / 700) for epoch in (0, 399, 400, 599, 600, 699)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_defects_are_blended_in_on_the_foregrounds_of_both_images(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[Tensor] = []

    def blend(images: Tensor, chosen: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        sources.extend(chosen)
        return original(images, chosen, *args, **kwargs)

    original = defect_map.foreground_blend
    monkeypatch.setattr(defect_map, "foreground_blend", blend)
    normal = discs()
    params = method(rotation=0, enhancement=0.2, foreground="threshold").params
    made = Synthesis(params, (normal * 255).round().to(torch.uint8))
    images, damaged, masks = made(batch(normal))
    torch.testing.assert_close(images, normal)
    assert masks.any((1, 2)).all()
    for image, source, found, mask in zip(images, sources, damaged, masks, strict=True):
        for picture in (image, source):
            assert not (mask & ~foreground_mask(picture, "threshold")).any()
        assert torch.equal(found[:, ~mask], image[:, ~mask])
        change, direction = (found - image)[:, mask], (source - image)[:, mask]
        beta = float((change * direction).sum() / direction.square().sum())
        assert 0 <= beta < 0.8
        torch.testing.assert_close(found[:, mask], beta * source[:, mask] + (1 - beta) * image[:, mask])


def test_foreign_textures_are_pasted_over_the_whole_image() -> None:
    normal = discs()[:2]
    made = Synthesis(method(anomaly_source="textures", rotation=0).params, (normal * 255).to(torch.uint8))
    anywhere = torch.zeros(64, 64, dtype=torch.bool)
    for seed in range(10):
        images, damaged, masks = made(Batch(normal, np.random.default_rng(seed), 0.0))
        assert torch.equal((damaged != images).any(1) & ~masks, torch.zeros_like(masks))
        anywhere |= masks[0]
    assert (anywhere & ~foreground_mask(normal[0], "threshold")).any()


def test_rotation_turns_about_the_centre() -> None:
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    turned = rotated(images, np.array([0.0, 90.0, 180.0]))
    torch.testing.assert_close(turned[0], images[0], atol=1e-5, rtol=0)
    assert any(torch.allclose(turned[1], images[1].rot90(times, (1, 2)), atol=1e-5) for times in (1, 3))
    torch.testing.assert_close(turned[2], images[2].rot90(2, (1, 2)), atol=1e-5, rtol=0)


def test_enhancement_changes_contrast_and_channels_within_bounds() -> None:
    images = 0.45 + 0.1 * torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before, after = (stack.double().numpy() for stack in (images, enhanced(images, 0.3, np.random.default_rng(0))))
    contrasts = after.std((2, 3)) / before.std((2, 3))
    np.testing.assert_allclose(contrasts, contrasts[:, :1].repeat(3, 1), atol=1e-4)
    mean = before.mean((1, 2, 3))[:, None]
    shifts = after.mean((2, 3)) - mean - contrasts * (before.mean((2, 3)) - mean)
    for changes in (contrasts - 1, shifts):
        assert -0.3 <= changes.min() < -0.1
        assert 0.1 < changes.max() <= 0.3


def test_the_image_score_is_the_maximum_of_the_mean_filtered_map() -> None:
    made = method(filter_size=3)
    made.fit(PLANT.train)
    prediction = made.predict(PLANT.test[:2])
    assert prediction.maps is not None
    for probabilities, score in zip(prediction.maps.numpy(), prediction.scores.tolist(), strict=True):
        padded = np.pad(probabilities, 1, mode="edge")
        means = [padded[row : row + 3, column : column + 3].mean() for row, column in np.ndindex(64, 64)]
        assert score == pytest.approx(max(means), rel=1e-5)


def test_prediction_keeps_the_reconstruction() -> None:
    made = method()
    made.fit(Pictures(PLANT.train.stack[:2]))
    reconstruction = made.predict(PLANT.test[:3]).artefacts["reconstruction"]
    assert reconstruction.shape == (3, 3, 64, 64)
    assert 0 <= float(reconstruction.min()) <= float(reconstruction.max()) <= 1
    assert made.provenance()["training"]["steps"] == 1


def test_a_folder_of_textures_that_is_missing_is_found_before_trials_start(tmp_path: Path) -> None:
    missing = DefectMapParams(**TINY, textures=str(tmp_path / "dtd"), anomaly_source="textures")
    with pytest.raises(InputError, match="is no folder"):
        DefectMap.prepare(missing)
    unused = DefectMapParams(**TINY, textures=str(tmp_path / "dtd"))
    assert DefectMap.prepare(unused) == {}


TABLE_4 = {  # deep features, large kernel, anomaly source
    "1": ("none", False, "textures"),
    "2": ("copied", False, "textures"),
    "3": ("none", True, "textures"),
    "4": ("none", False, "same_dataset"),
    "5": ("none", True, "same_dataset"),
    "6": ("copied", False, "same_dataset"),
    "7": ("copied", True, "same_dataset"),
    "8": ("trained", True, "same_dataset"),
}


def test_the_ablation_suite_has_the_rows_of_table_4_and_each_trains() -> None:
    suite, _ = load_suite("defect_map_ablation")
    rows = {}
    for entry in suite.methods:
        made = method(**entry.params)
        made.fit(PLANT.train)
        assert torch.isfinite(made.predict(PLANT.test[:2]).scores).all()
        rows[entry.label.split()[0]] = (made.params.deep_features, made.params.large_kernel, made.params.anomaly_source)
    assert rows == TABLE_4


def test_the_defaults_are_the_full_method() -> None:
    params = DefectMapParams()
    assert (params.deep_features, params.large_kernel, params.anomaly_source) == TABLE_4["7"]
    assert (params.ssim_weight, params.vision_weight, params.deep_weight) == (1, 0.8, 0.2)
    assert (params.input_size, params.learning_rate, params.budget.epochs) == (256, 1e-4, 700)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"image_size": 80}, "multiple of 32"),
        ({"filter_size": 4}, "must be odd"),
        ({"depths": (1, 0, 1, 1)}, "must be positive"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        method(**params)
