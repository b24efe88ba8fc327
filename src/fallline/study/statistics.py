"""What few runs allow one to say about a typical one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A median with a confidence interval from order statistics, and the level that it reaches.

    Diverged runs count as infinite; nothing is assumed about the distribution.
    """

    median: float
    low: float
    high: float
    level: float


def median_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The median of the values, with the narrowest order-statistic interval that reaches the level.

    Few runs cannot reach it: then the interval is from the least to the largest value, and `level` says what that
    is worth (for n runs 1 - 2^(1 - n), so 0.75 for three).

    >>> median_interval([3.0, 1.0, 2.0])
    Interval(median=2.0, low=1.0, high=3.0, level=0.75)
    """
    ordered = np.sort(np.where(np.isnan(values), math.inf, values))
    n = len(ordered)
    reached = _levels(n)
    k = max((k for k, value in enumerate(reached) if value >= level), default=0)
    return Interval(_median(ordered), float(ordered[k]), float(ordered[n - 1 - k]), float(max(reached[k], 0.0)))


@cache
def _levels(n: int) -> list[float]:
    """The confidence levels of the intervals from the k-th least to the k-th largest of n values."""
    return [float(1 - 2 * stats.binom.cdf(k, n, 0.5)) for k in range((n + 1) // 2)]


def _median(ordered: "np.ndarray[Any, np.dtype[Any]]") -> float:
    n = len(ordered)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    return low if low == high else (low + high) / 2
