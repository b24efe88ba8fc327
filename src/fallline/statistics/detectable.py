"""The smallest difference that a comparison could have found."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fallline.arguments import whole
from fallline.statistics.sample import Numbers, fraction, paired_differences
from fallline.statistics.signed_rank import untied

_DRAWS = 10_000
_MOST_MEANS = 20_000_000


def detectable_difference(
    differences: Sequence[float] | Numbers, pairs: int = 1, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The shift that the signed-rank test at alpha / pairs finds with a given power, by the spread of the differences.

    Differences are taken as normal with the standard deviation that was seen. The test finds a shift of theirs where
    the end of its own interval is above 0, so the shift asked for is a quantile of that end, times the deviation; the
    quantile is drawn from 10,000 samples of a fixed stream (fewer beyond 60 seeds). (The usual formula with normal
    quantiles promises too much here: at ten seeds and 15 pairs it is 1.2 deviations, where the test, which then must
    win all ten, takes 2.0.)

    Infinite where so few differences cannot be significant at all, and where one is infinite itself: no shift undoes a
    divergence, and its spread has no size. It describes a pair that has to stand for itself; after others have been
    told apart, the step-down test finds somewhat less. At ten seeds the deviation is itself known to a quarter or so.

    >>> round(detectable_difference([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0, -1.0, 0.0, 1.0, 0.0]), 2)
    0.84
    """
    whole("pairs", pairs, least=1)
    fraction("alpha", alpha)
    fraction("power", power)
    values = paired_differences(differences)
    below = untied(len(values))
    outside = int(np.searchsorted(2 * pairs * below, alpha + 1e-12, side="right")) - 1
    if outside < 0 or not np.isfinite(values).all():
        return float("inf")
    return float(values.std(ddof=1)) * _standard_shift(len(values), outside, power)


@lru_cache(maxsize=64)
def _standard_shift(n: int, outside: int, power: float) -> float:
    """The shift of n standard normal differences after which so many of their means of two are at most 0, or fewer."""
    stream = np.random.Generator(np.random.Philox(key=n))
    first, second = np.triu_indices(n)
    ends = []
    for _ in range(10):
        values = stream.standard_normal((min(_DRAWS, 1 + _MOST_MEANS // len(first)) // 10 + 1, n))
        means = (values[:, first] + values[:, second]) / 2
        ends.append(np.partition(means, -1 - outside, axis=1)[:, -1 - outside])
    return float(np.quantile(np.concatenate(ends), power))
