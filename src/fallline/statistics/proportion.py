"""How often something happened, with an interval for how often it does."""

from dataclasses import dataclass
from functools import lru_cache

from scipy import stats

from fallline.statistics.interval import LEVEL


@dataclass(frozen=True)
class Proportion:
    """So many times of so many, with a confidence interval for the probability."""

    count: int
    of: int
    low: float
    high: float
    level: float

    @property
    def estimate(self) -> float:
        """The share of the times in which it happened."""
        return self.count / self.of


def exact_proportion(count: int, of: int, level: float = LEVEL) -> Proportion:
    """The interval of Clopper and Pearson (1934): it has at least its level, whatever the probability is.

    >>> exact = exact_proportion(10, 10)
    >>> round(exact.low, 3), exact.high
    (0.692, 1.0)
    """
    return _proportion(count, of, level, "exact")


def wilson_proportion(count: int, of: int, level: float = LEVEL) -> Proportion:
    """The interval of Wilson (1927): narrower than the exact one, it has its level on average over probabilities.

    >>> wilson = wilson_proportion(10, 10)
    >>> round(wilson.low, 3), wilson.high
    (0.722, 1.0)
    """
    return _proportion(count, of, level, "wilson")


@lru_cache(maxsize=4096)
def _proportion(count: int, of: int, level: float, method: str) -> Proportion:
    ends = stats.binomtest(count, of).proportion_ci(level, method)
    return Proportion(count, of, float(ends.low), float(ends.high), level)
