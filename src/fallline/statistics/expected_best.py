"""What a search of a given length is expected to find."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.statistics.sample import Numbers, sample

_ROUNDING = 1e-9
"""What a sum of chances may lack for rounding."""


@dataclass(frozen=True)
class ExpectedBest:
    """For budgets of 1, 2, ... trials: the expected best result, the chance that all of them diverge, and the best
    result that a quarter of all choices of so many trials do not get beyond, and three quarters.

    The expectation is infinite (minus infinite where higher is better) as long as that chance is above 0; so is a
    quartile among choices that diverge altogether.
    """

    results: tuple[float, ...]
    all_diverged: tuple[float, ...]
    quartiles: tuple[tuple[float, float], ...]


def expected_best(results: Sequence[float] | Numbers, higher_is_better: bool = False) -> ExpectedBest:
    """The expected best of k of these trials, for every k up to their number n, as the mean over all subsets of k.

    The i-th best is the best of C(n - i, k - 1) of the C(n, k) subsets, which are its weights; diverged trials stand
    last. The estimate is unbiased where the trials are a random search; of a grid it is the mean over random parts of
    it. Drawing k *with* replacement (Dodge et al., 2019, arXiv:1909.03004) is biased, towards worse results (Tang et
    al., 2020, arXiv:2004.13705). Near k = n it rests on few trials: it is unbiased, and then the noisiest (Dodge et
    al., 2021, arXiv:2110.00613).

    >>> expected_best([3.0, 1.0, 2.0]).results
    (2.0, 1.3333333333333333, 1.0)
    """
    ordered = np.sort(sample("results", results, higher_is_better))
    finite = ordered[np.isfinite(ordered)]
    n, lost = len(ordered), len(ordered) - len(finite)
    infinity, sign = float("inf"), -1.0 if higher_is_better else 1.0
    best, diverged, quartiles = [], [], []
    for k in range(1, n + 1):
        drawn, worse = np.arange(k), np.arange(n - 1, k - 1, -1)
        weights = np.cumprod([k / n, *((worse - k + 1) / worse)])
        within = weights[: len(finite)]
        best.append(sign * (infinity if lost >= k else float(within @ finite[: len(within)])))
        reached = np.cumsum(weights) + _ROUNDING
        low, high = (sign * float(ordered[np.argmax(reached >= share)]) for share in (0.25, 0.75))
        quartiles.append((low, high))
        diverged.append(float(np.prod((lost - drawn) / (n - drawn))) if lost >= k else 0.0)
    return ExpectedBest(tuple(best), tuple(diverged), tuple(quartiles))
