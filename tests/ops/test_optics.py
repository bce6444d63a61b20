"""optics_select against a direct loop, and its labels against scikit-learn and by hand."""

import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import OPTICS
from torch import Tensor

from pybench.ops import optics_labels, optics_select, record
from pybench.ops.optics import Center
from pybench.types import InputError

OPTICS_MODULE = sys.modules["pybench.ops.optics"]


def random_features(seed: int, count: int, pixels: int, channels: int) -> Tensor:
    """Two loose groups and stragglers, of different lengths."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(2, pixels, channels, generator=generator) * 3
    noise = torch.randn(count, pixels, channels, generator=generator)
    groups = torch.randint(0, 3, (count,), generator=generator)
    spread = torch.where(groups == 2, 3.0, 0.2).view(-1, 1, 1)
    scale = torch.rand(count, 1, 1, generator=generator) + 0.5
    return (centers[groups.clamp(max=1)] * (groups < 2).view(-1, 1, 1) + spread * noise) * scale


def cosine_distances(examples: Tensor) -> np.ndarray:
    """In the op's own rounding, since a last bit can flip what xi extraction decides."""
    return OPTICS_MODULE._cosine_distances(torch.nn.functional.normalize(examples.double(), dim=1)).numpy()


def sklearn_labels(distances: np.ndarray, min_samples: int) -> list[int]:
    return OPTICS(min_samples=min_samples, metric="precomputed").fit(distances).labels_.tolist()


def select_by_loops(examples: Tensor, k: int, center: str) -> np.ndarray:
    """Sec. 3.3 of paper 003 step by step at one pixel; the labels come straight from scikit-learn."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    rows, left = list(examples.double().numpy()), list(range(len(examples)))
    regions: dict[int, list[int]] = {}
    for index, label in enumerate(sklearn_labels(cosine_distances(examples), max(2, len(rows) // k))):
        if label >= 0:
            regions.setdefault(label, []).append(index)
    chosen = []
    for members in list(regions.values())[:k] or [left.copy()]:
        if center == "mean":
            chosen.append(np.mean([rows[i] for i in members], axis=0))
        else:
            medoid = min(members, key=lambda i: sum(distance(rows[i], rows[j]) for j in members if j != i))
            chosen.append(rows[medoid])
            left.remove(medoid)
    while len(chosen) < k:
        farthest = max(left, key=lambda i: sum(distance(rows[i], c) for c in chosen))
        chosen.append(rows[farthest])
        left.remove(farthest)
    return np.stack(chosen)


@pytest.mark.parametrize("center", ["medoid", "mean"])
@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**31), count=st.integers(3, 24), k=st.integers(1, 12), pixels=st.integers(1, 3))
def test_equals_loops(center: str, seed: int, count: int, k: int, pixels: int) -> None:
    features = random_features(seed, count, pixels, 6).double()
    selected = optics_select(features, k, center=center)
    assert selected.shape == (min(k, count), pixels, 6)
    if count > k:
        for pixel in range(pixels):
            expected = select_by_loops(features[:, pixel], k, center)
            np.testing.assert_allclose(selected[:, pixel].numpy(), expected, atol=1e-12)


def circle(*degrees: float) -> Tensor:
    """One pixel; unit vectors in the plane."""
    angles = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angles.cos(), angles.sin()], dim=1)[:, None]


def test_by_hand() -> None:
    features = circle(0, 1, -1, 0.5, -0.5, 90, 91, 89, 90.5, 89.5, 225)
    assert optics_labels(cosine_distances(features[:, 0]), 3).tolist() == [0] * 5 + [1] * 6
    # The straggler at 225 degrees belongs to the second region and draws its medoid from 90 to 91 degrees; it is itself
    # the farthest from both centres together.
    assert torch.equal(optics_select(features, 3), features[[0, 6, 10]])
    assert torch.equal(optics_select(features, 1, min_samples=3), features[[0]])
    means = optics_select(features, 2, min_samples=3, center="mean")
    torch.testing.assert_close(means, torch.stack([features[:5].mean(0), features[5:].mean(0)]))


@pytest.mark.parametrize("center", ["medoid", "mean"])
def test_without_regions_the_global_centre_is_first(center: Center, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTICS_MODULE, "optics_labels", lambda distances, _: np.full(len(distances), -1))
    features = circle(0, 40, 60, 70, 200)
    selected = optics_select(features, 2, center=center)
    assert torch.equal(selected[0], features[2] if center == "medoid" else features.mean(dim=0))
    assert torch.equal(selected[1], features[4])


@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), count=st.integers(2, 40), data=st.data())
def test_labels_equal_scikit_learn(seed: int, count: int, data: st.DataObject) -> None:
    min_samples = data.draw(st.integers(2, min(count, 8)))
    distances = cosine_distances(random_features(seed, count, 1, 8)[:, 0])
    if data.draw(st.booleans()):
        distances = distances.round(1)  # many ties
    with warnings.catch_warnings(action="ignore"):
        assert optics_labels(distances, min_samples).tolist() == sklearn_labels(distances, min_samples)


def test_few_examples_come_back_as_they_are() -> None:
    features = random_features(0, 4, 3, 5)
    for k in (4, 9):
        assert torch.equal(optics_select(features, k), features)


def test_equal_examples_and_zero_vectors() -> None:
    for features in (torch.ones(9, 2, 3), torch.zeros(9, 2, 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(optics_select(features, 4), features[:4])


def test_examples_are_taken_unchanged_and_once() -> None:
    features = random_features(1, 30, 2, 4)
    selected = optics_select(features, 7)
    assert selected.dtype == torch.float32
    for pixel in range(2):
        found = [[torch.equal(row, other) for other in features[:, pixel]].index(True) for row in selected[:, pixel]]
        assert len(set(found)) == 7


def test_says_what_ran() -> None:
    with record() as used:
        optics_select(random_features(2, 6, 1, 3), 2)
    assert used == {"optics_select": "reference"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": torch.ones(3, 2)}, r"features must be float32 or float64 \[N, P, C\]"),
        ({"features": torch.ones(3, 0, 2)}, "not empty"),
        ({"features": torch.full((5, 1, 2), torch.nan)}, "features must be finite"),
        ({"k": 0}, "k must be at least 1, but is 0"),
        ({"min_samples": 1}, r"min_samples must lie in \[2, 6\], but is 1"),
        ({"min_samples": 7}, r"min_samples must lie in \[2, 6\], but is 7"),
        ({"center": "median"}, "center must be medoid or mean"),
        ({"backend": "avx2"}, "optics_select has no backend 'avx2'; it has: auto, reference"),
    ],
)
def test_refuses_with_a_reason(changes: dict[str, object], message: str) -> None:
    arguments = {"features": torch.ones(6, 1, 2), "k": 2} | changes
    with pytest.raises(InputError, match=message):
        optics_select(**arguments)


def test_labels_refuse_with_a_reason() -> None:
    with pytest.raises(InputError, match="must be square"):
        optics_labels(np.zeros((2, 3)), 2)
    with pytest.raises(InputError, match=r"min_samples must lie in \[2, 3\]"):
        optics_labels(np.zeros((3, 3)), 4)
