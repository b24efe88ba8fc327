"""Ranks of numbers, equal ones sharing theirs."""

import numpy as np

from fallline.statistics.sample import Numbers


def ranks(values: Numbers) -> Numbers:
    """The rank of each, 1 the least; equal numbers, infinite ones too, share the mean of their ranks.

    >>> ranks(np.array([0.5, 0.1, 0.5, np.inf])).tolist()
    [2.5, 1.0, 2.5, 4.0]
    """
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, side="left"), np.searchsorted(ordered, values, side="right")
    return np.asarray(below + up_to + 1) / 2
