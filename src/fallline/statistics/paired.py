"""Two optimizers seed by seed: runs of one seed share initial weights and batches, so what the seed does cancels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.statistics.interval import LEVEL
from fallline.statistics.median import middle
from fallline.statistics.proportion import Proportion, exact_proportion
from fallline.statistics.sample import Numbers, paired_samples

_DIGITS = 12
_ALIKE = 1e6
"""Up to which factor two results are of one size."""


@dataclass(frozen=True)
class Paired:
    """First less second, seed by seed, of results of which less is better: negative where the first is better.

    `median` is of the differences (infinite where most are, NaN in the midst of both infinities), `mean` is None where
    anybody diverged. `better` is the probability that the first is better on a new seed; a tie is not better.
    """

    won: int
    lost: int
    tied: int
    median: float
    mean: float | None
    better: Proportion

    @property
    def seeds(self) -> int:
        """The number of pairs."""
        return self.won + self.lost + self.tied


def differences(first: Sequence[float] | Numbers, second: Sequence[float] | Numbers) -> Numbers:
    """First less second, seed by seed; infinite where one diverged, 0 where both did.

    Differences are rounded to 12 digits of a typical result, so that two accuracies that are one row apart differ by
    the same everywhere: without it 0.97 - 0.96 and 0.02 - 0.01 would be no tie. A pair that is a million times as
    large or as small as is typical is rounded by its own size, and makes no tie of the others.

    >>> differences([0.5, 2.0, float("nan")], [1.0, float("inf"), float("inf")]).tolist()
    [-0.5, -inf, 0.0]
    """
    one, other = paired_samples(first, second)
    both = np.isinf(one) & np.isinf(other)
    found = np.where(both, 0.0, one) - np.where(both, 0.0, other)
    sizes = np.maximum(*(np.where(np.isfinite(values), np.abs(values), 0.0) for values in (one, other)))
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 0.0
    alike = (sizes <= typical * _ALIKE) & (sizes * _ALIKE >= typical)
    return np.array([_rounded(x, typical if same else size) for x, size, same in zip(found, sizes, alike, strict=True)])


def _rounded(value: float, size: float) -> float:
    """A number to 12 digits of a size, as far as doubles have so many."""
    if not size or not math.isfinite(value):
        return float(value)
    places = _DIGITS - math.ceil(math.log10(size))
    return float(np.round(value, places)) if abs(places) < 300 else float(value)


def paired(first: Sequence[float] | Numbers, second: Sequence[float] | Numbers, level: float = LEVEL) -> Paired:
    """What can be said seed by seed without assuming anything about the distribution.

    >>> found = paired([1.0, 2.0, 3.0], [2.0, 4.0, 2.5])
    >>> found.won, found.lost, found.median, round(found.mean, 4)
    (2, 1, -1.0, -0.8333)
    """
    one, other = paired_samples(first, second)
    found = differences(one, other)
    won = int((found < 0).sum())
    finite = bool(np.isfinite(one).all() and np.isfinite(other).all())
    return Paired(
        won=won,
        lost=int((found > 0).sum()),
        tied=int((found == 0).sum()),
        median=middle(np.sort(found)),
        mean=float(found.mean()) if finite else None,
        better=exact_proportion(won, len(found), level),
    )
