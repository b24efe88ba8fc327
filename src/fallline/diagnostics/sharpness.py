"""Sharpness: the largest eigenvalue of the loss's Hessian."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fallline.diagnostics.batch_loss import Loss, batch_loss, trainable
from fallline.diagnostics.undisturbed import undisturbed
from fallline.errors import InputError
from fallline.randomness import torch_stream

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sharpness:
    """An eigenvalue of the Hessian as far as it was found.

    `residual` is |H v - eigenvalue v| / |eigenvalue| for the vector v of length 1 that was reached: an eigenvalue of
    H lies within that relative distance. `products` counts the Hessian-vector products that it took.
    """

    eigenvalue: float
    residual: float
    products: int


def sharpness(
    model: nn.Module, loss: Loss, batch: Any, iterations: int = 100, tolerance: float = 1e-3, seed: int = 0
) -> Sharpness:
    """The largest (not the largest in size) eigenvalue of the Hessian of a batch's loss, by power iteration.

    Gradient descent on this loss is stable only for lr < 2 / eigenvalue. `loss(model, batch)` returns a 0-d tensor;
    Hessian-vector products go through autograd twice, and no matrix is formed. Iteration ends when the residual is
    below `tolerance`, or after `iterations` products. Power iteration finds the eigenvalue of largest size; where
    that is a negative one, the Hessian is shifted by its size and the iteration run once more, with as many products
    again. The start vector is keyed by `seed`, so the same call gives the same figure.

    The model's mode, gradients and buffers and the random state are as before afterwards. Raises InputError for a
    loss that is no 0-d tensor.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> def loss(model, batch):  # Hessian: diagonal 1, 6
    ...     return (batch * model.weight**2).sum() / 2
    >>> round(sharpness(model, loss, torch.tensor([1.0, 6.0])).eigenvalue, 3)
    6.0
    """
    if iterations < 1:
        raise InputError(f"sharpness: iterations must be 1 or more; got {iterations}.")
    parameters = trainable(model)
    # Attention's fused kernels have no second derivative.
    with undisturbed(model, "sharpness", seed), sdpa_kernel(SDPBackend.MATH):
        value = batch_loss(model, loss, batch)
        gradient = _flat(torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True))
        product = _hessian(gradient, parameters)
        start = torch.randn(len(gradient), generator=torch_stream(seed, "sharpness")).to(gradient)
        found, v, size = _iterate(product, 0.0, start, iterations, tolerance)
        if (found.eigenvalue < 0 or found.residual > tolerance) and math.isfinite(size):
            again, _, _ = _iterate(product, size, v if found.eigenvalue > 0 else start, iterations, tolerance)
            found = replace(again, products=found.products + again.products)
    return found


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([x.reshape(-1) for x in tensors])


def _hessian(gradient: Tensor, parameters: Sequence[Tensor]) -> Product:
    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the weights
            return torch.zeros_like(v)
        return _flat(torch.autograd.grad(gradient, parameters, v, retain_graph=True, materialize_grads=True))

    return product


def _iterate(
    product: Product, shift: float, v: Tensor, iterations: int, tolerance: float
) -> tuple[Sharpness, Tensor, float]:
    """Power iteration on H + shift: what was found for H, the last vector, and |(H + shift) v|."""
    for products in range(1, iterations + 1):  # noqa: B007
        v = v / v.norm()
        image = product(v)
        eigenvalue = float(v.dot(image))
        distance = float((image - eigenvalue * v).norm())
        residual = distance / abs(eigenvalue) if eigenvalue else (math.inf if distance else 0.0)
        moved = image + shift * v
        size = float(moved.norm())
        if not residual > tolerance or size == 0:
            break
        v = moved
    return Sharpness(eigenvalue, residual, products), v, size
