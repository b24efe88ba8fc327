"""What a member recorded: step, samples seen, losses and metrics at each evaluation."""

import math
from dataclasses import dataclass, field

from fallline.errors import InputError

AT_LEAST = 20
COUNTS = ("step", "samples", "evaluations")
"""The columns that hold whole numbers."""


@dataclass
class Curve:
    """Columns of equal length, one entry per evaluation; `step` and `samples` among them, and `evaluations`, how often
    the loss of a batch was evaluated with its gradient: once a step, and more often where a rule asks for more (SAM).

    `train_loss` is measured on the training rows as they stand, like `validation_loss` and `test_loss`;
    `batch_loss` is the mean of the mini-batch losses since the evaluation before (NaN at step 0). Diagnostics bear a
    layer's name, `gradient_norm/0`; they are of the step before the evaluation.

    `losses` has, by step, the mini-batch loss of every so many-th step before its update, where that was asked for.
    """

    columns: dict[str, list[float]] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)

    def append(self, values: dict[str, float]) -> None:
        """Add one evaluation; NaN stands where a column has no value."""
        before = max(map(len, self.columns.values()), default=0)
        for name in dict.fromkeys((*self.columns, *values)):
            self.columns.setdefault(name, [math.nan] * before).append(values.get(name, math.nan))

    def __getitem__(self, name: str) -> list[float]:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    @property
    def deciding(self) -> str:
        """The quantity that decides what is best: validation loss, or training loss where nothing was held out."""
        return "validation_loss" if "validation_loss" in self.columns else "train_loss"

    def last(self) -> dict[str, float]:
        """The values of the last evaluation."""
        return {name: values[-1] for name, values in self.columns.items() if values}


def evaluation_steps(total: int, steps_per_epoch: int, every: int | None = None) -> tuple[int, ...]:
    """The steps after which all members are evaluated: 0, every epoch's end, and 20 points at least.

    `every` adds each multiple of it.

    >>> evaluation_steps(40, 20)[:4]
    (0, 2, 4, 6)
    """
    if total < 1:
        raise InputError(f"A training needs at least 1 step; got {total}.")
    steps = {0, total, *range(steps_per_epoch, total + 1, steps_per_epoch)}
    if len(steps) <= AT_LEAST:
        steps.update(math.ceil(i * total / AT_LEAST) for i in range(1, AT_LEAST + 1))
    if every is not None:
        steps.update(range(every, total + 1, every))
    return tuple(sorted(steps))


def first_reached(curve: Curve, quantity: str, at_least: bool, value: float) -> int | None:
    """The step of the first evaluation at which a quantity is at least (or at most) a value, or None."""
    for step, measured in zip(curve["step"], curve[quantity], strict=True):
        if (measured >= value) if at_least else (measured <= value):
            return int(step)
    return None
