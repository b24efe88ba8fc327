"""Gradient clipping."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from fallline.errors import InputError
from fallline.rules import Now, State
from fallline.rules.maths import clip, sqrt, squared_norm, where
from fallline.rules.ranges import Positive
from fallline.wrappers.wrapper import Wrapper


@dataclass(frozen=True)
class Clip(Wrapper):
    """Gradient clipping (Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063): the rule sees a bounded gradient.

    `value` moves each element into [-value, value]; `norm` scales each parameter's gradient down to that L2 norm;
    `global_norm` scales all gradients down together, as torch.nn.utils.clip_grad_norm_ does. None leaves a clipping
    out; several act in this order. What is below its limit stays as it is, bit for bit: torch divides by
    norm + 1e-6, here it is the norm itself. A norm that is NaN makes every gradient it scales NaN, as in torch.

    >>> from fallline.rules import Adam
    >>> Clip(Adam(), norm=1.0).hyperparameters()["clip.norm"]
    1.0
    """

    value: Positive | None = None
    norm: Positive | None = None
    global_norm: Positive | None = None

    name: ClassVar = "clip"
    acts_on: ClassVar = "tensor"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value is None and self.norm is None and self.global_norm is None:
            raise InputError("Clip needs a limit: give value, norm or global_norm, such as norm=1.0.")

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """As the rule inside: rows that a gradient leaves out have no part in what is done to it."""
        return self.rule.sparse

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        if self.value is not None:
            g = clip(g, self.value)
        if self.norm is not None:
            g = g * _factor(squared_norm(g), self.norm)
        if self.global_norm is not None:
            g = g * _factor(now.total(squared_norm(g)), self.global_norm)
        return self.rule.step(p, g, state, now)


def _factor(square: Tensor, limit: float) -> Any:
    """What scales a norm, given squared, down to the limit; 1 below it, NaN for NaN."""
    norm = sqrt(square)
    return limit / where(norm <= limit, limit, norm)
