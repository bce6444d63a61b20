"""The gate's rule: from times of base and head, taken in pairs, to a verdict.

A *pair* is one sample of base and one of head, taken right after each other in random order, so that both saw the same
machine. A *process pair* is two fresh processes and all pairs that they gave: what is fixed when a process starts
(where its memory lies, for instance) makes it faster or slower until it ends, and no number of samples averages that
out. So a verdict rests on three of them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PROCESS_PAIRS, NEEDED = 3, 2
SLOWER = 1.05  # the median ratio from which a slow-down counts
VISIBLE = 1.10  # a slow-down that a process pair must be able to see
_CONFIDENCE = 0.95
_RESAMPLES = 2000


class Verdict(enum.StrEnum):
    """The verdict on a case; ``passed`` and ``faster`` are passes, ``noisy`` is neither a pass nor a failure."""

    passed = "pass"
    faster = "faster"
    regression = "regression"
    noisy = "noisy"
    missing = "missing"
    crash = "crash"
    new = "new"

    @property
    def is_failure(self) -> bool:
        """Whether a gate must refuse the change."""
        return self in (Verdict.regression, Verdict.missing, Verdict.crash)


@dataclass(frozen=True)
class Pairs:
    """Nanoseconds of one call in base and in head, both [n], in the order in which the pairs were taken."""

    base: NDArray[np.float64]
    head: NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """head / base of one process pair: the median over its pairs, with its 95 % bootstrap interval."""

    median: float
    lower: float
    upper: float

    @property
    def is_slower(self) -> bool:
        """More than 5 % slower, and not by chance."""
        return self.median > SLOWER and self.lower > 1

    @property
    def is_faster(self) -> bool:
        """More than 5 % faster, and not by chance."""
        return self.median < 1 / SLOWER and self.upper < 1

    @property
    def can_tell(self) -> bool:
        """Whether a slow-down of 10 % would have made this process pair count as slower.

        It would multiply the ratios by 1.1. Seen from a median of 1, that passes 1.05 by itself; the lower bound has to
        pass 1, so it must lie within 10 % below the median.
        """
        return self.lower * VISIBLE > self.median


@dataclass(frozen=True)
class CaseResult:
    """A case with its verdict; ``ratios`` and ``pairs`` hold one entry per process pair, none where nothing was
    compared, and ``reason`` says why."""

    name: str
    verdict: Verdict
    reason: str = ""
    ratios: tuple[Ratio, ...] = ()
    pairs: tuple[Pairs, ...] = field(default=(), repr=False)

    @property
    def middle(self) -> int:
        """Which process pair has the middle one of the median ratios."""
        return int(np.argsort([ratio.median for ratio in self.ratios])[len(self.ratios) // 2])

    @property
    def ratio(self) -> Ratio:
        """The process pair in the middle: its median is over 1.05 just where most of them are."""
        return self.ratios[self.middle]

    @property
    def milliseconds(self) -> tuple[float, float]:
        """Median time of one call in base and in head, in the process pair in the middle."""
        pairs = self.pairs[self.middle]
        return float(np.median(pairs.base)) / 1e6, float(np.median(pairs.head)) / 1e6


def ratio_of(pairs: Pairs, seed: int) -> Ratio:
    """The ratio of one process pair; the same seed gives the same interval."""
    ratios = pairs.head / pairs.base
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (_RESAMPLES, len(ratios)))
    medians = np.median(ratios[drawn], axis=1)
    lower, upper = np.quantile(medians, ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2))
    return Ratio(float(np.median(ratios)), float(lower), float(upper))


def verdict(ratios: Sequence[Ratio]) -> Verdict:
    """The verdict on a case from its three process pairs.

    Two slower process pairs make a regression, whatever the third shows. Otherwise at least two must have been able to
    see a slow-down of 10 %, or the verdict is noisy, which is not a pass.
    """
    if sum(ratio.is_slower for ratio in ratios) >= NEEDED:
        return Verdict.regression
    if sum(ratio.can_tell for ratio in ratios) < NEEDED:
        return Verdict.noisy
    return Verdict.faster if sum(ratio.is_faster for ratio in ratios) >= NEEDED else Verdict.passed


def case_result(name: str, pairs: Sequence[Pairs], seed: int) -> CaseResult:
    """The result of a case that was measured in every process pair."""
    ratios = tuple(ratio_of(one, seed) for one in pairs)
    return CaseResult(name, verdict(ratios), "", ratios, tuple(pairs))


def exit_code(results: Sequence[CaseResult]) -> int:
    """0 nothing is slower, 1 a regression, a missing case or a crash, 3 none of these but a noisy case."""
    verdicts = [result.verdict for result in results]
    if any(verdict.is_failure for verdict in verdicts):
        return 1
    return 3 if Verdict.noisy in verdicts else 0
