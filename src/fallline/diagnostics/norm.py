"""The norm of a layer's gradients, weights or updates."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from fallline.diagnostics.layers import layers

SAFE = (1e-12, 1e15)
"""Norms within which float32 holds the squares of what matters; outside they are summed again in float64."""


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of tensors of any shapes taken together, NaN where there are none: a 0-d float64 CPU tensor.

    A float32 gradient of 1e-30, whose square float32 cannot hold, has a norm too, and one of 1e30 a finite one.

    >>> norm([torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])])
    tensor(5., dtype=torch.float64)
    """
    tensors = [plain(x) for x in tensors]
    if not tensors:
        return torch.tensor(torch.nan, dtype=torch.float64)
    total = _norm(tensors, torch.float32)
    return total if is_safe(total) else _norm(tensors, torch.float64)


def is_safe(size: Tensor) -> bool:
    """Whether a norm is such that float32 holds the squares behind it."""
    return bool(SAFE[0] < size < SAFE[1])


def _norm(tensors: Sequence[Tensor], least: torch.dtype) -> Tensor:
    if tensors[0].device.type == "mps":  # which has no float64
        tensors = [x.cpu() for x in tensors]
    parts = [torch.linalg.vector_norm(x, dtype=torch.promote_types(x.dtype, least)) for x in tensors]
    total: Tensor = torch.linalg.vector_norm(torch.stack([part.cpu().double() for part in parts]))
    return total


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of each layer's gradient as it stands after `loss.backward()`; NaN where a layer has none.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> model(torch.tensor([[3.0, 4.0]])).sum().backward()
    >>> gradient_norms(model)
    {'Linear': 5.0}
    """
    return {name: float(norm(p.grad for p in own if p.grad is not None)) for name, own in layers(model).items()}


def weight_norms(model: nn.Module) -> dict[str, float]:
    """The norm of each layer's own parameters, biases included."""
    return {name: float(norm(own)) for name, own in layers(model).items()}


def plain(x: Tensor) -> Tensor:
    """The numbers of a tensor, outside of any graph: a sparse one made dense, a complex one as pairs of reals."""
    x = x.detach()
    if x.layout != torch.strided:
        x = x.to_dense()
    return torch.view_as_real(x) if x.is_complex() else x
