"""Schedule-free gradient descent."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor

from fallline.rules.maths import number, where
from fallline.rules.now import Now
from fallline.rules.ranges import Finite, LogRange, Nonnegative, Range
from fallline.rules.rule import Rule, State

Interpolation = Annotated[float, Range(low=0.0, high=1.0, low_open=True)]
WholeSteps = Annotated[int, Range(low=0)]
STEP_CHANGED = dict.fromkeys(
    ("cautious", "decoupled", "independent", "l1", "lookahead"),
    "what it does to the step would not reach z, and the weights to evaluate with would no longer be the average of "
    "all z. Change the gradient instead: weight_decay or L2 for decay, Average for an average that fades.",
)
"""The wrappers that change a step behind the back of a rule with two sequences of weights."""


@dataclass(frozen=True)
class ScheduleFreeSGD(Rule):
    """Schedule-free SGD (Defazio et al., 2024, arXiv:2405.15682): an average of the iterates in place of a schedule.

    Gradients are taken at the parameter, y = (1 - momentum) z + momentum x, where z descends and x is the weighted
    average of all z; the model is evaluated at x (`eval_point`). Step t weighs t^r times the largest rate so far to
    the power of `weight_lr_power`. As in the authors' code the rate rises linearly over `warmup_steps`, and
    `weight_decay` acts at y. x is recovered from y and z, so momentum must be above 0.

    >>> ScheduleFreeSGD(lr=1.0).momentum
    0.9
    """

    lr: Nonnegative = 1.0
    momentum: Interpolation = 0.9
    weight_decay: Nonnegative = 0.0
    warmup_steps: WholeSteps = 0
    r: Finite = 0.0
    weight_lr_power: Finite = 2.0

    search: ClassVar = {"lr": LogRange(1e-2, 10.0)}
    penalty: ClassVar = "weight_decay"
    refuses: ClassVar = STEP_CHANGED

    def init(self, p: Tensor) -> State:
        return {"z": p.clone(), "weight_sum": number(p, 0.0), "lr_max": number(p, 0.0)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        lr = warmed_up(self.lr, self.warmup_steps, now)
        share, averaging = averaged(lr, self.r, self.weight_lr_power, state, now)
        decrement, z = schedule_free(p, g + self.weight_decay * p, state["z"], lr, self.momentum, share)
        return decrement, {"z": z, **averaging}

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return average_of(p, state["z"], self.momentum)


def warmed_up(lr: Any, steps: int, now: Now) -> Any:
    """The rate, rising linearly to its own value at the given step."""
    return lr * where(now.t < steps, now.t / steps, 1.0) if steps else lr


def averaged(lr: Any, r: float, power: float, state: State, now: Now) -> tuple[Tensor, State]:
    """The share of the newest iterate in the average of all, and the state that it is counted with."""
    largest = where(lr > state["lr_max"], lr, state["lr_max"])
    weight = now.t**r * largest**power
    total = state["weight_sum"] + weight
    # With rates of 0 from the start nothing has weight yet.
    share = where(total > 0, weight / where(total > 0, total, 1.0), 0.0)
    return share, {"weight_sum": total, "lr_max": largest}


def schedule_free(y: Tensor, direction: Tensor, z: Tensor, lr: Any, beta: Any, share: Any) -> tuple[Tensor, Tensor]:
    """What to subtract from y, and the new z, for a step of z along a direction."""
    return share * (y - z) + lr * (1 - beta * (1 - share)) * direction, z - lr * direction


def average_of(y: Tensor, z: Tensor, beta: Any) -> Tensor:
    """The average x of which y = (1 - beta) z + beta x is made."""
    x: Tensor = z + (y - z) / beta
    return x
