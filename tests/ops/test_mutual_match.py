"""mutual_match: every backend against a loop oracle and the reference, and what the documentation promises."""

import itertools
import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pybench.ops import TemplateBank, backends, mutual_match, pack_templates
from pybench.types import InputError

CPU_BACKENDS = {name: reason for name, reason in backends()["mutual_match"].items() if name != "cuda"}
RUNNABLE = [name for name, reason in CPU_BACKENDS.items() if not reason]
NATIVE = [name for name in RUNNABLE if name != "reference"]
quick = settings(derandomize=True, deadline=None, max_examples=25)
windows = st.sampled_from([1, 3, 5, 7, 9])


def random_pair(seed: int, batch: int, count: int, channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(batch, channels, height, width, generator=generator)
    return query, torch.randn(count, channels, height, width, generator=generator)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def by_loops(query: Tensor, templates: Tensor, forward_window: int, backward_window: int) -> tuple[Tensor, Tensor]:
    """Eq. 3-5 of HETMM word for word, on Python floats."""
    batch, _, height, width = query.shape
    q, t = query.permute(0, 2, 3, 1).tolist(), templates.permute(0, 2, 3, 1).tolist()
    forward, backward = torch.zeros(2, batch, height, width, dtype=torch.float64)
    for b, y, x in itertools.product(range(batch), range(height), range(width)):

        def around(window: int, y: int = y, x: int = x) -> list[tuple[int, int]]:
            near = range(-(window // 2), window // 2 + 1)
            places = [(y + dy, x + dx) for dy in near for dx in near]
            return [(v, u) for v, u in places if 0 <= v < height and 0 <= u < width]

        forward[b, y, x] = 1 - max(cosine(q[b][y][x], e[v][u]) for e in t for v, u in around(forward_window))
        backward[b, y, x] = 1 - max(cosine(q[b][v][u], e[y][x]) for e in t for v, u in around(backward_window))
    return forward, backward


def assert_maps(actual: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], tolerance: float = 2e-6) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs.double(), atol=tolerance, rtol=0, equal_nan=True)


def test_native_code_is_there() -> None:
    assert "portable" in NATIVE


@pytest.mark.parametrize("backend", RUNNABLE)
def test_by_hand(backend: str) -> None:
    query = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0]]).T.reshape(1, 2, 1, 3)
    templates = torch.tensor([[0.0, 1.0], [5.0, 0.0], [0.0, 0.5]]).T.reshape(1, 2, 1, 3)
    diagonal = 1 - math.sqrt(0.5)
    forward, backward = mutual_match(query, templates, 1, 3, backend)
    torch.testing.assert_close(forward, torch.tensor([[[1, 1, diagonal]]]))
    torch.testing.assert_close(backward, torch.tensor([[[0.0, 0.0, 0.0]]]), atol=1e-6, rtol=0)
    forward, backward = mutual_match(query, templates, 3, 1, backend)
    torch.testing.assert_close(forward, torch.tensor([[[0, 0, diagonal]]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(backward, torch.tensor([[[1, 1, diagonal]]]))


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize(
    ("shape", "forward_window", "backward_window"),
    [
        ((1, 1, 1, 1, 1), 1, 1),
        ((2, 3, 4, 3, 4), 3, 3),
        ((1, 17, 3, 4, 3), 3, 5),
        ((1, 33, 2, 2, 4), 5, 1),
        ((1, 2, 3, 1, 6), 9, 3),
    ],
)
def test_equals_loops(backend: str, shape: tuple[int, ...], forward_window: int, backward_window: int) -> None:
    query, templates = random_pair(sum(shape), *shape)
    actual = mutual_match(query, templates, forward_window, backward_window, backend)
    assert_maps(actual, by_loops(query, templates, forward_window, backward_window))


@pytest.mark.parametrize("backend", NATIVE)
@quick
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    count=st.one_of(st.integers(1, 20), st.sampled_from([32, 60, 64, 81])),
    channels=st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 513])),
    size=st.tuples(st.integers(1, 8), st.integers(1, 6)),
    forward_window=windows,
    backward_window=windows,
)
def test_equals_reference(
    backend: str,
    seed: int,
    batch: int,
    count: int,
    channels: int,
    size: tuple[int, int],
    forward_window: int,
    backward_window: int,
) -> None:
    query, templates = random_pair(seed, batch, count, channels, *size)
    actual = mutual_match(query, templates, forward_window, backward_window, backend)
    expected = mutual_match(query.double(), templates.double(), forward_window, backward_window, "reference")
    assert actual[0].shape == actual[1].shape == (batch, *size)
    assert actual[0].dtype == torch.float32
    assert_maps(actual, expected)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_layout_does_not_matter(backend: str) -> None:
    query, templates = random_pair(1, 2, 20, 12, 6, 5)
    expected = mutual_match(query, templates, 3, 5, backend)
    layouts = [
        lambda t: t.to(memory_format=torch.channels_last),
        lambda t: t.transpose(2, 3).contiguous().transpose(2, 3),
        lambda t: torch.stack([t, t], dim=1)[:, 1],
        lambda t: torch.cat([t, t], dim=1)[:, : t.shape[1]],
        lambda t: t.clone().requires_grad_(),
    ]
    for change in layouts:
        assert_maps(mutual_match(change(query), change(templates), 3, 5, backend), expected, 1e-6)


