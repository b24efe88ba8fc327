"""`linear`: a linear regression whose true weights are known."""

import torch
from torch import nn

from fallline.problems.objective import half_squared_error
from fallline.problems.problem import Problem

TRUE_WEIGHT = (2.0, -3.4)
TRUE_BIAS = 4.2


def linear(rows: int = 1000, noise: float = 0.01, data_seed: int = 20) -> Problem:
    """y = 2 x1 - 3.4 x2 + 4.2 + noise * N(0, 1) with x ~ N(0, 1); a linear model from w ~ N(0, 0.01^2), b = 0.

    Inputs, noise and initial weights are drawn in this order, in float32, from one torch generator with
    `data_seed`, so every training starts from the same weights. The loss is half the squared error.

    >>> [round(w, 4) for w in linear().make_model().weight[0].tolist()]
    [0.0033, 0.0007]
    """
    generator = torch.Generator().manual_seed(data_seed)
    x = torch.normal(0, 1, (rows, 2), generator=generator, dtype=torch.float32)
    y = x @ torch.tensor([TRUE_WEIGHT]).T + TRUE_BIAS
    y = y + torch.normal(0, noise, y.shape, generator=generator, dtype=torch.float32)
    weight = torch.normal(0, 0.01, (2, 1), generator=generator, dtype=torch.float32).T.contiguous()

    def model() -> nn.Module:
        start = nn.Linear(2, 1, dtype=torch.float32)
        with torch.no_grad():
            start.weight.copy_(weight)
            start.bias.zero_()
        return start

    return Problem(model=model, loss=half_squared_error, train=(x, y), name="linear")
