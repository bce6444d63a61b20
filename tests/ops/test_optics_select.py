"""optics_select: every backend against the reference on the same distances, and this against a direct loop."""

import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import OPTICS
from torch import Tensor

from pybench import _cpu
from pybench.ops import dispatch, optics_labels, optics_select, record
from pybench.ops.optics_select import Center
from pybench.types import InputError

BACKENDS = [name for name, reason in dispatch.backends()["optics_select"].items() if not reason and name != "cuda"]
NATIVE = [name for name in BACKENDS if name != "reference"]
MODULE = sys.modules["pybench.ops.optics_select"]


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
    return MODULE._cosine_distances(torch.nn.functional.normalize(examples.double(), dim=1)).numpy()


def sklearn_labels(distances: np.ndarray, min_samples: int) -> list[int]:
    return OPTICS(min_samples=min_samples, metric="precomputed").fit(distances).labels_.tolist()


def select_by_loops(examples: Tensor, k: int, center: str) -> np.ndarray:
    """Sec. 3.3 of HETMM step by step at one pixel; the labels come straight from scikit-learn."""

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
    monkeypatch.setattr(MODULE, "reference_labels", lambda distances, _: np.full(len(distances), -1))
    features = circle(0, 40, 60, 70, 200)
    selected = optics_select(features, 2, center=center)
    assert torch.equal(selected[0], features[2] if center == "medoid" else features.mean(dim=0))
    assert torch.equal(selected[1], features[4])


def native_distances(backend: str, examples: Tensor) -> Tensor:

    distances = torch.empty(len(examples), len(examples))
    assert _cpu.optics_distances(backend, examples.contiguous().__dlpack__(), distances.__dlpack__())
    return distances


