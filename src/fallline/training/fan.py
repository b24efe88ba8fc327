"""The fan of a learning-rate search: short trainings at several rates, from the same weights on the same batches."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from fallline.training.divergence import DIVERGED_ABOVE
from fallline.training.repeatable import RepeatableTraining

AS_GOOD_OF_FALL, AS_GOOD_OF_LOSS = 0.02, 0.25
FALLEN = 0.01
FIRST_RATES = 5


@dataclass(frozen=True)
class Trial:
    """A short training at one rate, and the loss at its end on the rows to compare on (NaN where it is not finite).

    *Diverged*: that or a batch's loss is not finite, or it ended above 10 times its start.
    """

    lr: float
    loss: float
    diverged: bool


@dataclass
class Fan:
    """Trials at some rates of a grid, by their place in it; `start` is the loss before any update."""

    grid: Sequence[float]
    steps: int
    start: float
    trials: dict[int, Trial] = field(default_factory=dict)

    @property
    def best(self) -> int | None:
        """The place of the least loss among the trials that did not diverge."""
        sound = [i for i, trial in sorted(self.trials.items()) if not trial.diverged]
        return min(sound, key=lambda i: self.trials[i].loss, default=None)

    @property
    def fell(self) -> bool:
        """Whether the best trial ended clearly below the start, by 1 % of it."""
        return self.best is not None and self.trials[self.best].loss < self.start - FALLEN * abs(self.start)

    @property
    def as_good(self) -> range:
        """The places around the best whose trials are as good: above it by no more than 2 % of what it fell by, and
        no more than a quarter of its loss.
        """
        best = self.best
        if best is None:
            return range(0)
        least = self.trials[best].loss
        enough = least + min(AS_GOOD_OF_FALL * (self.start - least), AS_GOOD_OF_LOSS * abs(least))
        low = high = best
        while self._within(low - 1, enough):
            low -= 1
        while self._within(high + 1, enough):
            high += 1
        return range(low, high + 1)

    def wanted(self) -> int | None:
        """The next place to try, so that what is as good as the best has worse beside it; None where that is so, or the
        grid has no more.
        """
        lowest, highest = min(self.trials), max(self.trials)
        near = self.as_good if self.fell else range(lowest, highest + 1)
        if lowest > 0 and (lowest in near or not near):
            return lowest - 1
        if highest < len(self.grid) - 1 and highest in near and not self.trials[highest].diverged:
            return highest + 1
        return None

    def between(self, place: float) -> float:
        """The rate at a place of the grid, or between two."""
        lower = min(int(place), len(self.grid) - 2)
        return self.grid[lower] * math.exp((place - lower) * math.log(self.grid[lower + 1] / self.grid[lower]))

    def _within(self, place: int, enough: float) -> bool:
        trial = self.trials.get(place)
        return trial is not None and trial.loss <= enough


def fan(
    training: RepeatableTraining,
    grid: Sequence[float],
    window: tuple[float, float],
    steps: int,
    start: float,
    tick: Callable[[Trial], None],
) -> Fan:
    """Try the highest five rates of a grid inside a window, then what lies beside them as long as it may be better."""
    result = Fan(grid, steps, start)
    top = _nearest(grid, window[1])
    bottom = min(max(_nearest(grid, window[0]), top - FIRST_RATES + 1), max(0, top - 2))
    place: int | None = top
    while place is not None:
        result.trials[place] = _trial(training, grid[place], steps, start)
        tick(result.trials[place])
        place = place - 1 if len(result.trials) <= top - bottom else result.wanted()
    return result


def _nearest(grid: Sequence[float], rate: float) -> int:
    return min(range(len(grid)), key=lambda i: abs(math.log(grid[i] / rate)))


def _trial(training: RepeatableTraining, rate: float, steps: int, start: float) -> Trial:
    losses = list(training.train(repeat(rate, steps)))
    loss = training.measure() if all(map(math.isfinite, losses)) else math.nan
    diverged = not math.isfinite(loss) or (start > 0 and loss > DIVERGED_ABOVE * start)
    return Trial(rate, loss if math.isfinite(loss) else math.nan, diverged)
