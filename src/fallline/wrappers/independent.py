"""Weight decay that the learning rate does not scale."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.errors import InputError
from fallline.rules import Now, State
from fallline.rules.ranges import Nonnegative, Positive
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class IndependentDecay(Wrapper):
    """Weight decay in its first form (Loshchilov and Hutter, 2019, arXiv:1711.05101, algorithm 2).

    weight_decay * p is subtracted beside the rule's step, so that another learning rate leaves the decay as it is;
    torch's AdamW and `DecoupledDecay` subtract lr * weight_decay * p. The paper scales decay and rate by one schedule.
    A rule sees a schedule in lr alone: give `max_lr`, the rate that the schedule multiplies, and the decay is scaled by
    lr / max_lr, the schedule's multiplier. Without it the decay is the same at every step.

    >>> from fallline.rules import Adam
    >>> IndependentDecay(Adam(lr=1e-3), weight_decay=1e-4, max_lr=1e-3).hyperparameters()["independent.max_lr"]
    0.001
    """

    weight_decay: Nonnegative = 1e-4
    max_lr: Positive | None = None

    name: ClassVar = "independent"
    penalty: ClassVar = "weight_decay"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_lr is not None and "lr" not in self.rule.kinds():
            raise InputError(
                f"IndependentDecay: max_lr needs a rule with lr, which {type(self.core()).__name__} lacks."
            )

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, state, now)
        decay = self.weight_decay
        if self.max_lr is not None:
            decay = decay * (self.rule.hyperparameters()["lr"] / self.max_lr)
        return decrement + decay * p, new
