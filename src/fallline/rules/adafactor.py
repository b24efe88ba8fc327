"""Adafactor."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from fallline.rules.maths import ema, machine_epsilon, sqrt, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange, Nonnegative, Range
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Adafactor(Rule):
    """Adafactor (Shazeer and Stern, 2018, arXiv:1804.04235) as torch has it: a second moment of one row and one column.

    A tensor of rank 2 or more keeps the mean squares of the rows and of the columns of its last two dimensions, a
    vector keeps all. The step is relative: it is min(lr, 1 / sqrt(t)) times the root mean square of the weights, or
    eps2 where that is larger, and the update is scaled down to a root mean square of d. The paper has no lr (it is
    0.01 there) and adds eps1 to the squared gradients; torch bounds the estimates by eps1 from below, which is the
    type's machine epsilon where it is None. `weight_decay` is decoupled, as in AdamW.

    >>> Adafactor().beta2_decay
    -0.8
    """

    lr: Nonnegative = 1e-2
    beta2_decay: Annotated[float, Range(high=0.0)] = -0.8
    eps1: Nonnegative | None = None
    eps2: Nonnegative = 1e-3
    d: Annotated[float, Range(low=1.0)] = 1.0
    weight_decay: Nonnegative = 0.0

    acts_on: ClassVar = "matrix"
    search: ClassVar = {"lr": LogRange(1e-4, 1.0)}
    namesake: ClassVar = "Adafactor"
    torch_groups: ClassVar = {"eps": ("eps1", "eps2")}
    penalty: ClassVar = "weight_decay"

    def init(self, p: Tensor) -> State:
        if p.dim() < 2:
            return {"variance": zeros_like(p)}
        return {"row_var": zeros_like(p[..., :1]), "col_var": zeros_like(p[..., :1, :])}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        eps1 = machine_epsilon(p) if self.eps1 is None else self.eps1
        decay = 1 - now.t**self.beta2_decay
        square = g * g
        if p.dim() < 2:
            variance = ema(state["variance"], square, decay)
            new = {"variance": variance}
        else:
            rows = ema(state["row_var"], square.mean(-1, keepdim=True), decay)
            columns = ema(state["col_var"], square.mean(-2, keepdim=True), decay)
            variance = rows @ columns / _at_least(rows.mean(-2, keepdim=True), eps1)
            new = {"row_var": rows, "col_var": columns}
        update = g / sqrt(_at_least(variance, eps1 * eps1))
        clipped = update / _at_least(_root_mean_square(update) / self.d, 1.0)
        slowest = 1 / now.t**0.5
        relative = where(self.lr < slowest, self.lr, slowest) * _at_least(_root_mean_square(p), self.eps2)
        return relative * clipped + self.lr * self.weight_decay * p, new


def _at_least(x: Tensor, low: float) -> Tensor:
    """The larger of x and a number; NaN stays NaN."""
    larger: Tensor = where(x < low, low, x)
    return larger


def _root_mean_square(x: Tensor) -> Tensor:
    return sqrt((x * x).mean())
