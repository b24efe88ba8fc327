"""AdamW."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.adam import Adam
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange, Nonnegative
from fallline.rules.rule import State


@dataclass(frozen=True)
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101): Adam's step, and weight decay beside it.

    >>> AdamW().weight_decay
    0.01
    """

    weight_decay: Nonnegative = 1e-2

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "AdamW"
    includes: ClassVar = ("Adam",)
    penalty: ClassVar = "weight_decay"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = super().step(p, g, state, now)
        return decrement + self.lr * self.weight_decay * p, new
