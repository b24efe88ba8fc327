"""Adadelta."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import ema, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Fraction, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Adadelta(Rule):
    """Adadelta (Zeiler, 2012, arXiv:1212.5701); the paper has no learning rate, which is lr = 1.

    >>> Adadelta().rho
    0.9
    """

    lr: Nonnegative = 1.0
    rho: Fraction = 0.9
    eps: Nonnegative = 1e-6

    search: ClassVar = {"lr": LogRange(1e-2, 100.0)}
    namesake: ClassVar = "Adadelta"

    def init(self, p: Tensor) -> State:
        return {"square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        s = ema(state["square_avg"], g * g, self.rho)
        delta = sqrt(state["acc_delta"] + self.eps) / sqrt(s + self.eps) * g
        return self.lr * delta, {
            "square_avg": s,
            "acc_delta": ema(state["acc_delta"], delta * delta, self.rho),
        }
