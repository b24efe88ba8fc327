"""Measuring a model on a source of data."""

import torch
from torch import Tensor, nn

from fallline.modes import modes_kept
from fallline.problems.kept import Evaluated
from fallline.problems.objective import Objective, rows


@torch.no_grad()
def evaluate(model: nn.Module, objective: Objective, data: Evaluated) -> dict[str, float]:
    """Loss and metrics over all rows, weighted by the rows of each batch; the model's mode is put back."""
    totals: list[Tensor] | None = None
    count = 0
    with modes_kept(model):
        model.eval()
        for batch in data.in_order():
            size = rows(batch)
            values = [torch.as_tensor(value).double() * size for value in objective.measure(model, batch)]
            totals = values if totals is None else [total + value for total, value in zip(totals, values, strict=True)]
            count += size
    assert totals is not None
    return {name: float(total) / count for name, total in zip(objective.names, totals, strict=True)}
