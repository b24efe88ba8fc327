"""The median of few runs, with an interval from order statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from fallline.statistics.interval import LEVEL
from fallline.statistics.sample import Numbers, sequence


@dataclass(frozen=True)
class MedianInterval:
    """A median with a confidence interval from order statistics, and the level that it reaches.

    Diverged runs count as infinite; nothing is assumed about the distribution.
    """

    median: float
    low: float
    high: float
    level: float


def median_interval(values: Sequence[float], level: float = LEVEL) -> MedianInterval:
    """The median of the values, with the narrowest order-statistic interval that reaches the level.

    Few runs cannot reach it: then the interval is from the least to the largest value, and `level` says what that
    is worth (for n runs 1 - 2^(1 - n), so 0.75 for three).

    >>> median_interval([3.0, 1.0, 2.0])
    MedianInterval(median=2.0, low=1.0, high=3.0, level=0.75)
    """
    numbers = sequence("values", values)
    ordered = np.sort(np.where(np.isnan(numbers), math.inf, numbers))
    n = len(ordered)
    reached = _levels(n)
    k = max((k for k, value in enumerate(reached) if value >= level), default=0)
    return MedianInterval(middle(ordered), float(ordered[k]), float(ordered[n - 1 - k]), float(max(reached[k], 0.0)))


def middle(ordered: Numbers) -> float:
    """The median of sorted numbers; NaN where it is the mean of minus and plus infinity."""
    n = len(ordered)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    return low if low == high else (low + high) / 2


@cache
def _levels(n: int) -> list[float]:
    """The confidence levels of the intervals from the k-th least to the k-th largest of n values."""
    return [float(1 - 2 * special.bdtr(k, n, 0.5)) for k in range((n + 1) // 2)]
