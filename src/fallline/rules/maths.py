"""The words that formulas are written in: safe for one tensor, a list of tensors, and under vmap.

Hyperparameters may be Python floats or 0-d float64 tensors; `lerp`, `addcmul` and `clamp` raise or promote
with the latter, these words do not.
"""

from typing import Any

import torch
from torch import Tensor, maximum, sqrt, zeros_like
from torch.overrides import handle_torch_function, has_torch_function

__all__ = [
    "clip",
    "debias",
    "ema",
    "machine_epsilon",
    "maximum",
    "number",
    "shrink",
    "sqrt",
    "squared_norm",
    "where",
    "widened",
    "zeros_like",
]


def ema(average: Tensor, x: Tensor, decay: float) -> Tensor:
    """The exponential moving average after one more value x."""
    return decay * average + (1 - decay) * x


def debias(average: Tensor, decay: float, t: float) -> Tensor:
    """An exponential moving average that began at 0, corrected for having seen only t values."""
    seen: float = 1 - decay**t
    return average / seen


def number(p: Tensor, value: float) -> Tensor:
    """One number that a parameter's state holds, 0-d; as torch's it is float64 where that is the default type, else
    float32, whatever p has: an average in bfloat16 would not move.
    """
    dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    return (torch.zeros((), dtype=dtype, device=p.device) + value).to(dtype)


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
    wide = widened(x)
    return (wide * wide).sum()


def widened(x: Tensor) -> Tensor:
    """x, in single precision where it is in half."""
    if has_torch_function((x,)):
        return handle_torch_function(widened, (x,), x)
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def machine_epsilon(x: Tensor) -> float:
    """The distance from 1 to the next number of x's type."""
    if has_torch_function((x,)):
        return handle_torch_function(machine_epsilon, (x,), x)
    return torch.finfo(x.dtype).eps


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
