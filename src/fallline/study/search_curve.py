"""What a search of fewer trials would have found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.statistics import ExpectedBest, expected_best, median_interval
from fallline.study.ranking import grouped, selected_on
from fallline.study.record import Record


@dataclass(frozen=True)
class SearchCurve:
    """For budgets of 1, 2, ... trials out of those made: the expected best final value of what values are chosen by.

    `quartiles` has for each budget what a quarter of all choices of so many trials end below, and what a quarter end
    above (infinite where these hold none that did not diverge).
    """

    quantity: str
    trials: tuple[float, ...]
    expected: ExpectedBest
    quartiles: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The curve as `--json` prints it."""
        return {
            "quantity": self.quantity,
            "trials": list(self.trials),
            "expected": list(self.expected.results),
            "all_diverged": list(self.expected.all_diverged),
            "quartiles": [list(pair) for pair in self.quartiles],
        }


def search_curve(records: Sequence[Record]) -> SearchCurve | None:
    """The curve of the trials of one row, given the records of its search: a trial's result is the median of its runs.

    None for fewer than two trials. Trials are those of the whole search, a repeated one and extra ones included.
    """
    trials = grouped(records, ("hyperparameters",))
    if len(trials) < 2:
        return None
    quantity = selected_on(records)
    results = [median_interval([run.final(quantity) for run in runs]).median for runs in trials]
    return SearchCurve(quantity, tuple(results), expected_best(results), _quartiles(results))


def _quartiles(results: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The quartiles of the best of k of n results drawn without replacement, for every k.

    The best of k is above the i-th best where all k are among the n - i behind it.
    """
    ordered = np.sort(results)
    n = len(ordered)
    found = []
    for k in range(1, n + 1):
        behind = np.arange(n - 1, -1, -1)
        above = np.prod([np.maximum(behind - j, 0) / (n - j) for j in range(k)], axis=0)
        reached = 1 - above + 1e-12
        found.append(tuple(float(ordered[np.argmax(reached >= share)]) for share in (0.25, 0.75)))
    return tuple((low, high) for low, high in found)
