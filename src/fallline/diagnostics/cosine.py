"""The direction of an update against that of the gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fallline.diagnostics.norm import norm, plain


def cosine(update: Sequence[Tensor], gradient: Sequence[Tensor]) -> Tensor:
    """The cosine of the angle between what was subtracted from the weights and their gradient, a 0-d tensor.

    The tensors of both are taken together, in the same order. 1 is straight downhill, as plain gradient descent
    goes; momentum and scaling turn away from it, and below 0 the update climbs. NaN where either is 0.

    >>> import torch
    >>> cosine([torch.tensor([0.1, 0.1])], [torch.tensor([2.0, 0.0])])
    tensor(0.7071, dtype=torch.float64)
    """
    update_norm, gradient_norm = norm(update), norm(gradient)
    # Scaled to length 1 first: the products of small float32 numbers would be 0.
    products = [(_wide(u) / update_norm).dot(_wide(g) / gradient_norm) for u, g in zip(update, gradient, strict=True)]
    if not products:
        return update_norm
    return torch.stack(products).sum(dtype=update_norm.dtype)


def _wide(x: Tensor) -> Tensor:
    x = plain(x).flatten()
    return x.to(torch.promote_types(x.dtype, torch.float32))
