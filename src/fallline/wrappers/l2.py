"""Coupled L2 regularisation."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.ranges import Nonnegative
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class L2(Wrapper):
    """L2 regularisation through the gradient: the rule sees g + weight_decay * p, the gradient of
    loss + weight_decay / 2 * |p|^2. This is torch.optim's `weight_decay` but for AdamW's, which is decoupled.

    >>> from fallline.rules import SGD
    >>> L2(SGD(lr=0.1), weight_decay=1e-4).hyperparameters()["l2.weight_decay"]
    0.0001
    """

    weight_decay: Nonnegative = 1e-4

    name: ClassVar = "l2"
    penalty: ClassVar = "weight_decay"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        elsewhere = replace(now, gradient=lambda q: now.gradient(q) + self.weight_decay * q)
        return self.rule.step(p, g + self.weight_decay * p, state, elsewhere)
