"""Sharpness: the largest eigenvalue of the loss's Hessian."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fallline.diagnostics.batch_loss import Loss, batch_loss, trainable
from fallline.diagnostics.undisturbed import undisturbed
from fallline.errors import InputError
from fallline.randomness import numpy_stream, torch_stream

Product = Callable[[Tensor], Tensor]

VECTORS = 20
"""How many vectors as long as the weights the Lanczos method keeps between restarts."""


@dataclass(frozen=True)
class Sharpness:
    """The largest eigenvalue of the Hessian; NaN where it was not reached, or the loss is not finite.

    `residual` is |H v - eigenvalue v| / |eigenvalue| for the eigenvector v of length 1 that was found: an eigenvalue
    of H lies within that relative distance. `products` counts the Hessian-vector products that it took.
    """

    eigenvalue: float
    residual: float
    products: int


def sharpness(
    model: nn.Module, loss: Loss, batch: Any, iterations: int = 10, tolerance: float = 1e-3, seed: int = 0
) -> Sharpness:
    """The largest (not the largest in size) eigenvalue of the Hessian of a batch's loss, by the Lanczos method.

    Gradient descent on this loss is stable only for lr < 2 / eigenvalue. `loss(model, batch)` returns a 0-d tensor;
    Hessian-vector products go through autograd twice, and no matrix is formed. The method (ARPACK's, with implicit
    restarts) ends when the residual is below about `tolerance`, or after `iterations` restarts of up to 20 products.
    The start vector is keyed by `seed`, so the same call gives the same figure.

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
        found = _judged(product, start / start.norm(), 1)
        # What ARPACK cannot do: a single weight, a Hessian of zeros; and what it need not try.
        if len(start) == 1 or found.residual == 0 or not math.isfinite(found.eigenvalue):
            return found
        return _lanczos(product, start, iterations, tolerance, seed)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([x.reshape(-1) for x in tensors])


def _hessian(gradient: Tensor, parameters: Sequence[Tensor]) -> Product:
    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the weights
            return torch.zeros_like(v)
        return _flat(torch.autograd.grad(gradient, parameters, v, retain_graph=True, materialize_grads=True))

    return product


def _lanczos(product: Product, start: Tensor, iterations: int, tolerance: float, seed: int) -> Sharpness:
    # Here, because it takes a third of a second to import.
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    products = 0
    floating = torch.promote_types(start.dtype, torch.float32)

    def image(v: Any) -> Any:
        nonlocal products
        products += 1
        return product(torch.from_numpy(v).reshape(-1).to(start)).to("cpu", floating).numpy()

    first = start.to("cpu", floating).numpy()
    hessian = LinearOperator((len(first), len(first)), matvec=image, dtype=first.dtype)
    vectors = min(VECTORS, len(first))
    # SciPy 1.17 and later draw from it where the vectors reached span all that the Hessian makes of the first.
    drawn = {"rng": numpy_stream(seed, "sharpness")} if "rng" in inspect.signature(eigsh).parameters else {}
    try:
        _, found = eigsh(hessian, 1, which="LA", v0=first, ncv=vectors, maxiter=iterations, tol=tolerance, **drawn)
    except ArpackError:
        return Sharpness(math.nan, math.inf, products)
    return _judged(product, torch.from_numpy(found[:, 0]).to(start), products + 1)


def _judged(product: Product, v: Tensor, products: int) -> Sharpness:
    """The eigenvalue of a vector of length 1, and how far the vector is from having one."""
    image = product(v)
    eigenvalue = float(v.dot(image))
    distance = float((image - eigenvalue * v).norm())
    residual = distance / abs(eigenvalue) if eigenvalue else (math.inf if distance else 0.0)
    return Sharpness(eigenvalue, residual, products)
