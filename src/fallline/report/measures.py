"""Noise scale and sharpness of a study: what they say, their curves and where they ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fallline.report.series import MedianCurve
from fallline.report.words import number
from fallline.statistics import MedianInterval, median_interval
from fallline.study import Record, Row, StudyResults
from fallline.training.recording import ROWS


@dataclass(frozen=True)
class Measure:
    """A quantity of the whole model: its column, its name, its unit, and what it says in plain words."""

    column: str
    name: str
    unit: str
    says: str


MEASURES = (
    Measure(
        "noise_scale",
        "Noise scale",
        "rows",
        "The noise scale is a number of training rows: about as many as a batch needs for its gradient to outweigh "
        "the chance of which rows are in it. Batches well below it are mostly noise; batches well above it waste rows.",
    ),
    Measure(
        "sharpness",
        "Sharpness",
        "loss / weight²",
        "The sharpness is how strongly the training loss curves upwards in its steepest direction, the largest "
        "eigenvalue of its Hessian, in units of loss per squared unit of weight. Plain gradient descent is stable only "
        "at learning rates below 2 / sharpness; optimizers that rescale their steps have other limits.",
    ),
)
SAID = (
    f"Measured at every evaluation on one batch of training rows, {ROWS} at most. A seed counts where the quantity "
    "could be measured, and at the end only if it did not diverge."
)


def measured(results: StudyResults) -> list[Measure]:
    """The measures that a study recorded."""
    return [m for m in MEASURES if any(m.column in record.curve for record in results.records)]


def measured_curve(runs: Sequence[Record], column: str) -> MedianCurve:
    """Median, least and largest value over the seeds at each evaluation, of the seeds that have one there."""
    values: dict[float, list[float]] = {}
    for run in runs:
        if column in run.curve:
            for step, value in zip(run.curve["step"], run.curve[column], strict=True):
                if not math.isnan(value):
                    values.setdefault(step, []).append(value)
    steps = sorted(values)
    return MedianCurve(
        tuple(steps),
        tuple(median_interval(values[step]).median for step in steps),
        tuple(min(values[step]) for step in steps),
        tuple(max(values[step]) for step in steps),
    )


def measured_at_end(row: Row, column: str) -> tuple[MedianInterval, int] | None:
    """The median of a row's final weights over its seeds, and of how many; None where no seed has a value."""
    runs = [run for run in row.winners if column in run.curve and not run.diverged]
    values = [run.curve[column][run.evaluation] for run in runs]
    known = [value for value in values if not math.isnan(value)]
    return (median_interval(known), len(known)) if known else None


def measure_text(row: Row, column: str) -> tuple[str, str]:
    """The median at the end, and its interval and seeds left out; words where there is none."""
    found = measured_at_end(row, column)
    if found is None:
        return "not measured", ""
    interval, count = found
    bounds = f"[{_written(interval.low)}, {_written(interval.high)}]" if interval.level > 0 else ""
    missing = f"({count} of {len(row.winners)} seeds)" if count < len(row.winners) else ""
    return _written(interval.median), " ".join(filter(None, (bounds, missing)))


def stable_below(row: Row) -> str:
    """The learning rate below which plain gradient descent is stable at a row's median sharpness."""
    found = measured_at_end(row, "sharpness")
    if found is None:
        return "not measured"
    sharpness = found[0].median
    return number(2 / sharpness) if sharpness > 0 else "any"


def _written(value: float) -> str:
    return number(value) if math.isfinite(value) else "infinite"
