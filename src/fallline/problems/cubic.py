"""`cubic`: a noisy cubic, the small regression on which optimizers are often shown."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import mse_loss

from fallline.problems.models import hidden_sizes, mlp
from fallline.problems.problem import Problem
from fallline.randomness import torch_stream


def cubic(hidden: str | int | Sequence[int] = "20", rows: int = 1500, noise: float = 0.1) -> Problem:
    """y = x^3 + noise * N(0, 1) at `rows` points evenly in [-1, 1]; a 1-20-1 network with ReLU; squared error.

    The least loss that can be expected is noise^2. There are no test data.

    >>> cubic(rows=10).train[0].shape
    torch.Size([10, 1])
    """
    sizes = hidden_sizes(hidden)
    x = torch.linspace(-1, 1, rows)[:, None]
    y = x**3 + noise * torch.randn(x.shape, generator=torch_stream(0, "cubic noise"))

    def model(hidden: Any = sizes, dropout: float = 0.0, batch_norm: bool = False) -> nn.Module:
        return mlp((1, *hidden_sizes(hidden), 1), dropout=dropout, batch_norm=batch_norm)

    return Problem(
        model=model,
        loss=mse_loss,
        train=(x, y),
        factors={"hidden": "-".join(map(str, sizes)), "dropout": 0.0, "batch_norm": False},
        name="cubic",
    )
