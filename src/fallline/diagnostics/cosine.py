"""The direction of an update against that of the gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fallline.diagnostics.norm import is_safe, norm, plain


def cosine(update: Sequence[Tensor], gradient: Sequence[Tensor]) -> Tensor:
    """The cosine of the angle between what was subtracted from the weights and their gradient, a 0-d tensor.

    The tensors of both are taken together, in the same order. 1 is straight downhill, as plain gradient descent
    goes; momentum and scaling turn away from it, and below 0 the update climbs. NaN where either is 0.

    >>> import torch
    >>> cosine([torch.tensor([0.1, 0.1])], [torch.tensor([2.0, 0.0])])
    tensor(0.7071, dtype=torch.float64)
    """
    update_norm, gradient_norm = norm(update), norm(gradient)
    if not update:
        return update_norm
    pairs = [(_flat(u), _flat(g)) for u, g in zip(update, gradient, strict=True)]
    if is_safe(update_norm) and is_safe(gradient_norm):
        return _sum([u.dot(g) for u, g in pairs]) / (update_norm * gradient_norm)
    # Products of small float32 numbers would be 0.
    return _sum([(u / update_norm).dot(g / gradient_norm) for u, g in pairs])


def _flat(x: Tensor) -> Tensor:
    x = plain(x).flatten()
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _sum(products: Sequence[Tensor]) -> Tensor:
    return torch.stack([product.cpu().double() for product in products]).sum()
