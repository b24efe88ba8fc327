"""LAMB."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, sqrt, squared_norm, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class LAMB(Rule):
    """LAMB (You et al., 2020, arXiv:1904.00962): Adam's direction, scaled by a ratio of norms in each tensor.

    The ratio is the weights' norm to the direction's; weight decay is part of the direction. The paper's function of
    the weights' norm is the identity, as in the authors' code, and where either norm is 0 nothing is scaled. The
    moments are corrected for their bias, as in the paper's algorithm 2; the authors' code leaves that out.

    >>> LAMB(lr=2e-3).eps
    1e-06
    """

    lr: Nonnegative = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-6
    weight_decay: Nonnegative = 1e-2

    acts_on: ClassVar = "tensor"
    search: ClassVar = {"lr": LogRange(1e-4, 1.0)}
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    penalty: ClassVar = "weight_decay"

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        adam = debias(m, self.beta1, now.t) / (sqrt(debias(v, self.beta2, now.t)) + self.eps)
        direction = adam + self.weight_decay * p
        of_p, of_direction = sqrt(squared_norm(p)), sqrt(squared_norm(direction))
        zero = (of_p == 0) | (of_direction == 0)
        trust = where(zero, 1.0, of_p / where(zero, 1.0, of_direction))
        return self.lr * trust * direction, {"exp_avg": m, "exp_avg_sq": v}
