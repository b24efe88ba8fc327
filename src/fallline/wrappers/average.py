"""Averaged weights."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.maths import ema, where
from fallline.rules.ranges import Decay, Range
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Average(Wrapper):
    """The exponential moving average of the weights (Polyak and Juditsky, 1992, doi:10.1137/0330046, with weights that
    fade), with which models are evaluated; training does not change by it.

    The average is of the weights after each update, its bias corrected as Adam's are: after n updates they weigh
    1, decay, ..., decay^(n - 1), and the initial weights nothing. (torch.optim.swa_utils begins at the first weights,
    which then weigh decay^n.) The first `start` updates are left out: until then, models are evaluated as they stand.
    Where the rule inside has an evaluation point of its own, that is averaged. Of half precision weights the average
    is in single precision.

    >>> from fallline.rules import Adam
    >>> Average(Adam(), decay=0.99).hyperparameters()["average.start"]
    0
    """

    decay: Decay = 0.999
    start: Annotated[int, Range(low=0.0)] = 0

    name: ClassVar = "average"
    refuses: ClassVar = dict.fromkeys(
        ("cautious", "decoupled", "independent", "l1", "lookahead"),
        "the average would not know what it does to a step. Write Average around it.",
    )

    def init(self, p: Tensor) -> State:
        inner = self.rule.init(p)
        point = self.rule.eval_point(p, inner)
        # In half precision an average would stand still: what one step adds to it is below its last digit.
        wide = point.float() if p.dtype in (torch.float16, torch.bfloat16) else point.clone()
        return {**inner, "average.weights": wide}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, self.inner(state), now)
        point = self.rule.eval_point(p - decrement, new)
        averaged = where(now.t > self.start, now.t - self.start, 1)
        seen = 1 - self.decay**averaged
        # The share of all before this update: 0 at the first, so that nothing of the initial weights is left.
        share = (seen - (1 - self.decay)) / seen
        average = state["average.weights"]
        return decrement, {**new, "average.weights": ema(average, point.to(average.dtype), share)}

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return state["average.weights"]
