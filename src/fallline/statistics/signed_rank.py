"""The signed-rank test with its exact null distribution, also with ties, zeros and infinite differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fallline.statistics.ranks import ranks
from fallline.statistics.sample import Numbers, paired_differences


@dataclass(frozen=True)
class SignedRank:
    """The sums of the ranks of the positive and of the negative differences, and the two-sided p-value."""

    positive: float
    negative: float
    p: float


def signed_rank_test(differences: Sequence[float] | Numbers) -> SignedRank:
    """The test of Wilcoxon (1945) that paired differences are symmetric about 0, by all sign flips: exact for any n.

    Ranks are of sizes, so an infinite difference has the largest rank and no more weight than that. Equal sizes share
    their mean rank; zeros are ranked first and then have no sign (Pratt, 1959), since dropping them before ranking lets
    a result become less significant when a difference grows. The p-value is the share of the 2^n ways to give signs to
    these ranks in which the lesser sum is as small or smaller, on either side; so it is right given the ties seen.

    >>> signed_rank_test([-0.5, -0.25, -float("inf"), -1.0, -0.75, -2.0])
    SignedRank(positive=0.0, negative=21.0, p=0.03125)
    """
    values = paired_differences(differences)
    of_sizes = ranks(np.abs(values))
    positive, negative = float(of_sizes[values > 0].sum()), float(of_sizes[values < 0].sum())
    below = null_distribution(tuple(sorted((2 * of_sizes[values != 0]).astype(int).tolist())))
    return SignedRank(positive, negative, min(1.0, 2 * float(below[round(2 * min(positive, negative))])))


@lru_cache(maxsize=512)
def null_distribution(doubled_ranks: tuple[int, ...]) -> Numbers:
    """P(the doubled sum of the positive ranks is at most s), for s = 0, 1, ..., when every sign is a fair coin.

    Ranks are doubled because shared ones end in a half.
    """
    chances = np.zeros(sum(doubled_ranks) + 1)
    chances[0] = 1.0
    reach = 0
    for rank in doubled_ranks:
        without = chances[: reach + 1] / 2
        chances[: reach + 1] = without
        chances[rank : rank + reach + 1] += without
        reach += rank
    cumulated = np.minimum(np.cumsum(chances), 1.0)
    cumulated.setflags(write=False)
    return cumulated


def untied(n: int) -> Numbers:
    """P(the sum of the positive ranks is at most s), for s = 0, 1, ..., n (n + 1) / 2, for n untied differences."""
    return null_distribution(tuple(range(2, 2 * n + 1, 2)))[::2]
