"""Gradient accumulation."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from fallline.errors import InputError
from fallline.rules import Now, State
from fallline.rules.maths import zeros_like
from fallline.rules.ranges import Count
from fallline.wrappers.wrapper import Wrapper


def _no_gradient(p: Tensor) -> Tensor:
    raise InputError(
        "The rule inside Accumulate asks for a further gradient, which would be that of the last batch alone. "
        "Leave Accumulate out, and use larger batches."
    )


@dataclass(frozen=True)
class Accumulate(Wrapper):
    """Gradient accumulation: at every k-th step of the optimizer the rule sees the mean of the last k gradients.

    At the steps between, weights and the rule's state stay, and the rule is not run; its t and what is due every so
    many steps count its own updates. A gradient that is missing counts as 0; a parameter without gradient at the k-th
    step waits for the next. What stands around it sees every step: Clip(Accumulate(rule)) bounds each of the k
    gradients, Accumulate(Clip(rule)) their mean.

    >>> from fallline.rules import Adam
    >>> Accumulate(Adam(), k=8).hyperparameters()["accumulate.k"]
    8
    """

    k: Count = 4

    name: ClassVar = "accumulate"
    refuses: ClassVar = {
        "cautious": "it would see the gradient of the last batch alone. Write Accumulate around it.",
        **dict.fromkeys(
            ("decoupled", "independent", "l1"),
            "it would move the weights between the updates too. Write Accumulate around it.",
        ),
    }

    def init(self, p: Tensor) -> State:
        return {**self.rule.init(p), "accumulate.sum": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        total = state["accumulate.sum"] + g
        if not now.due(self.k, first=self.k):
            return zeros_like(p), {**state, "accumulate.sum": total}

        def due(k: int, first: int = 1) -> bool:
            return now.due(k * self.k, first=first * self.k)

        # Rounded up: a parameter that joined late had a first update of fewer gradients.
        updates = -(-now.t // self.k)
        inside = replace(now, t=updates, due=due, gradient=_no_gradient)
        decrement, new = self.rule.step(p, total / self.k, self.inner(state), inside)
        return decrement, {**new, "accumulate.sum": zeros_like(p)}
