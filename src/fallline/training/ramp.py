"""The ramp of a learning-rate search: the rate grows at every step, until the loss blows up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fallline.training.repeatable import RepeatableTraining

SMOOTHING = 0.9
FALLEN, RISEN = 0.1, 0.1
BEGINNING = 10


@dataclass(frozen=True)
class Ramp:
    """A learning-rate range test (Smith, 2017, arXiv:1506.01186): one update at each rate, from low to high.

    `loss` is that of each batch before its update, `smoothed` its bias-corrected exponential average. The ramp ends
    early where the loss is not finite, or the smoothed one as far above the start as it fell below it, and twice the
    start at least.
    """

    lr: tuple[float, ...]
    loss: tuple[float, ...]
    smoothed: tuple[float, ...]

    @classmethod
    def none(cls) -> "Ramp":
        """No ramp: nothing was trained."""
        return cls((), (), ())

    @property
    def failed_at_once(self) -> bool:
        """Whether the loss was not finite in the first steps, at the lowest rates."""
        return not all(map(math.isfinite, self.loss[:BEGINNING]))

    @property
    def window(self) -> tuple[float, float]:
        """From the rate at which the smoothed loss has fallen by a tenth of all that it falls, to the rate at which it
        is a tenth above its start, or the last.
        """
        finite = [value for value in self.smoothed if math.isfinite(value)]
        start, least = _start(self.loss), finite.index(min(finite))
        mark = start - FALLEN * (start - finite[least])
        begins = max((i for i in range(least + 1) if finite[i] >= mark), default=0)
        above = (i for i in range(least + 1, len(finite)) if finite[i] >= start + RISEN * abs(start))
        return self.lr[begins], self.lr[next(above, len(self.lr) - 1)]


def ramp(training: RepeatableTraining, low: float, high: float, steps: int) -> Ramp:
    """Train once through `steps` rates from low to high, evenly on a logarithmic scale."""
    rates = [low * (high / low) ** (i / (steps - 1)) for i in range(steps)]
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    for loss in training.train(rates):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        losses.append(loss)
        smoothed.append(average / (1 - SMOOTHING ** len(losses)))
        start = _start(losses)
        far_above = start + max(abs(start), start - min(smoothed))
        if not smoothed[-1] <= far_above:
            break
    return Ramp(tuple(rates[: len(losses)]), tuple(losses), tuple(smoothed))


def _start(losses: Sequence[float]) -> float:
    """The mean loss of the first steps, whose rates are too small to move much."""
    return sum(losses[:BEGINNING]) / len(losses[:BEGINNING])
