"""Adagrad."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Adagrad(Rule):
    """Adagrad (Duchi, Hazan and Singer, 2011, jmlr.org/papers/v12/duchi11a.html).

    torch adds eps outside the root; `eps_inside_root=True` puts it inside, as many textbooks do.

    >>> Adagrad(lr=0.4, eps=1e-6, eps_inside_root=True).eps_inside_root
    True
    """

    lr: Nonnegative = 1e-2
    lr_decay: Nonnegative = 0.0
    initial_accumulator_value: Nonnegative = 0.0
    eps: Nonnegative = 1e-10
    eps_inside_root: bool = False

    search: ClassVar = {"lr": LogRange(1e-3, 1.0)}
    namesake: ClassVar = "Adagrad"
    sparse: ClassVar = True

    def init(self, p: Tensor) -> State:
        return {"sum": zeros_like(p) + self.initial_accumulator_value}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        s = state["sum"] + g * g
        root = sqrt(s + self.eps) if self.eps_inside_root else sqrt(s) + self.eps
        lr = self.lr / (1 + (now.t - 1) * self.lr_decay)
        return lr * g / root, {"sum": s}
