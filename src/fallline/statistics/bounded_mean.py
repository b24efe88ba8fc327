"""The mean of a bounded quantity, with an interval that holds for any distribution."""

import math

from fallline.statistics.interval import LEVEL, Interval
from fallline.statistics.sample import Numbers


def bounded_mean(values: Numbers, least: float, most: float, level: float = LEVEL) -> Interval:
    """The mean of independent values between two bounds, by the inequality of Hoeffding (1963, theorem 1).

    The interval has every mean mu with n KL(mean, mu) of at most log(2 / (1 - level)), where KL is the relative entropy
    of two coins: its level is reached at any n, and exceeded where values lie within the bounds.

    >>> import numpy as np
    >>> found = bounded_mean(np.array([0.0, 0.0, 0.0, 0.0]), 0.0, 1.0)
    >>> found.low, round(found.high, 4), round(1 - 0.025 ** (1 / 4), 4)
    (0.0, 0.6024, 0.6024)
    """
    # scipy.optimize takes a while to import, and only several problems have it used.
    from scipy import optimize

    if least == most:
        return Interval(least, least, most, level)
    share = min(1.0, max(0.0, (float(values.mean()) - least) / (most - least)))
    bound = math.log(2 / (1 - level)) / len(values)

    def beyond(mu: float) -> float:
        return _relative_entropy(share, mu) - bound

    low = optimize.brentq(beyond, 0.0, share) if share > 0 else 0.0
    high = optimize.brentq(beyond, share, 1.0) if share < 1 else 1.0
    width = most - least
    return Interval(least + width * share, least + width * float(low), least + width * float(high), level)


def _relative_entropy(share: float, mu: float) -> float:
    parts = [(share, mu), (1 - share, 1 - mu)]
    # At the bounds it is infinite, for which the root search needs a number.
    return sum(p * math.log(p / q) if q > 0 else 1e6 for p, q in parts if p > 0)
