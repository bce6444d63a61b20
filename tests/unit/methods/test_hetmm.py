"""HETMM: its switches against loops over pixels, and the hot update."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from pybench.methods.hetmm import Hetmm, HetmmParams
from pybench.types import Context
from tests.conformance.checks import Pictures, pixel_auroc
from tests.unit.methods.backbone_parts import PLANT, SETTINGS

SMALL: dict[str, Any] = {"windows": (3, 3, 3)}


def hetmm(**params: Any) -> Hetmm:
    return Hetmm(HetmmParams(**{**SETTINGS, **params}), Context())


@cache
def fitted(**params: Any) -> Hetmm:
    made = hetmm(**params)
    made.fit(PLANT.train)
    return made


def maps_of_one_layer(monkeypatch: pytest.MonkeyPatch, query: Tensor, templates: Tensor, **params: Any) -> Tensor:
    """Maps of a method whose one layer's features are given; they are not upsampled."""
    made = hetmm(layers=(1,), image_size=32, **params)
    monkeypatch.setattr("pybench.methods.hetmm.upsample", lambda maps, size: maps)
    monkeypatch.setattr(made.geometry.__class__, "input_size", property(lambda geometry: query.shape[-1]))
    given = iter((templates, query))
    monkeypatch.setattr(made, "features", lambda images: [next(given)])
    made.fit(Pictures(torch.zeros(1, 3, 32, 32)))
    maps = made.predict(torch.zeros(len(query), 3, 32, 32)).maps
    assert maps is not None
    return maps


@pytest.fixture(scope="module")
def features() -> tuple[Tensor, Tensor]:
    """Two queries and five templates, [2, 4, 6, 6] and [5, 4, 6, 6]."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 6, 6, generator=generator), torch.randn(5, 4, 6, 6, generator=generator)


def unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def patch(image: NDArray[np.float64], row: int, column: int, radius: int) -> list[NDArray[np.float64]]:
    """Unit feature vectors of the pixels within a window, cut at the border."""
    rows = range(max(0, row - radius), min(image.shape[1], row + radius + 1))
    columns = range(max(0, column - radius), min(image.shape[2], column + radius + 1))
    return [unit(image[:, r, c]) for r in rows for c in columns]


def test_directions_are_searched_in_windows(features: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Eq. 3 to 6, pixel by pixel."""
    query, templates = (layer.double().numpy() for layer in features)
    expected = np.empty((2, 6, 6))
    for image, row, column in np.ndindex(expected.shape):
        pixel = unit(query[image, :, row, column])
        forward = min(1 - pixel @ other for template in templates for other in patch(template, row, column, 1))
        backward = min(
            1 - other @ unit(template[:, row, column])
            for template in templates
            for other in patch(query[image], row, column, 1)
        )
        expected[image, row, column] = 0.3 * forward + 0.7 * backward
    found = maps_of_one_layer(monkeypatch, *features, windows=(3,), alpha=0.3)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_a_missing_part_is_seen_backward_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sec. 3.2: what is there instead is valid nearby, but the templates' part is found nowhere in the window."""
    background = torch.zeros(1, 2, 6, 6)
    background[:, 0] = 1
    with_part = background.clone()
    with_part[:, :, 3, 4] = torch.tensor([0.0, 1.0])
    forward, backward = (
        maps_of_one_layer(monkeypatch, background, with_part.repeat(4, 1, 1, 1), windows=(3,), alpha=alpha)
        for alpha in (1, 0)
    )
    assert float(forward.max()) < 1e-6
    assert backward.nonzero().tolist() == [[0, 3, 4]]
    assert float(backward.max()) == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0, 1])
