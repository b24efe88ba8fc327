"""RAdam."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, sqrt, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class RAdam(Rule):
    """Rectified Adam (Liu et al., 2020, arXiv:1908.03265): momentum alone until the second moment can be trusted.

    As in torch the second moment is used from an effective length above 5 on (the paper has 4), and eps is added
    before its bias is corrected. `decoupled_weight_decay` of the torch face is the wrapper `DecoupledDecay`.
    The state is 2 words per weight.

    >>> RAdam().beta2
    0.999
    """

    lr: Nonnegative = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "RAdam"
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        seen = 1 - self.beta2**now.t
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * now.t * self.beta2**now.t / seen
        trusted = length > 5
        # Below, the root would be of a negative number or divide by 0; two equal lengths give 1 there.
        r, r_longest = where(trusted, length, 6.0), where(trusted, longest, 6.0)
        rectifier = ((r - 4) * (r - 2) * r_longest / ((r_longest - 4) * (r_longest - 2) * r)) ** 0.5
        scale = where(trusted, rectifier * seen**0.5 / (sqrt(v) + self.eps), 1.0)
        return self.lr * debias(m, self.beta1, now.t) * scale, {"exp_avg": m, "exp_avg_sq": v}
