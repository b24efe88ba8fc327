"""The path of a rule on a surface of two variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from fallline.arguments import check, whole
from fallline.errors import WrongArgument, shown
from fallline.optim import Optimizer
from fallline.problems import Surface, surface
from fallline.rules import Rule


def trace(
    on: str | Surface, rule: Rule, start: Sequence[float] | None = None, steps: int = 20
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """The points (x1, x2) that a rule visits in float64: an array of shape (steps + 1, 2).

    `start` defaults to the surface's own. A path that leaves the finite numbers goes on as NaN or infinity.

    >>> from fallline.rules import SGD
    >>> trace("quadratic", SGD(lr=0.1), start=(-5, -2), steps=1).round(6).tolist()
    [[-5.0, -2.0], [-4.9, -1.2]]
    """
    where = on if isinstance(on, Surface) else surface(on)
    begin = where.start if start is None else start
    check("rule", rule, Rule, "a rule with its values, such as fallline.rules.SGD(lr=0.1)")
    whole("steps", steps, 1)
    p = _point(begin).requires_grad_()
    optimizer = Optimizer([p], rule, executor="reference")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = where.function(p[0], p[1])
        value.backward()  # type: ignore[no-untyped-call]
        return value

    path = [p.detach().numpy().copy()]
    for _ in range(steps):
        optimizer.step(closure)
        path.append(p.detach().numpy().copy())
    return np.stack(path)


def _point(given: Any) -> torch.Tensor:
    try:
        point = torch.as_tensor(given, dtype=torch.float64).detach().clone()
    except (TypeError, ValueError, RuntimeError):
        point = torch.empty(0)
    if point.shape != (2,) or not bool(torch.isfinite(point).all()):
        raise WrongArgument(("start", f" must be two finite numbers x1,x2; got {shown(given)}"))
    return point
