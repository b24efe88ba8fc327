"""Prodigy."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import number, sqrt, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, Finite, LogRange, Nonnegative, Positive
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Prodigy(Rule):
    """Prodigy (Mishchenko and Defazio, 2023, arXiv:2306.06101): Adam that estimates its own rate d; lr multiplies it.

    d starts at d0 and grows to the largest bound on the distance to the solution that the gradients of the whole
    model have shown; d_coef scales the bound, whose sums are averaged with sqrt(beta2). As in the authors' code the
    bias of the moments is not corrected unless asked, `safeguard_warmup` leaves lr out of the bound's denominator, and
    `weight_decay` is decoupled. d stands beside every parameter, the same for all but one whose first gradient comes
    later than others': its own begins at d0 then.

    >>> Prodigy().lr
    1.0
    """

    lr: Nonnegative = 1.0
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8
    weight_decay: Nonnegative = 0.0
    d0: Positive = 1e-6
    d_coef: Finite = 1.0
    use_bias_correction: bool = False
    safeguard_warmup: bool = False

    acts_on: ClassVar = "tensor"
    amplifies: ClassVar = 100.0  # Its totals are small sums of terms of both signs.
    search: ClassVar = {"lr": LogRange(1e-2, 10.0)}
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    penalty: ClassVar = "weight_decay"

    def init(self, p: Tensor) -> State:
        return {
            "exp_avg": zeros_like(p),
            "exp_avg_sq": zeros_like(p),
            "s": zeros_like(p),
            "p0": p.clone(),
            "d": number(p, self.d0),
            "d_numerator": number(p, 0.0),
        }

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        d = state["d"]
        beta3 = self.beta2**0.5
        rate = d * self.lr
        if self.use_bias_correction:
            rate = rate * (1 - self.beta2**now.t) ** 0.5 / (1 - self.beta1**now.t)
        m = self.beta1 * state["exp_avg"] + (1 - self.beta1) * d * g
        v = self.beta2 * state["exp_avg_sq"] + (1 - self.beta2) * d * d * g * g
        s = beta3 * state["s"] + d / self.d0 * (d if self.safeguard_warmup else rate) * g
        # The dividend is summed up for each parameter by itself, so that it is right where gradients are missing.
        part = beta3 * state["d_numerator"] + d / self.d0 * rate * (g * (state["p0"] - p)).sum()
        numerator, denominator = now.total(part), now.total(abs(s))
        some = denominator > 0
        bound = where(some, self.d_coef * numerator / where(some, denominator, 1.0), d)
        new_d = where(bound > d, bound, d)
        direction = m / (sqrt(v) + new_d * self.eps)
        return rate * (direction + self.weight_decay * p), {
            "exp_avg": m,
            "exp_avg_sq": v,
            "s": s,
            "p0": state["p0"],
            "d": new_d,
            "d_numerator": part,
        }
