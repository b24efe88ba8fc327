"""What a step cannot know by itself, handed in by whoever runs the rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from fallline.errors import InputError


def _no_gradient(p: Tensor) -> Tensor:
    raise InputError(
        "This rule asks for a further gradient (`now.gradient`), which needs the model's loss: "
        "pass a closure to `optimizer.step(closure)`."
    )


class Due(Protocol):
    """Whether something is due that is done every k steps."""

    def __call__(self, k: int, first: int = 1) -> bool: ...


@dataclass(frozen=True)
class Now:
    """The present moment of a step.

    `t` counts the updates of this parameter, 1 at the first. `total(x)` is the sum of x over the whole model.
    `gradient(p)` is the loss's gradient at other weights, counted as an evaluation. `noise(p)` is standard
    normal noise shaped like p. `due(k)` is a Python bool, true at the optimizer's first step and every k
    steps after it, whichever parameters take part; `due(k, first=k)` is true at the k-th step first.
    All of them may be called any number of times.
    """

    t: Any
    total: Callable[[Tensor], Tensor]
    noise: Callable[[Tensor], Tensor]
    due: Due
    gradient: Callable[[Tensor], Tensor] = _no_gradient
