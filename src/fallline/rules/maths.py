"""The words that formulas are written in: safe for one tensor, a list of tensors, and under vmap.

Hyperparameters may be Python floats or 0-d float64 tensors; `lerp`, `addcmul` and `clamp` raise or promote
with the latter, these words do not.
"""

from typing import Any

import torch
from torch import Tensor, maximum, sqrt, zeros_like
from torch.overrides import handle_torch_function, has_torch_function

__all__ = ["clip", "debias", "ema", "maximum", "shrink", "sqrt", "squared_norm", "where", "zeros_like"]


def ema(average: Tensor, x: Tensor, decay: float) -> Tensor:
    """The exponential moving average after one more value x."""
    return decay * average + (1 - decay) * x


def debias(average: Tensor, decay: float, t: float) -> Tensor:
    """An exponential moving average that began at 0, corrected for having seen only t values."""
    seen: float = 1 - decay**t
    return average / seen


def clip(x: Tensor, limit: float) -> Tensor:
    """Each element of x moved into [-limit, limit]; NaN stays NaN."""
    clipped: Tensor = where(x > limit, limit, where(x < -limit, -limit, x))
    return clipped


def shrink(x: Tensor, amount: float) -> Tensor:
    """Each element of x moved towards 0 by `amount`, stopping at 0 (the proximal step of L1)."""
    return torch.sign(x) * torch.relu(torch.abs(x) - amount)


def squared_norm(x: Tensor) -> Tensor:
    """The sum of the squares of x; half precision, which overflows and drowns small terms, is summed in single."""
    if has_torch_function((x,)):
        return handle_torch_function(squared_norm, (x,), x)
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return (wide * wide).sum()


def where(condition: Any, this: Any, other: Any) -> Any:
    """`this` where the condition holds, `other` elsewhere; numbers keep double precision."""
    if has_torch_function((condition, this, other)):
        return handle_torch_function(where, (condition, this, other), condition, this, other)
    if isinstance(condition, bool):
        return this if condition else other
    shaped = next((x for x in (this, other) if isinstance(x, Tensor) and x.dim()), None)
    dtype = torch.float64 if shaped is None else shaped.dtype
    return torch.where(condition, _as(this, dtype), _as(other, dtype))


def _as(x: Any, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if isinstance(x, Tensor) else torch.full((), x, dtype=dtype)
