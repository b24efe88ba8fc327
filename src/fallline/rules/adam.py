"""Adam, and AMSGrad."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, maximum, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Adam(Rule):
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980); `amsgrad=True` as in Reddi et al., 2018, arXiv:1904.09237.

    As in torch, AMSGrad keeps the largest uncorrected second moment and corrects its bias afterwards.

    >>> Adam(lr=1e-3).beta2
    0.999
    """

    lr: Nonnegative = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8
    amsgrad: bool = False

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "Adam"
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}

    def init(self, p: Tensor) -> State:
        state = {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
        return state | {"max_exp_avg_sq": zeros_like(p)} if self.amsgrad else state

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        new = {"exp_avg": m, "exp_avg_sq": v}
        if self.amsgrad:
            v = new["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        direction = debias(m, self.beta1, now.t) / (sqrt(debias(v, self.beta2, now.t)) + self.eps)
        return self.lr * direction, new