@pytest.mark.parametrize("backend", NATIVE)
def test_threads_do_not_change_a_bit(backend: str) -> None:
    query, templates = random_pair(2, 2, 37, 70, 9, 8)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(mutual_match(query, templates, 5, 3, backend))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("backend", RUNNABLE)
def test_normalisation_and_order_of_templates(backend: str) -> None:
    query, templates = random_pair(3, 1, 19, 8, 5, 5)
    expected = mutual_match(query, templates, 3, 3, backend)
    scaled = templates * torch.linspace(0.1, 9, 19).view(-1, 1, 1, 1)
    again = torch.cat([scaled.flip(0), templates[:3]])
    assert_maps(mutual_match(query * 1e-5, again, 3, 3, backend), expected)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_a_shift_within_the_window_costs_nothing(backend: str) -> None:
    _, templates = random_pair(4, 1, 6, 16, 8, 8)
    shifted = templates[2:3].roll(1, dims=3)
    forward, backward = mutual_match(shifted, templates, 3, 3, backend)
    assert forward[..., 1:].max() < 1e-6
    assert backward[..., :-1].max() < 1e-6
    assert mutual_match(shifted, templates, 1, 1, backend)[0].min() > 1e-3


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_reach_what_they_touch(backend: str, value: float) -> None:
    query, templates = random_pair(5, 2, 40, 6, 7, 7)
    expected = mutual_match(query, templates, 3, 5, backend)
    query_bad, templates_bad = query.clone(), templates.clone()
    query_bad[1, 2, 4, 0] = value
    templates_bad[38, 3, 2, 3] = value

    forward, backward = (m.clone() for m in expected)
    forward[1, 4, 0] = math.nan
    backward[1, 2:7, 0:3] = math.nan
    assert_maps(mutual_match(query_bad, templates, 3, 5, backend), (forward, backward))

    forward, backward = (m.clone() for m in expected)
    forward[:, 1:4, 2:5] = math.nan
    backward[:, 2, 3] = math.nan
    assert_maps(mutual_match(query, templates_bad, 3, 5, backend), (forward, backward))


@pytest.mark.parametrize("backend", RUNNABLE)
def test_zero_vectors_have_distance_one(backend: str) -> None:
    query, templates = random_pair(6, 1, 3, 4, 4, 4)
    query[:, :, 1, 1] = 0
    assert mutual_match(query, templates, 3, 3, backend)[0][0, 1, 1] == 1
    forward, backward = mutual_match(query, torch.zeros_like(templates), 3, 3, backend)
    assert torch.equal(forward, torch.ones_like(forward))
    assert torch.equal(backward, torch.ones_like(backward))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bank_serves_as_the_templates_do(dtype: torch.dtype) -> None:
    query, templates = (t.to(dtype) for t in random_pair(7, 2, 21, 10, 5, 6))
    bank = pack_templates(templates)
    assert (bank.count, bank.channels, bank.height, bank.width) == (21, 10, 5, 6)
    torch.testing.assert_close(bank.templates(), functional.normalize(templates, dim=1))
    for actual, expected in zip(mutual_match(query, bank, 3, 5), mutual_match(query, templates, 3, 5), strict=True):
        assert torch.equal(actual, expected)
    larger = pack_templates(torch.cat([bank.templates(), query]))
    assert mutual_match(query, larger, 1, 1)[0].max() < 1e-6


@pytest.mark.parametrize("backend", NATIVE)
@quick
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(0, 3),
    count=st.integers(1, 40),
    channels=st.one_of(st.integers(1, 40), st.sampled_from([511, 512, 513, 1025])),
    size=st.tuples(st.integers(1, 8), st.integers(1, 6)),
    forward_window=windows,
    backward_window=windows,
)
def test_reduced_precision_equals_its_reference(
    backend: str,
    seed: int,
    batch: int,
    count: int,
    channels: int,
    size: tuple[int, int],
    forward_window: int,
    backward_window: int,
) -> None:
    query, templates = random_pair(seed, batch, count, channels, *size)
    bank = pack_templates(templates, "reduced")
    actual = mutual_match(query, bank, forward_window, backward_window, backend)
    # A component between two steps may be rounded either way, which changes a cosine by at most 2^-15.
    assert_maps(actual, mutual_match(query, bank, forward_window, backward_window, "reference"), 4e-5)
    full = mutual_match(query, templates, forward_window, backward_window, "reference")
    assert_maps(actual, full, math.sqrt(channels) / 2**15 + 2e-6)


