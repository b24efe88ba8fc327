"""Mean ranks of optimizers over problems."""

from collections.abc import Sequence

import numpy as np

from fallline.statistics.bounded_mean import bounded_mean
from fallline.statistics.interval import LEVEL, Interval
from fallline.statistics.ranks import ranks
from fallline.statistics.sample import Numbers, table


def mean_ranks(
    results: Sequence[Sequence[float]] | Numbers, higher_is_better: bool = False, level: float = LEVEL
) -> tuple[Interval, ...]:
    """The mean rank of each optimizer, 1 the best, from results of problems x optimizers; equals share a rank.

    Intervals are those of the mean of a bounded quantity, which hold for any distribution and any number of problems,
    each by itself. They are wide, and rightly so: a bootstrap or t-interval of an optimizer that was first on four
    problems is [1, 1]. A rank depends on who else takes part (Benavoli et al., 2016, arXiv:1505.02288), so ranks are
    for an overview, and never decide between two optimizers.

    >>> first, second = mean_ranks([[0.1, 0.3], [2.0, 5.0], [7.0, 9.0], [0.5, float("nan")]])
    >>> first.estimate, first.low, round(first.high, 3)
    (1.0, 1.0, 1.602)
    """
    values = table("results", -np.asarray(results, dtype=np.float64) if higher_is_better else results, "optimizers")
    of_problems = np.stack([ranks(row) for row in values])
    return tuple(bounded_mean(column, 1.0, float(values.shape[1]), level) for column in of_problems.T)
