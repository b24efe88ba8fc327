"""Gradient noise."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.ranges import Nonnegative
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Noise(Wrapper):
    """Gradient noise that fades (Neelakantan et al., 2015, arXiv:1511.06807): the rule sees a disturbed gradient.

    Normal noise of variance eta / t**gamma is added, t the parameter's update, 1 at the first; the paper counts
    from 0 and writes (1 + t)**gamma. The authors take eta from 0.01, 0.3 and 1. The draws are keyed by the
    optimizer's `seed`, and the same for all members of a population.

    >>> from fallline.rules import SGD
    >>> Noise(SGD(lr=0.1), eta=0.3).gamma
    0.55
    """

    eta: Nonnegative = 0.01
    gamma: Nonnegative = 0.55

    name: ClassVar = "noise"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        deviation = (self.eta / now.t**self.gamma) ** 0.5
        return self.rule.step(p, g + deviation * now.noise(g), state, now)
