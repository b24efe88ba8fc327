"""L1 regularisation."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, sign

from fallline.rules import Now, State
from fallline.rules.maths import where
from fallline.rules.ranges import Nonnegative
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class L1(Wrapper):
    """L1 regularisation by proximal steps (Parikh and Boyd, 2014, doi:10.1561/2400000003): weights become 0 exactly.

    After the rule's step every weight moves towards 0 by lr * strength, stopping there (soft thresholding). Around
    SGD this is proximal gradient descent on loss + strength * |p|. Around an adaptive rule the penalty is not
    scaled as the gradient is: it is to L1 what decoupled decay is to L2. It belongs outermost: what another wrapper
    adds to the step afterwards (DecoupledDecay) moves weights off 0 again.

    >>> from fallline.rules import SGD
    >>> L1(SGD(lr=0.1), strength=1e-3).hyperparameters()["l1.strength"]
    0.001
    """

    strength: Nonnegative = 1e-5

    name: ClassVar = "l1"
    penalty: ClassVar = "strength"
    scaled_by_lr: ClassVar = True

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, state, now)
        reach = self.rule.hyperparameters()["lr"] * self.strength
        moved = p - decrement
        # This is p - shrink(moved, reach), without the digits that the decrement would lose to the weight's size.
        return where(abs(moved) <= reach, p, decrement + reach * sign(moved)), new
