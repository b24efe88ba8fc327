"""Four points on a line, and the models and visiting orders that `nonzero` trains with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fallline.problems import Problem

FEATURES = (0.0, 1.0, 2.0, 3.0)


class Line(nn.Module):
    """y = w x + b from w = 2 and b = 0; without a bias y = w x; with a jump 0.1 more where that is at least 3."""

    def __init__(self, bias: bool = False, jump: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor([0.0], dtype=torch.float32)) if bias else None
        self.jump = jump

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for a column of features."""
        y = self.weight * x
        if self.bias is not None:
            y = y + self.bias
        return torch.where(y >= 3, y + 0.1, y) if self.jump else y


def four_points(labels: Sequence[float], visits: str | None = None, bias: bool = False, jump: bool = False) -> Problem:
    """The problem; `visits` such as "2031 1032" fixes the order in which samples are seen, as one long epoch."""
    order = list(range(len(FEATURES))) if visits is None else [int(i) for i in visits.replace(" ", "")]
    x = torch.tensor(FEATURES, dtype=torch.float32)[order, None]
    y = torch.tensor(labels, dtype=torch.float32)[order, None]
    return Problem(
        model=lambda: Line(bias, jump),
        loss=squared_error,
        train=(x, y) if visits is None else DataLoader(TensorDataset(x, y), batch_size=1, shuffle=False),
        metrics={"weight": weight_of, **({"bias": bias_of} if bias else {})},
        name="four-points",
    )


def squared_error(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The mean squared error, not halved."""
    x, y = batch
    error: Tensor = model(x) - y
    return (error**2).mean()


def weight_of(model: Line, batch: object) -> Tensor:
    """The present weight, so that the curve records it."""
    return model.weight.squeeze()


def bias_of(model: Line, batch: object) -> Tensor:
    """The present bias."""
    assert model.bias is not None
    return model.bias.squeeze()
