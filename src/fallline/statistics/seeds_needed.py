"""How many seeds a verdict over all pairs of optimizers takes."""

import math

from fallline.arguments import whole
from fallline.statistics.sample import fraction


def seeds_needed(optimizers: int, alpha: float = 0.05) -> int:
    """The fewest seeds at which an optimizer that is better on every one of them can be told to be better.

    The least p-value of n sign flips is 2 / 2^n, and it counts once for each pair: m optimizers make m (m - 1) / 2.
    With fewer seeds no result, however clear, could be significant over all pairs, so none is a verdict.

    >>> [seeds_needed(optimizers) for optimizers in (2, 3, 6, 8, 10, 11)]
    [6, 7, 10, 11, 11, 12]
    """
    whole("optimizers", optimizers, least=2)
    fraction("alpha", alpha)
    pairs = math.comb(optimizers, 2)
    seeds = 1
    while pairs * 2 / 2**seeds > alpha:
        seeds += 1
    return seeds
