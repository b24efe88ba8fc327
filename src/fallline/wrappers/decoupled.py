"""Decoupled weight decay."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.ranges import Nonnegative
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class DecoupledDecay(Wrapper):
    """Weight decay beside the rule's step (Loshchilov and Hutter, 2019, arXiv:1711.05101).

    lr * weight_decay * p is subtracted as well. Around Adam it is AdamW.

    >>> from fallline.rules import Adam
    >>> DecoupledDecay(Adam(), weight_decay=0.1).weight_decay
    0.1
    """

    weight_decay: Nonnegative = 1e-2

    name: ClassVar = "decoupled"
    penalty: ClassVar = "weight_decay"
    scaled_by_lr: ClassVar = True

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, state, now)
        return decrement + self.rule.hyperparameters()["lr"] * self.weight_decay * p, new
