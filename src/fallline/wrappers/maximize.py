"""Ascent instead of descent."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Maximize(Wrapper):
    """Goes uphill: the rule sees the gradient with its sign changed. torch.optim's `maximize=True`.

    >>> from fallline.rules import SGD
    >>> Maximize(SGD(lr=0.1)).rule.lr
    0.1
    """

    name: ClassVar = "maximize"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        return self.rule.step(p, -g, state, now)
