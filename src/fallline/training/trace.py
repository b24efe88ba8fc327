"""The path of a rule on a surface of two variables."""

from collections.abc import Sequence

import numpy as np
import torch

from fallline.errors import InputError
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
    if len(begin) != 2 or not all(np.isfinite(begin)):
        raise InputError(f"start must be two finite numbers x1,x2; got {begin!r}.")
    if steps < 1:
        raise InputError(f"steps must be at least 1; got {steps}.")
    p = torch.tensor(begin, dtype=torch.float64, requires_grad=True)
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