def test_a_window_of_one_matches_point_to_point(
    features: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, alpha: float
) -> None:
    """Pixel-level template matching of Table 8: the nearest template at the same place, whatever the direction."""
    query, templates = (layer.double().numpy() for layer in features)
    expected = [
        min(1 - unit(query[image, :, row, column]) @ unit(template[:, row, column]) for template in templates)
        for image, row, column in np.ndindex(2, 6, 6)
    ]
    found = maps_of_one_layer(monkeypatch, *features, windows=(1,), alpha=alpha)
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("window", [3, 5])
def test_patches_are_matched_with_patches(
    features: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Patch-level template matching of Table 8: the mean of a patch with those of the templates at the same place."""
    query, templates = (layer.double().numpy() for layer in features)

    def mean(image: NDArray[np.float64], row: int, column: int) -> NDArray[np.float64]:
        return unit(np.mean(patch(image, row, column, window // 2), axis=0))

    expected = [
        min(1 - mean(query[image], row, column) @ mean(template, row, column) for template in templates)
        for image, row, column in np.ndindex(2, 6, 6)
    ]
    found = maps_of_one_layer(monkeypatch, *features, windows=(window,), matching="patch")
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=1e-5)


def test_alpha_weighs_the_directions() -> None:
    forward, backward, both = (fitted(alpha=alpha, **SMALL).predict(PLANT.test).maps for alpha in (1, 0, 0.5))
    assert forward is not None
    assert backward is not None
    assert not torch.allclose(forward, backward)
    torch.testing.assert_close(both, (forward + backward) / 2)


@pytest.mark.parametrize(("offset", "expected"), [(0.0, 2.0), (1.0, 1 - (1 - 0.1) / (2 * 1.01) ** 0.5)])
def test_an_offset_keeps_weak_vectors_alike(offset: float, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector of a tenth of the length, in the opposite direction, is as far as can be without the constant channel.

    The templates' vectors have length 1, which is their root mean square, so the channel is the offset.
    """
    template = torch.zeros(1, 2, 2, 2)
    template[:, 0] = 1
    maps = maps_of_one_layer(monkeypatch, -0.1 * template, template, windows=(1,), offset=offset)
    torch.testing.assert_close(maps, torch.full((1, 2, 2), expected), rtol=1e-4, atol=1e-4)


def test_layers_are_summed() -> None:
    """Eq. 10."""
    parts = [fitted(layers=(layer,), windows=(window,)) for layer, window in ((1, 5), (3, 3))]
    both = fitted(layers=(1, 3), windows=(5, 3)).predict(PLANT.test).maps
    torch.testing.assert_close(both, sum(part.predict(PLANT.test).maps for part in parts))


@pytest.mark.parametrize(
    "params",
    [
        {"windows": (1, 1, 1)},
        {"windows": (5, 3, 3), "matching": "patch"},
        {"windows": (5, 3, 3), "alpha": 1},
        {"windows": (5, 3, 3), "alpha": 0},
        {"windows": (5, 3, 3), "offset": 1},
        {"windows": (5, 3, 3), "sheets": 4},
        {"windows": (5, 3, 3), "sheets": 4, "selection": "kmeans_pixel"},
        {"windows": (5, 3, 3), "sheets": 4, "selection": "kmeans_image"},
        {"windows": (5, 3, 3), "sheets": 4, "selection": "random_pixel"},
        {"windows": (5, 3, 3), "sheets": 4, "selection": "random_image"},
    ],
    ids=str,
)
def test_every_switch_finds_the_planted_defect(params: dict[str, Any]) -> None:
    maps = fitted(**params).predict(PLANT.test).maps
    assert maps is not None
    assert pixel_auroc(PLANT.masks, maps) >= 0.9


def test_sheets_are_fewer_templates() -> None:
    made = fitted(sheets=4, **SMALL)
    assert [bank.count for bank in made.banks] == [4, 4, 4]


def test_it_knows_its_own_templates() -> None:
    maps = fitted(windows=(1, 1, 1)).predict(PLANT.train.stack[:2]).maps
    assert maps is not None
    assert float(maps.abs().max()) < 1e-3


# --- hot update -----------------------------------------------------------------------------------------------------

FIRST, REST = Pictures(PLANT.train.stack[:7]), Pictures(PLANT.train.stack[7:])


def saved_and_loaded(made: Hetmm) -> Hetmm:
    file = io.BytesIO()
    torch.save(made.state_dict(), file)
    file.seek(0)
    other = Hetmm(made.params, Context())
    other.load_state_dict(torch.load(file, weights_only=True))
    return other


@pytest.mark.parametrize(("matching", "precision"), [("mutual", "full"), ("patch", "reduced")])
def test_an_update_after_loading_equals_fitting_on_all(matching: str, precision: str) -> None:
    params = {"matching": matching, "precision": precision, **SMALL}
    made = hetmm(**params)
    made.fit(FIRST)
    before = made.predict(PLANT.test).maps
    updated = saved_and_loaded(made)
    updated.update(REST)
    after = saved_and_loaded(updated).predict(PLANT.test).maps
    assert before is not None
    assert after is not None
    torch.testing.assert_close(after, fitted(**params).predict(PLANT.test).maps)
    assert (after <= before + 1e-5).all(), "more templates can only bring distances down"
    assert not torch.allclose(after, before)


def test_an_update_has_the_constant_channels_of_the_fit() -> None:
    made = hetmm(offset=1, **SMALL)
    made.fit(FIRST)
    updated = saved_and_loaded(made)
    updated.update(REST)
    assert updated.constants == made.constants
    maps = updated.predict(REST.stack).maps
    assert maps is not None
    assert float(maps.mean()) < 1e-3


def test_an_update_inserts_beside_the_selected_sheets() -> None:
    made = hetmm(sheets=3, **SMALL)
    made.fit(FIRST)
    updated = saved_and_loaded(made)
    updated.update(REST)
    assert [bank.count for bank in updated.banks] == [3 + len(REST)] * 3
    for kept, bank in zip(made.banks, updated.banks, strict=True):
        torch.testing.assert_close(bank.templates()[:3], kept.templates())
    own = updated.predict(REST.stack).maps
    assert own is not None
    known, strange = (float(maps.mean()) for maps in (own, made.predict(REST.stack).maps))
    assert known < 1e-3 < strange


# --- parameters -----------------------------------------------------------------------------------------------------


def test_defaults_are_the_papers() -> None:
    params = HetmmParams()
    assert (params.backbone, params.weights, params.image_size) == ("wide_resnet101_2", "imagenet", 256)
    assert (params.layers, params.windows) == ((1, 2, 3), (9, 7, 5))
    assert (params.matching, params.sheets, params.sigma, params.offset) == ("mutual", None, 4, 0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"windows": (3, 3)}, "2 given for 3 layers"),
        ({"windows": (3, 4, 3)}, "must be odd"),
        ({"alpa": 1}, "alpa"),
        ({"selection": "kmeans_pixel"}, "kmeans_pixel needs sheets"),
        ({"selection": "kmeans", "sheets": 3}, "kmeans_pixel"),
        ({"matching": "patch", "offset": 1}, "offset: 1 is for matching: mutual"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        hetmm(**params)


@pytest.mark.parametrize(
    ("params", "stochastic"),
    [
        ({}, False),
        ({"weights": "random"}, True),
        ({"sheets": 3}, False),
        ({"sheets": 3, "selection": "random_image"}, True),
        ({"sheets": 3, "selection": "kmeans_pixel"}, True),
    ],
)
def test_what_draws_runs_with_every_seed(params: dict[str, Any], stochastic: bool) -> None:
    assert Hetmm.is_stochastic(HetmmParams(**params)) == stochastic
