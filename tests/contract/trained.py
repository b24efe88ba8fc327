"""Every exported rule on small parameters that it takes, and gradients for them."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.optim import Optimizer
from fallline.randomness import numpy_stream
from fallline.rules import Rule
from tests.conformance.variants import EXPORTED

RULES = pytest.mark.parametrize("rule", [made() for made in EXPORTED.values()], ids=EXPORTED.keys())
ELEMENTWISE = [made() for made in EXPORTED.values() if made().acts_on == "element"]
ON_ELEMENTS = pytest.mark.parametrize("rule", ELEMENTWISE, ids=[type(rule).__name__ for rule in ELEMENTWISE])
SHAPES = [(4, 3), (3, 5)]


def drawn(purpose: str, position: int, step: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A keyed standard normal tensor."""
    parts = [numpy_stream(7, purpose, position, 2 * step + i).standard_normal(shape) for i in range(2)]
    return torch.as_tensor(parts[0] + 1j * parts[1] if dtype.is_complex else parts[0]).to(dtype)


def parameters(dtype: torch.dtype = torch.float64, shapes: Sequence[tuple[int, ...]] = tuple(SHAPES)) -> list[Tensor]:
    """Starting weights, the same at every call."""
    return [drawn("start", i, 0, shape, dtype).requires_grad_() for i, shape in enumerate(shapes)]


def set_gradients(params: Sequence[Tensor], step: int) -> None:
    """The gradients of a step."""
    for i, p in enumerate(params):
        p.grad = drawn("gradient", i, step, tuple(p.shape), p.dtype)


def train(optimizer: Any, params: Sequence[Tensor], steps: range) -> None:
    """Some steps, counted through."""
    for step in steps:
        set_gradients(params, step)
        optimizer.step()


def trained(rule: Rule, steps: int = 3, dtype: torch.dtype = torch.float64, **given: Any) -> tuple[Any, list[Tensor]]:
    """An optimizer of named parameters after some steps, and its parameters."""
    params = parameters(dtype)
    optimizer = Optimizer([(f"layer{i}.weight", p) for i, p in enumerate(params)], rule, **given)
    train(optimizer, params, range(steps))
    return optimizer, params


def copies(params: Sequence[Tensor]) -> list[Tensor]:
    """The same weights as parameters of their own."""
    return [p.detach().clone().requires_grad_() for p in params]


def same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    """Whether all are equal, bit for bit."""
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
