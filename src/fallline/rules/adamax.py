"""Adamax."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, maximum, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Adamax(Rule):
    """Adamax (Kingma and Ba, 2015, arXiv:1412.6980, section 7.1): Adam with the largest gradient of late as its scale.

    The paper has no eps; as in torch it is added to the gradient's size, so the scale is never below eps.
    The state is 2 words per weight.

    >>> Adamax().lr
    0.002
    """

    lr: Nonnegative = 2e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "Adamax"
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        u = maximum(self.beta2 * state["exp_inf"], abs(g) + self.eps)
        return self.lr * debias(m, self.beta1, now.t) / u, {"exp_avg": m, "exp_inf": u}
