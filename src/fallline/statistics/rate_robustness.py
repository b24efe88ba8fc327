"""How much of the learning rates that were tried would have done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fallline.errors import WrongArgument, shown
from fallline.statistics.median import middle
from fallline.statistics.sample import Numbers, table

WITHIN = (0.05, 0.1)
"""The tolerances, as fractions of the best loss."""


@dataclass(frozen=True)
class RateRobustness:
    """The best rate, and how many decades (powers of ten) of rates have a loss within a fraction of the best.

    `decades` has the width for each fraction; None where the best loss is 0 or less, of which a fraction says nothing.
    Where `at_edge` is true for it, the good rates reach the least or the largest that was tried, so it may be wider.
    `spans` has the rates themselves, from the least to the largest of each stretch without a bad one. `diverged` is the
    share of all runs that did, `diverging` the least rate at which one did (None where none did).
    """

    best_rate: float
    best_loss: float
    decades: Mapping[float, float | None]
    at_edge: Mapping[float, bool]
    spans: Mapping[float, tuple[tuple[float, float], ...]]
    diverged: float
    diverging: float | None


def rate_robustness(
    rates: Sequence[float] | Numbers, losses: Sequence[float] | Sequence[Sequence[float]] | Numbers
) -> RateRobustness:
    """The width of the good rates within those tried, from losses (one for each rate, or seeds x rates).

    The loss of a rate is the median over seeds, and infinite where half or more diverged. Between two rates the loss is
    taken as a straight line over the logarithm of the rate, so that the width does not jump with the grid; beside a
    rate that diverged nothing is added. Widths on both sides of a bad rate are added up. A metric that may be 0 or less
    (a log-likelihood) has no such width: use one with a floor at 0, such as an error rate.

    >>> found = rate_robustness([0.001, 0.01, 0.1, 1.0], [1.4, 1.0, 1.2, float("inf")])
    >>> found.best_rate, {within: round(width, 3) for within, width in found.decades.items()}
    (0.01, {0.05: 0.375, 0.1: 0.75})
    """
    tried = table("losses", np.atleast_2d(np.asarray(losses, dtype=np.float64)), "rates")
    logs = _logarithms(rates, tried.shape[1])
    order = np.argsort(logs)
    logs = logs[order]
    medians = [middle(np.sort(column)) for column in tried[:, order].T]
    best = int(np.argmin(medians))
    defined = 0 < medians[best] < math.inf
    good = {within: medians[best] * (1 + within) for within in WITHIN}
    spans = {within: _spans(logs, medians, limit) if defined else [] for within, limit in good.items()}
    ascending = np.asarray(rates, dtype=np.float64)[order]
    gone = ascending[np.isinf(tried[:, order]).any(axis=0)]
    return RateRobustness(
        best_rate=float(ascending[best]),
        best_loss=medians[best],
        decades={
            within: sum(high - low for low, high in found) if defined else None for within, found in spans.items()
        },
        at_edge={within: defined and min(medians[0], medians[-1]) <= limit for within, limit in good.items()},
        spans={within: tuple((10**low, 10**high) for low, high in found) for within, found in spans.items()},
        diverged=float(np.isinf(tried).mean()),
        diverging=float(gone[0]) if len(gone) else None,
    )


def _logarithms(rates: Sequence[float] | Numbers, count: int) -> Numbers:
    values = np.asarray(rates, dtype=np.float64)
    if values.shape != (count,) or not (np.isfinite(values) & (values > 0)).all() or len(set(values.tolist())) < count:
        raise WrongArgument(
            ("rates", f" must be different and above 0, one for each of {count} losses; got {shown(rates)}")
        )
    return np.asarray(np.log10(values))


def _spans(logs: Numbers, losses: list[float], limit: float) -> list[tuple[float, float]]:
    """The stretches in which the loss is at most the limit, with straight lines between the points."""
    found: list[tuple[float, float]] = []
    last = len(logs) - 1
    for place, (at, loss) in enumerate(zip(logs.tolist(), losses, strict=True)):
        if loss > limit:
            continue
        before, after = max(place - 1, 0), min(place + 1, last)
        low = at - _share(loss, losses[before], limit) * (at - float(logs[before]))
        high = at + _share(loss, losses[after], limit) * (float(logs[after]) - at)
        if found and losses[before] <= limit:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


def _share(lower: float, higher: float, limit: float) -> float:
    """The share of a straight line that is at most the limit, from an end that is to another."""
    return 1.0 if higher <= limit else (limit - lower) / (higher - lower)
