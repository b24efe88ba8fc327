"""The size of an update against the size of the weights."""

from collections.abc import Sequence

from torch import Tensor

from fallline.diagnostics.norm import norm


def update_ratio(update: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The norm of a layer's update over the norm of the weights before it, a 0-d tensor.

    Around 1e-3 is usual; infinite where the weights are all 0, NaN where the update is 0 too.

    >>> import torch
    >>> update_ratio([torch.tensor([0.3, 0.4])], [torch.tensor([3.0, 4.0])])
    tensor(0.1000, dtype=torch.float64)
    """
    return norm(update) / norm(weights)
