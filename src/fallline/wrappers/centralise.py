"""Gradient centralisation."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Centralise(Wrapper):
    """Gradient centralisation (Yong et al., 2020, arXiv:2004.01461): the rule sees gradients of mean 0.

    From the gradient of each output unit, the first axis of a weight, its mean over all other axes is subtracted.
    Gradients of rank 0 and 1 (biases, normalisation) are left as they are.

    >>> from fallline.rules import SGD
    >>> Centralise(SGD(lr=0.1)).acts_on
    'matrix'
    """

    name: ClassVar = "centralise"
    acts_on: ClassVar = "matrix"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        if g.dim() > 1:
            g = g - g.mean(dim=tuple(range(1, g.dim())), keepdim=True)
        return self.rule.step(p, g, state, now)
