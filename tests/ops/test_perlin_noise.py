"""perlin_noise: every backend against the definition in loops, against values by hand, and what it promises."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pybench import _cpu
from pybench.ops import backends, record
from pybench.ops.perlin_noise import perlin_noise
from pybench.types import InputError

RUNNABLE = [name for name, reason in backends()["perlin_noise"].items() if not reason]


def angles(cells: tuple[int, int], seed: int) -> list[list[float]]:
    """The directions of the lattice, as documented."""
    generator = torch.Generator().manual_seed(seed)
    return (2 * math.pi * torch.rand(cells[0] + 1, cells[1] + 1, generator=generator)).tolist()


def by_loops(height: int, width: int, cells: tuple[int, int], seed: int) -> torch.Tensor:
    """The definition, pixel by pixel and corner by corner."""
    directions = angles(cells, seed)
    noise = torch.zeros(height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            top, left = row * cells[0] // height, column * cells[1] // width
            y, x = row * cells[0] / height - top, column * cells[1] / width - left
            for down in (0, 1):
                for right in (0, 1):
                    angle = directions[top + down][left + right]
                    influence = math.cos(angle) * (y - down) + math.sin(angle) * (x - right)
                    share = math.prod(
                        weight if corner else 1 - weight for corner, weight in ((down, fade(y)), (right, fade(x)))
                    )
                    noise[row, column] += math.sqrt(2) * share * influence
    return noise.float()


def fade(t: float) -> float:
    return 6 * t**5 - 15 * t**4 + 10 * t**3


def test_native_code_is_there() -> None:
    assert RUNNABLE == ["portable", "reference"]


@pytest.mark.parametrize("backend", RUNNABLE)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    height=st.integers(0, 40),
    width=st.integers(0, 70),
    cells=st.tuples(st.integers(1, 9), st.integers(1, 50)),
    seed=st.integers(0, 2**63 - 1),
)
def test_is_what_its_documentation_says(
    backend: str, height: int, width: int, cells: tuple[int, int], seed: int
) -> None:
    noise = perlin_noise(height, width, cells, seed=seed, backend=backend)
    assert noise.dtype == torch.float32
    torch.testing.assert_close(noise, by_loops(height, width, cells, seed), atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_backends_agree_on_large_images(backend: str) -> None:
    for cells in ((1, 1), (32, 2), (7, 200)):
        noise = perlin_noise(301, 517, cells, seed=1, backend=backend)
        torch.testing.assert_close(noise, perlin_noise(301, 517, cells, seed=1, backend="reference"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_zero_at_lattice_points_and_the_mean_of_the_corners_at_cell_centres(backend: str) -> None:
    noise = perlin_noise(24, 40, (3, 5), seed=2, backend=backend)
    directions = angles((3, 5), 2)
    assert (noise[::8, ::8] == 0).all()
    for row in range(3):
        for column in range(5):
            corners = [
                math.cos(directions[row + down][column + right]) * (0.5 - down)
                + math.sin(directions[row + down][column + right]) * (0.5 - right)
                for down in (0, 1)
                for right in (0, 1)
            ]
            expected = math.sqrt(2) * sum(corners) / 4
            assert noise[8 * row + 4, 8 * column + 4].item() == pytest.approx(expected, abs=1e-6)


def test_the_native_value_at_a_centre_is_one_where_all_gradients_point_there() -> None:
    towards = torch.tensor([[[1.0, 1.0], [1.0, -1.0]], [[-1.0, 1.0], [-1.0, -1.0]]]) / math.sqrt(2)
    noise = torch.full((2, 2), torch.nan)
    _cpu.perlin_noise(towards.__dlpack__(), noise.__dlpack__())
    torch.testing.assert_close(noise[1, 1], torch.tensor(1.0))
    assert noise[0, 0] == 0


@pytest.mark.parametrize("backend", RUNNABLE)
def test_range_and_spread(backend: str) -> None:
    noise = torch.stack([perlin_noise(64, 64, (8, 8), seed=seed, backend=backend) for seed in range(60)])
    assert noise.abs().max() <= 1
    assert noise.abs().max() > 0.8
    assert abs(noise.mean()) < 0.01


@pytest.mark.parametrize("backend", RUNNABLE)
def test_seed_and_nothing_else_draws(backend: str) -> None:
    first = perlin_noise(20, 30, (4, 4), seed=5, backend=backend)
    torch.manual_seed(0)
    torch.set_num_threads(2)
    assert torch.equal(perlin_noise(20, 30, (4, 4), seed=5, backend=backend), first)
    assert not torch.equal(perlin_noise(20, 30, (4, 4), seed=6, backend=backend), first)


@pytest.mark.parametrize(
    ("height", "width", "cells", "message"),
    [
        (-1, 2, (1, 1), "must not be negative, but are -1 and 2"),
        (2, 2, (0, 1), r"cells must be at least \(1, 1\), but are \(0, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(height: int, width: int, cells: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        perlin_noise(height, width, cells, seed=0)


def test_the_record_says_what_ran() -> None:
    for backend in RUNNABLE:
        with record() as used:
            perlin_noise(2, 2, (1, 1), seed=0, backend=backend)
        assert used == {"perlin_noise": backend}


@pytest.mark.parametrize(
    ("gradients", "noise", "message"),
    [
        (torch.ones(2, 2, 2).double(), torch.ones(3, 3), "gradients must be float32"),
        (torch.ones(2, 2, 3), torch.ones(3, 3), r"gradients must have the shape \[any, any, 2\]"),
        (torch.ones(1, 2, 2), torch.ones(3, 3), "gradients must span a cell"),
        (torch.ones(2, 0, 2), torch.ones(3, 3), "gradients must span a cell"),
        (torch.ones(2, 4, 2)[:, ::2], torch.ones(3, 3), "gradients must be contiguous"),
        (torch.ones(2, 2, 2), torch.ones(3, 3).int(), "noise must be float32"),
        (torch.ones(2, 2, 2), torch.ones(3), "noise must have 2 dimensions"),
        (torch.ones(2, 2, 2), torch.ones(3, 4).T, "noise must be contiguous"),
    ],
)
def test_the_extension_checks_what_it_gets(gradients: torch.Tensor, noise: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _cpu.perlin_noise(gradients.__dlpack__(), noise.__dlpack__())
