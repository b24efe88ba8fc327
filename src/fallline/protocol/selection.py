"""Selection: which of the settings that were tried is the best."""

from collections.abc import Sequence

import numpy as np

from fallline.statistics.median import middle


def selected(tried: Sequence[Sequence[float]]) -> int:
    """The place of the setting with the least median, given the losses of each setting's runs.

    A loss that is NaN or infinite is that of a diverged run. Ties go to the fewer diverged runs, then to the first.

    >>> selected([[3.0, 1.0, 2.0], [1.0, 1.5, 9.0], [1.5, 1.5, 1.5]])
    1
    """
    return min(range(len(tried)), key=lambda place: _merit(tried[place]))


def _merit(losses: Sequence[float]) -> tuple[float, int]:
    numbers = np.asarray(losses, dtype=float)
    finite = np.isfinite(numbers)
    return middle(np.sort(np.where(finite, numbers, np.inf))), int((~finite).sum())
