"""Two optimizers over several problems, whose losses have different scales."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.errors import WrongArgument, shown
from fallline.statistics.interval import LEVEL, Interval
from fallline.statistics.paired import differences
from fallline.statistics.sample import Numbers, paired_samples
from fallline.statistics.signed_rank_interval import signed_rank_interval


@dataclass(frozen=True)
class ProblemRatio:
    """The first's loss over the second's: the geometric mean (None where one diverged), and the typical factor."""

    geometric_mean: float | None
    interval: Interval


def problem_ratio(
    first: Sequence[float] | Numbers, second: Sequence[float] | Numbers, level: float = LEVEL
) -> ProblemRatio:
    """By which factor losses differ over problems, from one loss above 0 (a median over seeds) for each problem.

    The interval is that of the signed-rank test, on logarithms: it assumes that factors scatter symmetrically about a
    typical one, and nothing else. A bootstrap of few problems is too narrow, and a t-interval takes them for normal;
    this one says what so few are worth: five problems reach 93.75 %, with the whole range. It speaks of
    problems like these, not of all there are. Where the first diverged the factor is infinite, where the second did 0,
    where both did 1.

    >>> found = problem_ratio([1.0, 2.0], [2.0, 16.0])
    >>> [round(value, 6) for value in (found.geometric_mean, found.interval.low, found.interval.high)]
    [0.25, 0.125, 0.5]
    """
    one, other = paired_samples(first, second)
    if (one <= 0).any() or (other <= 0).any():
        wrong = ("first", first) if (one <= 0).any() else ("second", second)
        raise WrongArgument(
            (wrong[0], f" must be above 0, since only then a ratio means something; got {shown(wrong[1])}")
        )
    logs = differences(np.log(one), np.log(other))
    found = signed_rank_interval(logs, level)
    low, typical, high = (float(np.exp(end)) for end in (found.low, found.estimate, found.high))
    return ProblemRatio(
        geometric_mean=math.exp(float(logs.mean())) if np.isfinite(logs).all() else None,
        interval=Interval(typical, low, high, found.level),
    )
