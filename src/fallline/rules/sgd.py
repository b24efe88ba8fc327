"""Gradient descent, with momentum if asked."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.errors import InputError
from fallline.rules.maths import where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Finite, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class SGD(Rule):
    """Stochastic gradient descent (Robbins and Monro, 1951, doi:10.1214/aoms/1177729586).

    `momentum=None` is plain descent without state. As in torch, the first velocity is the gradient itself,
    not damped, and Nesterov's variant looks ahead along the new velocity (Sutskever et al., 2013).

    >>> SGD(lr=0.1)
    SGD(lr=0.1, momentum=None, dampening=0.0, nesterov=False)
    """

    lr: Nonnegative = 1e-3
    momentum: Nonnegative | None = None
    dampening: Finite = 0.0
    nesterov: bool = False

    search: ClassVar = {"lr": LogRange(1e-3, 10.0)}
    namesake: ClassVar[str | None] = "SGD"
    torch_step: ClassVar = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum is None:
            raise InputError(f"{type(self).__name__}: nesterov needs a momentum, such as momentum=0.9.")

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """True without momentum, which moves the rows that a gradient leaves out."""
        return self.momentum is None

    def init(self, p: Tensor) -> State:
        return {} if self.momentum is None else {"momentum_buffer": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        if self.momentum is None:
            return self.lr * g, {}
        v = self.momentum * state["momentum_buffer"] + where(now.t == 1, 1.0, 1 - self.dampening) * g
        direction = g + self.momentum * v if self.nesterov else v
        return self.lr * direction, {"momentum_buffer": v}
