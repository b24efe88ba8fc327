"""Numbers that are no longer numbers."""

from collections.abc import Iterable

import torch
from torch import Tensor


def count_nonfinite(tensors: Iterable[Tensor]) -> int:
    """How many values are NaN or infinite.

    >>> count_nonfinite([torch.tensor([1.0, torch.nan]), torch.tensor(-torch.inf)])
    2
    """
    return sum(int((~torch.isfinite(x.detach())).sum()) for x in tensors)
