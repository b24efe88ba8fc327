"""Rprop."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, sign

from fallline.errors import InputError
from fallline.rules.maths import where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange, Nonnegative, Range
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Rprop(Rule):
    """Resilient backpropagation (Riedmiller and Braun, 1993, doi:10.1109/ICNN.1993.298623), for full batches.

    Each weight has a step size of its own, which grows while the gradient keeps its sign and shrinks where the
    sign turns; of the gradient only the sign is used. As in torch no step is taken back after a turn, the weight
    rests for one update: this is iRprop- (Igel and Huesken, 2003, doi:10.1016/S0925-2312(01)00700-7). `lr` is the
    first step size alone: a schedule that writes it later has no effect. The state is 2 words per weight.

    >>> Rprop().eta_plus
    1.2
    """

    lr: Nonnegative = 1e-2
    eta_minus: Annotated[float, Range(0.0, 1.0, low_open=True, high_open=True)] = 0.5
    eta_plus: Annotated[float, Range(low=1.0, low_open=True)] = 1.2
    step_size_min: Nonnegative = 1e-6
    step_size_max: Nonnegative = 50.0

    search: ClassVar = {"lr": LogRange(1e-5, 1e-1)}
    namesake: ClassVar = "Rprop"
    torch_groups: ClassVar = {"etas": ("eta_minus", "eta_plus"), "step_sizes": ("step_size_min", "step_size_max")}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_size_min > self.step_size_max:
            raise InputError(
                f"{type(self).__name__}: step_size_min must not be above step_size_max; "
                f"got {self.step_size_min:g} and {self.step_size_max:g}."
            )

    def init(self, p: Tensor) -> State:
        return {"prev": zeros_like(p), "step_size": zeros_like(p) + self.lr}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        agreement, old = g * state["prev"], state["step_size"]
        size = where(agreement > 0, old * self.eta_plus, where(agreement < 0, old * self.eta_minus, old))
        size = where(size < self.step_size_min, self.step_size_min, size)
        size = where(size > self.step_size_max, self.step_size_max, size)
        kept = where(agreement < 0, 0.0, g)
        return sign(kept) * size, {"prev": kept, "step_size": size}
