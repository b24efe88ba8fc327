"""What a search of fewer trials would have found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fallline.statistics import ExpectedBest, expected_best, median_interval
from fallline.study.ranking import grouped, selected_on
from fallline.study.record import Record


@dataclass(frozen=True)
class SearchCurve:
    """For budgets of 1, 2, ... trials out of those made: the expected best final value of what values are chosen by."""

    quantity: str
    trials: tuple[float, ...]
    expected: ExpectedBest

    def to_json(self) -> dict[str, Any]:
        """The curve as `--json` prints it."""
        return {
            "quantity": self.quantity,
            "trials": list(self.trials),
            "expected": list(self.expected.results),
            "all_diverged": list(self.expected.all_diverged),
            "quartiles": [list(pair) for pair in self.expected.quartiles],
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
    return SearchCurve(quantity, tuple(results), expected_best(results))
