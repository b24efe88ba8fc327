"""RMSprop."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import ema, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Fraction, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class RMSprop(Rule):
    """RMSprop (Tieleman and Hinton, 2012, Coursera lecture 6e); centered as in Graves, 2013, arXiv:1308.0850.

    >>> RMSprop(lr=1e-3, alpha=0.9).momentum is None
    True
    """

    lr: Nonnegative = 1e-2
    alpha: Fraction = 0.99
    eps: Nonnegative = 1e-8
    momentum: Nonnegative | None = None
    centered: bool = False

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "RMSprop"

    def init(self, p: Tensor) -> State:
        state = {"square_avg": zeros_like(p)}
        if self.momentum is not None:
            state["momentum_buffer"] = zeros_like(p)
        if self.centered:
            state["grad_avg"] = zeros_like(p)
        return state

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        new = {"square_avg": ema(state["square_avg"], g * g, self.alpha)}
        variance = new["square_avg"]
        if self.centered:
            new["grad_avg"] = ema(state["grad_avg"], g, self.alpha)
            variance = variance - new["grad_avg"] * new["grad_avg"]
        direction = g / (sqrt(variance) + self.eps)
        if self.momentum is not None:
            direction = self.momentum * state["momentum_buffer"] + direction
            new["momentum_buffer"] = direction
        return self.lr * direction, new
