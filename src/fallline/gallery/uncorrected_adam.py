"""Adam without the correction of its bias, to show what that does."""

from dataclasses import dataclass

from torch import Tensor

from fallline.rules import Now, Rule
from fallline.rules.maths import ema, sqrt, zeros_like
from fallline.rules.rule import State


@dataclass(frozen=True)
class UncorrectedAdam(Rule):
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980) with both moments as they are, drawn towards their start at zero."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        return self.lr * m / (sqrt(v) + self.eps), {"exp_avg": m, "exp_avg_sq": v}
