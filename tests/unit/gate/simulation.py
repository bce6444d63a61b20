"""Simulated samples for the tests of the gate's rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from pybench.gate.rule import Pairs


def simulated(slowdown: float, noise: float, seed: int, pairs: int = 60) -> list[Pairs]:
    """Three process pairs: each side a constant offset of 1 %, samples that scatter, one in ten hit by a burst."""
    generator = np.random.default_rng(seed)

    def times(factor: float) -> Any:
        hit = np.where(generator.random(pairs) < 0.1, 1.6, 1)
        return 5e6 * factor * generator.lognormal(0, 0.01) * generator.lognormal(0, noise, pairs) * hit

    return [Pairs(times(1), times(slowdown)) for _ in range(3)]
