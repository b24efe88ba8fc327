"""How often something happened, with an interval for how often it does."""

from dataclasses import dataclass
from functools import lru_cache

from scipy import special

from fallline.errors import WrongArgument, shown
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
    _check(count, of)
    # Quantiles of the beta distribution; 0 and 1 where it has none.
    low = float(special.betaincinv(count, of - count + 1, (1 - level) / 2)) if count else 0.0
    high = float(special.betaincinv(count + 1, of - count, (1 + level) / 2)) if count < of else 1.0
    return Proportion(count, of, low, high, level)


@lru_cache(maxsize=4096)
def wilson_proportion(count: int, of: int, level: float = LEVEL) -> Proportion:
    """The interval of Wilson (1927): narrower than the exact one, it has its level on average over probabilities.

    >>> wilson = wilson_proportion(10, 10)
    >>> round(wilson.low, 3), wilson.high
    (0.722, 1.0)
    """
    _check(count, of)
    # scipy.stats takes long to import, which those who need no such interval need not wait for.
    from scipy import stats

    ends = stats.binomtest(count, of).proportion_ci(level, "wilson")
    return Proportion(count, of, float(ends.low), float(ends.high), level)


def _check(count: int, of: int) -> None:
    if not 0 <= count <= of or of == 0:
        raise WrongArgument(("count", f" must be between 0 and the {shown(of)} times there were; got {shown(count)}"))
