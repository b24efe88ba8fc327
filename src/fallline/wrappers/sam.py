"""Sharpness-aware minimisation."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.maths import sqrt, squared_norm, where
from fallline.rules.ranges import Nonnegative
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class SAM(Wrapper):
    """Sharpness-aware minimisation (Foret et al., 2021, arXiv:2010.01412): the rule sees the gradient a little uphill.

    The gradient is taken anew at p + rho * g / |g|, the norm that of the whole model; `adaptive=True` goes uphill by
    rho * p^2 * g / |p * g| (Kwon et al., 2021, arXiv:2102.11600, with eta = 0). Where the norm is 0, the further
    gradient is taken at p. Every step costs a second pass of the loss, for which it needs `optimizer.step(closure)`;
    BatchNorm's running statistics are those of the first.

    What stands outside changes the gradient that chooses the direction, what stands inside the one that is stepped by:
    SAM(Clip(rule)) bounds the step. L2 and Maximize change the loss, so both gradients.

    >>> from fallline.rules import SGD
    >>> SAM(SGD(lr=0.1), rho=0.1).hyperparameters()["sam.adaptive"]
    False
    """

    rho: Nonnegative = 0.05
    adaptive: bool = False

    name: ClassVar = "sam"
    acts_on: ClassVar = "tensor"
    refuses: ClassVar = {
        "accumulate": "the gradient uphill would be that of the last batch alone. Write SAM(Accumulate(rule)).",
    }

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        scaled = p * g if self.adaptive else g
        norm = sqrt(now.total(squared_norm(scaled)))
        uphill = (p * scaled if self.adaptive else g) * (self.rho / where(norm == 0, 1.0, norm))
        return self.rule.step(p, now.gradient((p + uphill).to(p.dtype)), state, now)
