"""local_occ: the warp, the losses and the centre against independent computations; switches; alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from pybench.methods import local_occ
from pybench.methods.local_occ import LocalOcc, LocalOccParams
from pybench.methods.networks.local_occ import Matching, centre_of, distance, mapping_loss, warp, warp_back
from pybench.training.synthesis import outlier_exposure
from pybench.training.textures import Textures
from pybench.types import Context, InputError
from tests.conformance.checks import Pictures, pixel_auroc, plant
from tests.unit.pictures import save

PLANT = plant()
STEP: dict[str, Any] = {"matching_budget": {"steps": 1}, "mapping_budget": {"steps": 1}}


def method(context: Context | None = None, **params: Any) -> LocalOcc:
    small = {"weights": "random", "image_size": 32, "batch_size": 4}
    return LocalOcc(LocalOccParams.model_validate({**small, **params}), context or Context())


def fitted(context: Context | None = None, **params: Any) -> LocalOcc:
    made = method(context, **params)
    made.fit(PLANT.train)
    return made


def smooth_pictures(count: int, size: int = 32) -> Tensor:
    noise = np.random.default_rng(0).normal(size=(count, 3, size, size))
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 1.5, 1.5))).float()


# --- the warp -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [(3.0, 0.0, 0.0), (-2.5, 4.25, 0.0), (0.0, 0.0, 17.0), (4.0, -3.5, -28.0)])
def test_warp_is_scipys_affine_transform(transform: tuple[float, float, float]) -> None:
    (picture,) = smooth_pictures(1)
    x, y, degrees = transform
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.array([[cosine, sine], [-sine, cosine]])  # (row, column) of the result, clockwise to that of the picture
    centre = np.full(2, (32 - 1) / 2)
    offset = centre - back @ (centre + np.array([y, x]))
    expected = [ndimage.affine_transform(channel, back, offset, order=1, mode="nearest") for channel in picture.numpy()]
    moved = warp(picture[None], torch.tensor([transform]), "border")[0]
    np.testing.assert_allclose(moved.numpy(), np.stack(expected), atol=1e-4)


def test_warp_shifts_right_and_down_and_turns_counter_clockwise() -> None:
    pictures = smooth_pictures(2)
    moved = warp(pictures, torch.tensor([[5.0, 2.0, 0.0], [0.0, 0.0, 90.0]]), "zeros")
    shifted = ndimage.shift(pictures[0].numpy(), (0, 2, 5), order=1)
    np.testing.assert_allclose(moved[0].numpy(), shifted, atol=1e-5)
    assert not moved[0, :, :2].any(), "zeros come in from beyond the picture"
    np.testing.assert_allclose(moved[1].numpy(), np.rot90(pictures[1].numpy(), axes=(1, 2)), atol=1e-5)


def test_warping_back_undoes_the_warp_and_fills_with_the_minimum() -> None:
    maps = torch.from_numpy(
        ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2, 48, 48)), (0, 4, 4))
    ).float()
    transform = torch.tensor([[6.0, -3.0, 12.0], [-30.0, 0.0, 0.0]])
    there = warp(maps[:, None], transform, "border")[:, 0]
    back = warp_back(there, transform)
    inner = np.s_[0, 12:36, 12:36]
    torch.testing.assert_close(back[inner], maps[inner], atol=0.1 * float(maps.std()), rtol=0)
    torch.testing.assert_close(back[1, :, 30:], maps[1, :, 30:], atol=1e-5, rtol=0)
    torch.testing.assert_close(back[1, :, :29], there[1].min().expand(48, 29))


def test_an_untrained_matching_module_leaves_images_where_they_are() -> None:
    assert torch.equal(Matching(64)(torch.rand(2, 3, 64, 64)), torch.zeros(2, 3))


def test_matching_never_moves_an_object_out_of_the_picture() -> None:
    matching = Matching(64)
    with torch.no_grad():
        matching.regression[-1].bias.copy_(torch.tensor([50.0, -50.0, 50.0]))
    torch.testing.assert_close(matching(torch.rand(1, 3, 64, 64)), torch.tensor([[16.0, -16.0, 60.0]]))


# --- losses and centre --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("centre_size", [5, 1])
def test_losses_are_the_papers_sums(centre_size: int) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 7, 5, 5))
    centre = features[0] + 0.5 * random.normal(size=(7, 5, 5)) if centre_size > 1 else random.normal(size=(7, 1, 1))
    outliers = random.random((2, 5, 5)) < 0.4
    plain, exposed, clipped = 0.0, 0.0, 0
    for image, row, column in np.ndindex(2, 5, 5):
        a, b = features[image, :, row, column], centre[:, row % centre_size, column % centre_size]
        half = 0.5 * (1 - np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))
        plain += half / (2 * 5 * 5)
        exposed += (max(0.0, 0.1 - half) if outliers[image, row, column] else half) / (2 * 5 * 5)
        clipped += bool(outliers[image, row, column] and half > 0.1)
    assert clipped > 0, "some outlier must be beyond delta already"
    assert clipped < outliers.sum() or centre_size == 1, "and some must not"
    distances = distance(torch.from_numpy(features), torch.from_numpy(centre))
    assert float(mapping_loss(distances)) == pytest.approx(plain, rel=1e-5)
    assert float(mapping_loss(distances, torch.from_numpy(outliers))) == pytest.approx(exposed, rel=1e-5)


def test_an_outlier_beyond_delta_is_pushed_no_further() -> None:
    distances = torch.tensor([[[0.05, 0.19, 0.21, 1.5]]], requires_grad=True)
    mapping_loss(distances, torch.ones(1, 1, 4, dtype=torch.bool)).backward()
    torch.testing.assert_close(distances.grad, torch.tensor([[[-0.125, -0.125, 0, 0]]]))


def test_centre_is_the_mean_of_reduced_features() -> None:
    """Reduced image by image on the right singular vectors of all features; sign and order of channels are free."""
    made = fitted(align=False, **STEP)
    features = made._mixed(made.geometry.to_input(PLANT.train.stack)).double()
    rows = features.permute(0, 2, 3, 1).flatten(0, 2).numpy()
    axes = np.linalg.svd(rows, full_matrices=False)[2][:100]
    expected = np.mean([np.einsum("dc,chw->dhw", axes, image) for image in features.numpy()], 0).reshape(100, -1)
    assert made.centre is not None
    found = made.centre.flatten(1).double().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found.T @ found, expected.T @ expected, rtol=1e-3, atol=1e-3 * (expected**2).sum(0).max()
    )


def test_fewer_channels_than_a_hundred_are_all_kept() -> None:
    mean = torch.rand(7, 2, 2)
    centre = centre_of(mean, torch.eye(7))
    torch.testing.assert_close(torch.linalg.vector_norm(centre, dim=0), torch.linalg.vector_norm(mean, dim=0))


# --- switches -----------------------------------------------------------------------------------------------------


def test_a_vector_is_the_mean_centre() -> None:
    (per_position, vector) = (fitted(align=False, target=target, **STEP).centre for target in ("feature_map", "vector"))
    assert per_position is not None
    assert vector is not None
    assert per_position.shape == (100, 8, 8)
    torch.testing.assert_close(vector, per_position.mean((1, 2), keepdim=True))


def test_without_alignment_images_stay_and_nothing_is_matched() -> None:
    made = fitted(align=False, **STEP)
    assert [run.phase for run in made.trainings] == ["mapping"]
    prediction = made.predict(PLANT.test)
    assert not prediction.artefacts
    assert prediction.maps is not None
    torch.testing.assert_close(prediction.scores, prediction.maps.amax((1, 2)))


def test_artefacts_are_the_aligned_images_and_what_aligned_them() -> None:
    made = fitted(**STEP)
    artefacts = made.predict(PLANT.test).artefacts
    assert artefacts["transform"].abs().max() > 0
    inputs = made.geometry.to_input(PLANT.test)
    torch.testing.assert_close(artefacts["aligned"], warp(inputs, artefacts["transform"], "border"))


@pytest.mark.parametrize("synthesize", [True, False])
def test_defects_are_synthesized_only_where_asked_for(synthesize: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged: list[int] = []

    def spoil(images: Tensor, random: np.random.Generator, textures: Textures) -> tuple[Tensor, Tensor]:
        damaged.append(len(images))
        return outlier_exposure(images, random, textures)

    monkeypatch.setattr(local_occ, "outlier_exposure", spoil)
    fitted(align=False, synthesize=synthesize, **STEP)
    assert damaged == ([4] if synthesize else [])


def test_augmentation_turns_and_shifts_what_is_trained_on() -> None:
    weights = [
        fitted(align=False, synthesize=False, augment=augment, **STEP).mapping[0].running_mean
        for augment in (False, True)
    ]
    assert not torch.allclose(*weights)


def test_the_state_of_every_variant_is_restored() -> None:
    for params in ({"target": "vector"}, {"align": False}):
        made = fitted(**params, **STEP)
        restored = method(**params, **STEP)
        restored.load_state_dict(made.state_dict())
        assert torch.equal(restored.predict(PLANT.test).scores, made.predict(PLANT.test).scores)


def test_a_fit_that_died_between_its_phases_ends_with_the_same_weights(tmp_path: Path) -> None:
    undisturbed = fitted(Context(checkpoints=tmp_path), **STEP).state_dict()["mapping"]
    (tmp_path / "mapping.pt").unlink()
    resumed = fitted(Context(checkpoints=tmp_path), **STEP).state_dict()["mapping"]
    assert all(torch.equal(resumed[name], tensor) for name, tensor in undisturbed.items())


def test_the_textures_folder_is_part_of_what_results_depend_on(tmp_path: Path) -> None:
    params = method(textures=str(tmp_path), **STEP).params
    with pytest.raises(InputError, match="has no images"):
        LocalOcc.prepare(params)
    file = save(tmp_path / "voc.png", np.full((20, 20, 3), 200))
    before = LocalOcc.prepare(params)
    save(file, np.full((20, 20, 3), 100))
    assert set(before) == {"textures"}
    assert before != LocalOcc.prepare(params)
    assert not LocalOcc.prepare(params.model_copy(update={"synthesize": False}))


# --- alignment, as a whole ----------------------------------------------------------------------------------------


def moved_objects() -> tuple[Tensor, Tensor, NDArray[np.bool_]]:
    """A plate with a lug on dark ground, anywhere within 8 pixels and 12 degrees: training images, test images with a
    hole through which the ground shows, and the holes' masks."""
    row, column = np.mgrid[:64, :64]
    plate = (np.abs(row - 32) < 15) & (np.abs(column - 30) < 18) | (np.abs(row - 26) < 5) & (np.abs(column - 50) < 5)
    random = np.random.default_rng(0)
    holes = np.zeros((8, 64, 64), bool)
    for hole in holes:
        top, left = random.integers((19, 14), (34, 36))
        hole[top : top + 12, left : left + 12] = True
    objects = np.concatenate([np.repeat(plate[None], 24, 0), plate & ~holes])
    grey = 0.2 + 0.4 * objects + random.normal(0, 0.02, objects.shape)
    transforms = torch.from_numpy(random.uniform(-1, 1, (32, 3)) * [8, 8, 12])
    moved = warp(torch.from_numpy(grey)[:, None].float().expand(-1, 3, -1, -1), transforms, "border").clamp(0, 1)
    masks = warp(torch.from_numpy(holes)[:, None].float(), transforms[24:], "zeros")[:, 0] > 0.5
    return moved[:24], moved[24:], masks.numpy()


def test_a_shifted_object_is_aligned_and_its_defect_found_in_its_place() -> None:
    train, test, masks = moved_objects()
    budgets = {"matching_budget": {"steps": 150}, "mapping_budget": {"steps": 40}}
    made = method(image_size=64, matching_rate=1e-3, **budgets)
    made.fit(Pictures(train))
    prediction = made.predict(test)
    aligned, transform = prediction.artefacts["aligned"], prediction.artefacts["transform"]
    before, after = (float((images - made.matching.template).square().mean()) for images in (test, aligned))
    assert after < 0.5 * before
    assert prediction.maps is not None
    in_its_place = pixel_auroc(masks, prediction.maps)
    in_the_templates_place = pixel_auroc(masks, warp(prediction.maps[:, None], transform, "border")[:, 0])
    assert in_its_place > 0.9
    assert in_its_place > in_the_templates_place + 0.05
