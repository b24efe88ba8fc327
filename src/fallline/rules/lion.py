"""Lion."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, sign

from fallline.rules.maths import ema, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Lion(Rule):
    """Lion, evolved sign momentum (Chen et al., 2023, arXiv:2302.06675), with its decoupled weight decay.

    Every weight moves by lr, in the direction in which the average, with the gradient weighed in by 1 - beta1,
    points; the average then takes the gradient in by 1 - beta2. The authors use a rate 3 to 10 times smaller than
    AdamW's, and a weight decay as many times larger. The state is 1 word per weight.

    >>> Lion().beta2
    0.99
    """

    lr: Nonnegative = 1e-4
    beta1: Decay = 0.9
    beta2: Decay = 0.99
    weight_decay: Nonnegative = 0.0

    search: ClassVar = {"lr": LogRange(1e-6, 1e-2)}
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    penalty: ClassVar = "weight_decay"

    def init(self, p: Tensor) -> State:
        return {"exp_avg": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        direction = sign(ema(state["exp_avg"], g, self.beta1))
        return self.lr * (direction + self.weight_decay * p), {"exp_avg": ema(state["exp_avg"], g, self.beta2)}
