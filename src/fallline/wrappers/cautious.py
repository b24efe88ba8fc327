"""Cautious steps."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, sign

from fallline.rules import Now, State
from fallline.rules.maths import where
from fallline.wrappers.wrapper import Wrapper

_LEAST = 1e-3


@dataclass(frozen=True)
class Cautious(Wrapper):
    """Cautious steps (Liang et al., 2024, arXiv:2411.16085): no element moves against its gradient.

    Elements whose decrement has not the gradient's sign stay; the others are scaled up by one over their share of the
    tensor, a share below 0.001 counting as 0.001. The authors leave weight decay out of the mask: put it around
    (DecoupledDecay(Cautious(Adam()))). The gradient is the one handed in: of what wrappers outside this one made it.

    >>> from fallline.rules import Adam
    >>> Cautious(Adam()).acts_on
    'tensor'
    """

    name: ClassVar = "cautious"
    acts_on: ClassVar = "tensor"

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, state, now)
        # The signs, because a product of small numbers is 0.
        agree = (sign(decrement) * sign(g) > 0).to(g.dtype)
        share = agree.mean()
        return decrement * (agree / where(share < _LEAST, _LEAST, share)), new
