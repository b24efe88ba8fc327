"""SparseAdam."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import ema, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative, Positive
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class SparseAdam(Rule):
    """Adam for embeddings (Kingma and Ba, 2015, arXiv:1412.6980): of a sparse gradient only the named rows move.

    The formula is that before section 2.1 of the paper: eps is added before the second moment's bias is corrected.
    Rows left out keep weights and averages, but the update count, by which biases are corrected, is the
    parameter's. A dense gradient, which torch refuses, names all rows. The state is 2 words per weight.

    >>> SparseAdam().sparse
    True
    """

    lr: Nonnegative = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Positive = 1e-8

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "SparseAdam"
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    torch_step: ClassVar = int
    sparse: ClassVar = True

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["exp_avg"], g, self.beta1)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        rate = self.lr * (1 - self.beta2**now.t) ** 0.5 / (1 - self.beta1**now.t)
        return rate * m / (sqrt(v) + self.eps), {"exp_avg": m, "exp_avg_sq": v}
