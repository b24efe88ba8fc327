"""The norm of a layer's gradients, weights or updates."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fallline.diagnostics.layers import layers


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of tensors of any shapes taken together, a 0-d tensor; NaN where there are none.

    Squares are summed in float64, so a float32 gradient of 1e-30 has a norm too, and one of 1e30 a finite one.

    >>> norm([torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])])
    tensor(5., dtype=torch.float64)
    """
    parts = [torch.linalg.vector_norm(plain(x), dtype=accumulator(x)) for x in tensors]
    return torch.linalg.vector_norm(torch.stack(parts)) if parts else torch.tensor(torch.nan, dtype=torch.float64)


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


def accumulator(x: Tensor) -> torch.dtype:
    """The type to sum in: float64, or float32 on the one kind of device that has no float64."""
    return torch.float32 if x.device.type == "mps" else torch.float64
