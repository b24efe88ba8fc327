"""The interval that belongs to the signed-rank test."""

from collections.abc import Sequence

import numpy as np

from fallline.statistics.interval import LEVEL, Interval
from fallline.statistics.median import middle
from fallline.statistics.sample import Numbers, fraction, paired_differences
from fallline.statistics.signed_rank import untied


def signed_rank_interval(differences: Sequence[float] | Numbers, level: float = LEVEL) -> Interval:
    """The centre of symmetric differences (Hodges and Lehmann, 1963), with the signed-rank test inverted (Tukey, 1949).

    The estimate is the median of all means of two differences (each with itself too), the interval goes from the k-th
    least to the k-th largest of them. `level` of the result is that which is reached exactly, the least that is not
    below what was asked; fewer than six differences cannot reach 0.95, and get all that there is, from least to
    largest, with the level that this is worth. With ties and zeros the interval, ends included, has at least that
    level.

    An infinite difference counts as larger than any number, and the interval ends there where it must. The mean of
    minus and plus infinity is unknown, so it counts against both ends, and where the estimate hangs on it that is NaN.

    >>> signed_rank_interval([1.0, 2.0, 3.0, 4.0, 5.0, float("inf")])
    Interval(estimate=3.5, low=1.0, high=inf, level=0.96875)
    """
    fraction("level", level)
    values = paired_differences(differences)
    lowest, highest = _walsh_averages(values)
    below = untied(len(values))
    outside = max(int(np.searchsorted(2 * below, 1 - level + 1e-12, side="right")) - 1, 0)
    estimates = middle(lowest), middle(highest)
    return Interval(
        estimate=estimates[0] if estimates[0] == estimates[1] else np.nan,
        low=float(lowest[outside]),
        high=float(highest[-1 - outside]),
        level=max(0.0, 1 - 2 * float(below[outside])),
    )


def _walsh_averages(values: Numbers) -> tuple[Numbers, Numbers]:
    """All means of two, sorted; the unknown ones as low as can be, and as high as can be."""
    first, second = np.triu_indices(len(values))
    with np.errstate(invalid="ignore"):
        means = values[first] / 2 + values[second] / 2
    unknown = np.isnan(means)
    return np.sort(np.where(unknown, -np.inf, means)), np.sort(np.where(unknown, np.inf, means))