def positions_last(features: Tensor) -> Tensor:
    """The same features as layers of a network have them: [N, C, H, W] seen as [N, H * W, C]."""
    return features.transpose(1, 2).contiguous().transpose(1, 2)


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("center", ["medoid", "mean"])
@settings(derandomize=True, deadline=None, max_examples=60)
@given(data=st.data(), count=st.integers(2, 70), pixels=st.integers(1, 20), channels=st.integers(2, 150))
def test_native_equals_the_reference_on_its_distances(
    backend: str, center: Center, data: st.DataObject, count: int, pixels: int, channels: int
) -> None:
    features = random_features(data.draw(st.integers(0, 2**31)), count, pixels, channels)
    if center == "medoid" and data.draw(st.booleans(), label="duplicates"):
        features = features[torch.arange(count) * 7 % (1 + count // 2)]
    if data.draw(st.booleans(), label="positions last"):
        features = positions_last(features)
    k = data.draw(st.integers(1, count - 1))
    min_samples = data.draw(st.one_of(st.just(max(2, count // k)), st.integers(2, count)))
    selected = optics_select(features, k, min_samples, center, backend)
    assert selected.shape == (k, pixels, channels)
    for pixel in range(0, pixels, 5):
        distances = native_distances(backend, features[:, pixel])
        expected = MODULE._select_pixel(features[:, pixel], distances.double(), k, min_samples, center)
        torch.testing.assert_close(selected[:, pixel], expected, rtol=0, atol=0 if center == "medoid" else 1e-5)


@pytest.mark.parametrize("backend", NATIVE)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 70), channels=st.integers(1, 400))
def test_native_distances(backend: str, seed: int, count: int, channels: int) -> None:
    examples = random_features(seed, count, 1, channels)[:, 0].relu()
    distances = native_distances(backend, examples)
    np.testing.assert_allclose(distances.numpy(), cosine_distances(examples), atol=1e-6)
    assert torch.equal(distances, distances.T)
    assert torch.equal(distances * 2**24, (distances * 2**24).round())
    assert distances.min() == 0
    assert distances.max() <= 2


@pytest.mark.parametrize("backend", NATIVE)
def test_equal_examples_have_equal_native_distances(backend: str) -> None:
    examples = random_features(3, 45, 1, 300)[:, 0].repeat(2, 1)
    distances = native_distances(backend, examples)
    assert torch.equal(distances, distances[:45, :45].repeat(2, 2)), "0 to each other"


@pytest.mark.parametrize("backend", NATIVE)
def test_opposite_long_and_short_vectors(backend: str) -> None:
    """Lengths whose squares overflow or vanish in float32 make no difference."""
    examples = torch.tensor([[3e30, 4e30], [-3e-11, -4e-11], [4e30, -3e30], [0, 0], [0, 0]])
    expected = torch.tensor([[0.0, 2, 1, 1, 1], [2, 0, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 1, 0, 1], [1, 1, 1, 1, 0]])
    torch.testing.assert_close(native_distances(backend, examples), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("center", ["medoid", "mean"])
def test_layouts_and_threads_change_nothing(backend: str, center: Center) -> None:
    features = random_features(5, 40, 37, 19)
    expected = optics_select(features, 9, center=center, backend=backend)
    for threads in (1, 3):
        torch.set_num_threads(threads)
        for same in (
            features,
            positions_last(features),
            features.permute(2, 1, 0).contiguous().permute(2, 1, 0),
            features.repeat_interleave(2, dim=1)[:, ::2],
            features.clone().requires_grad_(),
        ):
            assert torch.equal(optics_select(same, 9, center=center, backend=backend), expected)
    torch.set_num_threads(1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("pixel", [0, 16, 17])
def test_refuses_what_is_not_finite(backend: str, value: float, pixel: int) -> None:
    features = torch.rand(5, 18, 3)
    features[4, pixel, 2] = value
    for same in (features, positions_last(features)):
        with pytest.raises(InputError, match="features must be finite"):
            optics_select(same, 2, backend=backend)


def test_the_extension_checks_its_arguments() -> None:
    features, selected = torch.rand(5, 4, 6), torch.empty(2, 4, 6)
    for wrong, min_samples, output in [
        (features[0], 2, selected),
        (features.double(), 2, selected),
        (features.repeat(1, 2, 2)[:, ::2, ::2], 2, selected),
        (features, 1, selected),
        (features, 6, selected),
        (features, 2, torch.empty(6, 4, 6)),
        (features, 2, torch.empty(0, 4, 6)),
        (features, 2, selected[:, :3]),
        (features, 2, torch.empty(2, 6, 4).transpose(1, 2)),
    ]:
        with pytest.raises(ValueError, match="must"):
            _cpu.optics_select("portable", wrong.__dlpack__(), min_samples, False, 1, output.__dlpack__())
    for examples, distances in [
        (features[:, 0], torch.empty(5, 5)),
        (features[0], torch.empty(4, 5)),
        (features[0], torch.empty(8, 4)[::2]),
    ]:
        with pytest.raises(ValueError, match="must"):
            _cpu.optics_distances("portable", examples.__dlpack__(), distances.__dlpack__())


def test_few_examples_come_back_as_they_are() -> None:
    features = random_features(0, 4, 3, 5)
    for k in (4, 9):
        assert torch.equal(optics_select(features, k), features)


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_examples_and_zero_vectors(backend: str) -> None:
    for features in (torch.ones(9, 2, 3), torch.zeros(9, 2, 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(optics_select(features, 4, backend=backend), features[:4])


@pytest.mark.parametrize("backend", BACKENDS)
def test_examples_are_taken_unchanged_and_once(backend: str) -> None:
    features = random_features(1, 30, 2, 4)
    selected = optics_select(features, 7, backend=backend)
    assert selected.dtype == torch.float32
    for pixel in range(2):
        found = [[torch.equal(row, other) for other in features[:, pixel]].index(True) for row in selected[:, pixel]]
        assert len(set(found)) == 7


def test_says_what_ran() -> None:
    for dtype, backend in ((torch.float32, BACKENDS[0]), (torch.float64, "reference")):
        with record() as used:
            optics_select(random_features(2, 6, 1, 3).to(dtype), 2)
        assert used == {"optics_select": backend}


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
        (
            {"backend": "sse"},
            "optics_select has no backend 'sse'; it has: auto, cuda, avx512, avx2, portable, reference",
        ),
        ({"features": torch.ones(6, 1, 2).double(), "backend": "portable"}, r"it takes float32, not torch\.float64"),
    ],
)
def test_refuses_with_a_reason(changes: dict[str, object], message: str) -> None:
    arguments = {"features": torch.ones(6, 1, 2), "k": 2} | changes
    with pytest.raises(InputError, match=message):
        optics_select(**arguments)
