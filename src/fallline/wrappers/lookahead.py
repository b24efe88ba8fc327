"""Lookahead."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.rules.ranges import Count, Fraction
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Lookahead(Wrapper):
    """Lookahead (Zhang et al., 2019, arXiv:1907.08610): slow weights follow the rule's, which return to them.

    At every k-th step of the optimizer the slow weights move by `alpha` of the way to the rule's weights, and training
    goes on from there; the rule's state is kept, as the authors do by default. The slow weights are what the algorithm
    gives back, so models are evaluated with them: up to the k-th step with the initial weights.

    >>> from fallline.rules import Adam
    >>> Lookahead(Adam(), k=6).hyperparameters()["lookahead.alpha"]
    0.5
    """

    k: Count = 5
    alpha: Fraction = 0.5

    name: ClassVar = "lookahead"
    amplifies: ClassVar = 10.0  # A step back to the slow weights is a difference of steps that are alike.
    refuses: ClassVar = dict.fromkeys(
        ("cautious", "decoupled", "independent", "l1"),
        "the slow weights would not know what it adds to a step. Write Lookahead around it.",
    )

    def init(self, p: Tensor) -> State:
        return {**self.rule.init(p), "lookahead.slow": p.clone()}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        decrement, new = self.rule.step(p, g, self.inner(state), now)
        slow = state["lookahead.slow"]
        if now.due(self.k, first=self.k):
            # To slow + alpha * (p - decrement - slow), without the digits that a difference of weights would lose.
            decrement = (1 - self.alpha) * (p - slow) + self.alpha * decrement
            slow = p - decrement
        return decrement, {**new, "lookahead.slow": slow}

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return self.rule.eval_point(state["lookahead.slow"], self.inner(state))
