"""When the runs of a row met a target, in steps, samples, gradient evaluations and seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from fallline.statistics import TimeToTarget, time_to_target
from fallline.study.record import Record
from fallline.study.target import Target
from fallline.training import first_reached

COUNTED = {"steps": "step", "samples": "samples", "evaluations": "evaluations"}
"""The columns of a curve that time is counted in, by the name of the unit."""


@dataclass(frozen=True)
class Reached:
    """For every run when it met the target (infinite: never), how long it was watched, and what it spent.

    A run that diverged or was stopped early would never have met it later, so it counts as watched for the whole
    budget, while it spent what it was trained.
    """

    first: tuple[float, ...]
    watched: tuple[float, ...]
    spent: tuple[float, ...]

    @property
    def statistics(self) -> TimeToTarget:
        """Hit rate, median, cost and curve."""
        return time_to_target(self.first, self.watched, self.spent)

    def times(self, factor: float) -> "Reached":
        """The same in another unit, of which so many make one of this."""
        columns = (self.first, self.watched, self.spent)
        return Reached(*(tuple(value * factor for value in column) for column in columns))


def reached(
    runs: Sequence[Record], target: Target, total_steps: int, seconds_a_step: float | None = None
) -> dict[str, Reached]:
    """When runs met a target, by unit: what their curves count, and seconds where those of a step are known.

    Nothing where the quantity was not recorded. A run is timed at the first evaluation that meets the target, whatever
    becomes of it later. For one that ended early, what the whole budget would have counted is reckoned from the steps.
    """
    if any(target.quantity not in run.curve for run in runs):
        return {}
    assert target.value is not None
    steps = [first_reached(run.curve, target.quantity, target.at_least, target.value) for run in runs]
    found = {
        unit: _counted(runs, column, steps, total_steps)
        for unit, column in COUNTED.items()
        if all(column in run.curve for run in runs)
    }
    if seconds_a_step is not None:
        found["seconds"] = found["steps"].times(seconds_a_step)
    return found


def _counted(runs: Sequence[Record], column: str, steps: Sequence[int | None], total_steps: int) -> Reached:
    first, watched, spent = [], [], []
    # Only a batch that is not full makes the count of a step another than those before.
    a_step = max(_a_step(run, column) for run in runs)
    for run, step in zip(runs, steps, strict=True):
        done, counts = run.curve["step"], run.curve[column]
        first.append(float("inf") if step is None else float(counts[done.index(step)]))
        watched.append(counts[-1] + max(0, total_steps - done[-1]) * a_step)
        spent.append(float(counts[-1]))
    return Reached(tuple(first), tuple(watched), tuple(spent))


def _a_step(run: Record, column: str) -> float:
    done = run.curve["step"][-1]
    return run.curve[column][-1] / done if done else 1.0