@pytest.mark.parametrize("backend", NATIVE)
def test_reduced_precision_is_as_exact_as_documented(backend: str) -> None:
    query, templates = random_pair(12, 2, 33, 300, 8, 8)
    expected = mutual_match(query, templates, 3, 3, "reference")
    actual = mutual_match(query, pack_templates(templates, "reduced"), 3, 3, backend)
    for ours, theirs in zip(actual, expected, strict=True):
        assert (ours - theirs).std() < 2e-5
    constant = torch.ones(1, 1, 4, 4)  # a component of 1 is the largest that fixed point must hold
    assert mutual_match(constant, pack_templates(constant, "reduced"), 3, 3, backend)[0].max() < 1e-4


@pytest.mark.parametrize("backend", RUNNABLE)
def test_reduced_precision_keeps_nan(backend: str) -> None:
    query, templates = random_pair(13, 1, 20, 7, 5, 5)
    query[0, 3, 0, 0] = math.inf
    templates[17, 6, 4, 4] = math.nan
    expected = mutual_match(query, templates, 3, 3, "reference")
    bank = pack_templates(templates, "reduced")
    assert_maps(mutual_match(query, bank, 3, 3, backend), expected, 1e-4)
    assert torch.equal(bank.templates().isnan(), functional.normalize(templates, dim=1).isnan())


def test_the_reference_works_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    query, templates = random_pair(8, 2, 5, 7, 9, 4)
    expected = mutual_match(query, templates, 3, 5, "reference")
    monkeypatch.setattr(sys.modules["pybench.ops.mutual_match"], "GATHER_BYTES", 1)
    assert_maps(mutual_match(query, templates, 3, 5, "reference"), expected)


def test_maps_carry_no_gradient() -> None:
    query, templates = (t.requires_grad_() for t in random_pair(9, 1, 2, 3, 4, 4))
    bank = pack_templates(templates)
    assert not bank.panels.requires_grad
    for backend in RUNNABLE:
        assert not any(m.requires_grad for m in mutual_match(query, templates, 3, 3, backend))


@pytest.mark.parametrize(
    ("query", "templates", "forward_window", "message"),
    [
        (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3), 2, "forward_window must be odd and positive, but is 2"),
        (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3), -1, "forward_window must be odd"),
        (torch.ones(2, 3, 3), torch.ones(1, 2, 3, 3), 3, "query must be float32 or float64 with 4 dimensions"),
        (torch.ones(1, 2, 3, 3).half(), torch.ones(1, 2, 3, 3), 3, "query must be float32 or float64"),
        (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3).long(), 3, "templates must be float32 or float64"),
        (torch.ones(1, 2, 3, 3), torch.ones(0, 2, 3, 3), 3, "templates .* must not be empty"),
        (torch.ones(1, 0, 3, 3), torch.ones(1, 0, 3, 3), 3, "templates .* must not be empty"),
        (torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 3), 3, r"\[any, 2, 3, 3\], but is \[1, 2, 3, 4\]"),
        (torch.ones(1, 2, 3, 3).double(), torch.ones(1, 2, 3, 3), 3, "must agree, but are torch.float64 on cpu"),
    ],
)
def test_refuses_with_a_reason(query: Tensor, templates: Tensor, forward_window: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mutual_match(query, templates, forward_window, 3)


def test_a_reduced_bank_takes_float32_queries() -> None:
    with pytest.raises(InputError, match=r"must agree, but are torch.float64 on cpu and torch.float32"):
        mutual_match(torch.ones(1, 2, 3, 3).double(), pack_templates(torch.ones(1, 2, 3, 3), "reduced"), 3, 3)


@pytest.mark.parametrize("backend", NATIVE)
def test_forced_native_backends_do_not_fall_back(backend: str) -> None:
    query, templates = (t.double() for t in random_pair(10, 1, 2, 3, 4, 4))
    with pytest.raises(InputError, match=f"backend '{backend}': {backend}: it takes float32, not torch.float64"):
        mutual_match(query, templates, 3, 3, backend)
    bank = TemplateBank(pack_templates(templates).panels.to("meta"), 2, 3, 4, 4)
    with pytest.raises(InputError, match="the tensors are on meta, not on the CPU"):
        mutual_match(query.to("meta"), bank, 3, 3, backend)


def test_the_gpu_backend_says_what_it_lacks() -> None:
    query, templates = random_pair(12, 1, 2, 3, 4, 4)
    with pytest.raises(InputError, match=r"cuda: (.*pybench\._cuda is not installed|torch sees no|.* not on a GPU)"):
        mutual_match(query, templates, 3, 3, "cuda")


@pytest.mark.parametrize("backend", [name for name in CPU_BACKENDS if name not in RUNNABLE])
def test_backends_of_other_processors_say_so(backend: str) -> None:
    query, templates = random_pair(11, 1, 2, 3, 4, 4)
    with pytest.raises(InputError, match=f"{backend}: this (processor|build)"):
        mutual_match(query, templates, 3, 3, backend)
