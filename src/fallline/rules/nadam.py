"""NAdam."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, number, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class NAdam(Rule):
    """NAdam (Dozat, 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ): Adam whose momentum looks ahead as Nesterov's.

    The momentum of update t is mu = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay)), from half of beta1 up to beta1;
    averages divide by 1 - the product of all mu so far. As in torch the averages themselves decay by beta1.
    `decoupled_weight_decay` of the torch face is the wrapper `DecoupledDecay`.
    The state is 2 words per weight and one number per parameter.

    >>> NAdam().momentum_decay
    0.004
    """

    lr: Nonnegative = 2e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8
    momentum_decay: Nonnegative = 4e-3

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "NAdam"
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}

    def init(self, p: Tensor) -> State:
        return {"mu_product": number(p, 1.0), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        mu, mu_next = self._momentum(now.t), self._momentum(now.t + 1)
        product = state["mu_product"] * mu
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        ahead = (1 - mu) / (1 - product) * g + mu_next / (1 - product * mu_next) * m
        direction = ahead / (sqrt(debias(v, self.beta2, now.t)) + self.eps)
        return self.lr * direction, {"mu_product": product, "exp_avg": m, "exp_avg_sq": v}

    def _momentum(self, t: float) -> float:
        faded: float = 0.96 ** (t * self.momentum_decay)
        return self.beta1 * (1 - 0.5 * faded)
