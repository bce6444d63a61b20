"""``local_occ``: its switches, its state, and its alignment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pybench.methods import local_occ
from pybench.methods.local_occ import LocalOcc
from pybench.methods.networks.local_occ import warp
from pybench.training.synthesis import outlier_exposure
from pybench.training.textures import Textures
from pybench.types import Context, InputError
from tests.conformance.checks import Pictures, pixel_auroc
from tests.unit.methods.local_occ_parts import PLANT, STEP, fitted, method
from tests.unit.pictures import save


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


def test_a_folder_of_textures_that_nothing_uses_need_not_be_there(tmp_path: Path) -> None:
    fitted(align=False, synthesize=False, textures=str(tmp_path / "nothing"), **STEP)


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
