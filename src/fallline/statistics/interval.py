"""An estimate with its confidence interval."""

from dataclasses import dataclass

LEVEL = 0.95
"""The confidence level that intervals aim at."""


@dataclass(frozen=True)
class Interval:
    """An estimate, the ends of its confidence interval, and the level that is reached.

    Ends are infinite where the data set no bound, as diverged runs do; the estimate is NaN where there is none.
    """

    estimate: float
    low: float
    high: float
    level: float
