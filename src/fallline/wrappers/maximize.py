"""Ascent instead of descent."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from fallline.rules import Now, State
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Maximize(Wrapper):
    """Goes uphill: the rule sees the gradient with its sign changed. torch.optim's `maximize=True`.

    >>> from fallline.rules import SGD
    >>> Maximize(SGD(lr=0.1)).rule.lr
    0.1
    """

    name: ClassVar = "maximize"
    refuses: ClassVar = {
        "cautious": "inside, it turns every step against the gradient, and no element would ever move. "
        "Write Maximize(Cautious(rule)).",
        "sam": "inside, it does not turn the way round that SAM goes uphill. Write Maximize(SAM(rule)).",
    }

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """As the rule inside: rows that a gradient leaves out have no part in what is done to it."""
        return self.rule.sparse

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        return self.rule.step(p, -g, state, replace(now, gradient=lambda q: -now.gradient(q)))
