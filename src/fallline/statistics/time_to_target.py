"""How long it takes to reach a target, where not every run does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.errors import WrongArgument, shown
from fallline.statistics.interval import LEVEL
from fallline.statistics.proportion import Proportion, wilson_proportion
from fallline.statistics.sample import Numbers, sample


@dataclass(frozen=True)
class TimeToTarget:
    """How many runs reached the target, the time by which half of them had, and what a hit costs.

    `median` is infinite where the share that is still without a hit never falls to a half. `cost` is the time of all
    runs together for each hit, infinite without any. The curve: at each of `times`, the share `without` that has not
    hit.
    """

    hits: Proportion
    median: float
    cost: float
    times: tuple[float, ...]
    without: tuple[float, ...]


def time_to_target(
    first_reached: Sequence[float | None] | Numbers,
    watched: Sequence[float] | Numbers,
    spent: Sequence[float] | Numbers | None = None,
    level: float = LEVEL,
) -> TimeToTarget:
    """Times of first hits (None, NaN or infinite: none), of runs that were watched so long, in steps or seconds alike.

    A run without a hit is censored where it was last watched: its time is at least that. One that ended for good
    before the budget did (it diverged, or stopped early) would never have hit; its `watched` is the whole budget,
    since censoring it at its end would say that it might have gone on to hit as others did. `spent` is
    what each run cost: its time to the hit, and without one all that it was trained (by default, `watched`).

    The curve is that of Kaplan and Meier (1958), the interval of the hit rate Wilson's; the cost is the expected
    running time of restarts until a hit (Auger and Hansen, 2005).

    >>> found = time_to_target([20.0, 40.0, None, 30.0], watched=[50.0] * 4)
    >>> found.hits.count, found.median, found.without, round(found.cost, 2)
    (3, 30.0, (0.75, 0.5, 0.25), 46.67)
    """
    # scipy.stats takes long to import, and only studies with a target have it used.
    from scipy import stats

    times = sample("first_reached", [np.inf if time is None else time for time in first_reached])
    until = _lengths("watched", watched, len(times))
    hit = np.isfinite(times)
    if (times[hit] > until[hit]).any():
        raise WrongArgument(("first_reached", f" must be within the time watched, {shown(until.tolist())}"))
    costs = np.where(hit, times, until if spent is None else _lengths("spent", spent, len(times)))
    hits = int(hit.sum())
    survival = stats.ecdf(stats.CensoredData.right_censored(np.where(hit, times, until), ~hit)).sf
    events = np.isin(survival.quantiles, times[hit])
    at, without = survival.quantiles[events], survival.probabilities[events]
    # Shares are products of fractions, which round: a half must not be missed by that.
    reached = at[without <= 0.5 + 1e-12]
    return TimeToTarget(
        hits=wilson_proportion(hits, len(times), level),
        median=float(reached[0]) if len(reached) else float("inf"),
        cost=float(costs.sum()) / hits if hits else float("inf"),
        times=tuple(at.tolist()),
        without=tuple(without.tolist()),
    )


def _lengths(name: str, values: Sequence[float] | Numbers, count: int) -> Numbers:
    lengths = sample(name, values)
    if len(lengths) != count or not (np.isfinite(lengths) & (lengths >= 0)).all():
        raise WrongArgument(
            (name, f" must be a finite time of at least 0 for each of {count} runs; got {shown(values)}")
        )
    return lengths
