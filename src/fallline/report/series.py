"""What is drawn: medians over seeds, and the final loss for each value tried of a hyperparameter."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fallline.report.panels import Panel
from fallline.statistics import median_interval
from fallline.study import Record, Row
from fallline.study.direction import less_is_better
from fallline.study.ranking import grouped


@dataclass(frozen=True)
class MedianCurve:
    """Median, least and largest value over the seeds at each evaluation.

    A run that has diverged counts as the worst value there is from then on: infinity, which is not drawn.
    """

    step: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def median_curve(runs: Sequence[Record], quantity: str) -> MedianCurve:
    """The median of a quantity over runs that were evaluated at the same steps."""
    worst = math.inf if less_is_better(quantity) else -math.inf
    recorded = [dict(zip(run.curve["step"], run.curve[quantity], strict=True)) for run in runs if quantity in run.curve]
    steps = sorted({step for run in recorded for step in run})
    columns = [[_number(run.get(step, worst), worst) for run in recorded] for step in steps]
    return MedianCurve(
        tuple(steps),
        tuple(median_interval(column).median for column in columns),
        tuple(map(min, columns)),
        tuple(map(max, columns)),
    )


@dataclass(frozen=True)
class Tried:
    """One value tried of a hyperparameter: the runs of the best setting with it, and their median final loss."""

    value: float
    runs: tuple[Record, ...]
    median: float

    @property
    def settings(self) -> dict[str, object]:
        """The hyperparameters of these runs."""
        return dict(self.runs[0]["hyperparameters"])


def tried_values(panel: Panel, row: Row, name: str) -> list[Tried]:
    """The values tried of a hyperparameter, in ascending order; of several settings with one value the best.

    Values that are not numbers are left out, and so are optimizers without that hyperparameter.
    """
    best: dict[float, Tried] = {}
    for trial in trials(panel, row):
        value = trial.runs[0]["hyperparameters"].get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if value not in best or trial.median < best[value].median:
            best[value] = Tried(float(value), trial.runs, trial.median)
    return [best[value] for value in sorted(best)]


@dataclass(frozen=True)
class Trial:
    """One setting tried: its runs, and their median final loss."""

    runs: tuple[Record, ...]
    median: float


def trials(panel: Panel, row: Row) -> list[Trial]:
    """All settings tried of a row's optimizer, in the study's order."""
    own = [record for record in panel.members if record["optimizer"] == row.optimizer]
    return [
        Trial(tuple(runs), median_interval([run.final(row.selected_on) for run in runs]).median)
        for runs in grouped(own, ("hyperparameters",))
    ]


def tuned_numbers(rows: Iterable[Row], panel: Panel) -> list[str]:
    """The hyperparameters of which some optimizer was given two numbers or more, the learning rate first."""
    names = dict.fromkeys(name for row in rows for name in row.tuned)
    known = [
        name for name in names if any(len(tried_values(panel, row, name)) > 1 for row in rows if name in row.tuned)
    ]
    return sorted(known, key=lambda name: name != "lr")


def _number(value: float, worst: float) -> float:
    return worst if math.isnan(value) else value
