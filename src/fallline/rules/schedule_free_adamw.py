"""Schedule-free AdamW."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import debias, ema, number, sqrt, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Decay, Finite, LogRange, Nonnegative
from fallline.rules.rule import Rule, State
from fallline.rules.schedule_free_sgd import (
    STEP_CHANGED,
    Interpolation,
    WholeSteps,
    average_of,
    averaged,
    schedule_free,
    warmed_up,
)


@dataclass(frozen=True)
class ScheduleFreeAdamW(Rule):
    """Schedule-free AdamW (Defazio et al., 2024, arXiv:2405.15682): ScheduleFreeSGD along Adam's normalised gradients.

    beta1 interpolates as ScheduleFreeSGD's momentum does; there is no first moment. The second moment is corrected
    for its bias inside the root, as in the paper and the authors' later code; their first releases scaled the rate
    instead, which lets the first steps weigh less in the average. `weight_decay` is decoupled and acts at y.

    >>> ScheduleFreeAdamW().lr
    0.0025
    """

    lr: Nonnegative = 2.5e-3
    beta1: Interpolation = 0.9
    beta2: Decay = 0.999
    eps: Nonnegative = 1e-8
    weight_decay: Nonnegative = 0.0
    warmup_steps: WholeSteps = 0
    r: Finite = 0.0
    weight_lr_power: Finite = 2.0

    search: ClassVar = {"lr": LogRange(1e-4, 1e-1)}
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    penalty: ClassVar = "weight_decay"
    refuses: ClassVar = STEP_CHANGED

    def init(self, p: Tensor) -> State:
        return {
            "z": p.clone(),
            "exp_avg_sq": zeros_like(p),
            "weight_sum": number(p, 0.0),
            "lr_max": number(p, 0.0),
        }

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        lr = warmed_up(self.lr, self.warmup_steps, now)
        share, averaging = averaged(lr, self.r, self.weight_lr_power, state, now)
        v = ema(state["exp_avg_sq"], g * g, self.beta2)
        direction = g / (sqrt(debias(v, self.beta2, now.t)) + self.eps) + self.weight_decay * p
        decrement, z = schedule_free(p, direction, state["z"], lr, self.beta1, share)
        return decrement, {"z": z, "exp_avg_sq": v, **averaging}

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return average_of(p, state["z"], self.beta1)
