"""Successive halving: candidates are tried with a share of their budget first, and only the best of them go on.

The rule is that of ASHA (Li et al. 2020, arXiv:1810.05934): a candidate goes on from a rung if it is among the best
third (rounded up) of all that have reached the rung so far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

RUNGS = (1 / 9, 1 / 3)  # shares of the budget with which a candidate is tried before it gets all of it
KEPT = 1 / 3  # of the candidates that reached a rung go on from it


class Halving:
    """The values of all candidates at each rung.

    Args:
        shares: of the budget, one for each rung; none if the method has no budget to share.
        higher_is_better: whether a larger value of the metric is better.
    """

    def __init__(self, shares: Sequence[float], *, higher_is_better: bool) -> None:
        self.shares = tuple(shares)
        self._sign = 1 if higher_is_better else -1
        self._values: list[list[float]] = [[] for _ in shares]

    def add(self, rung: int, value: float) -> None:
        """Note that a candidate has reached a rung, with this value of the metric."""
        self._values[rung].append(self._sign * value)

    def goes_on(self, rung: int, value: float) -> bool:
        """Whether a value is among the best third of a rung; always true if fewer than three have reached it."""
        ranked = sorted(self._values[rung], reverse=True)
        if len(ranked) * KEPT < 1:
            return True
        return self._sign * value >= ranked[math.ceil(len(ranked) * KEPT) - 1]
