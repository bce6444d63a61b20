"""The settings of a search, as the user gives them."""

from __future__ import annotations

from dataclasses import dataclass

from pybench.results.constraints import Constraint


@dataclass(frozen=True)
class Settings:
    """What a user asks of a search.

    ``metrics`` are the objectives, the first of them decides which candidate is best. ``candidates`` is how many are
    tried, ``batch`` how many of them at once, ``seed`` the sampler's.
    """

    metrics: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    candidates: int
    batch: int
    seed: int
