"""The confusion matrix of a classifier."""

import torch
from torch import Tensor, nn

from fallline.problems import Prepared
from fallline.problems.objective import split, takes_model


def confusion(model: nn.Module, problem: Prepared) -> tuple[Tensor, str] | None:
    """How often each class, a row, was taken for each other, a column: int64 (classes, classes), and the split.

    On test data, else validation data; None without either, and for what is no classification: targets that are not
    class numbers beside outputs (rows, classes, ...), or a loss of the form loss(model, batch). Targets outside the
    classes, such as an `ignore_index`, are left out.
    """
    name = next((name for name in ("test", "validation") if name in problem.evaluated), None)
    if name is None or takes_model(problem.problem.loss):
        return None
    counts: Tensor | None = None
    with torch.no_grad():
        for batch in problem.evaluated[name].in_order():
            inputs, target = split(batch)
            output = model(*inputs)
            if not _classifies(problem, output, target):
                return None
            classes = output.shape[1]
            known = (target >= 0) & (target < classes)
            cells = target[known].long() * classes + output.argmax(dim=1)[known]
            found = torch.bincount(cells, minlength=classes * classes).reshape(classes, classes)
            counts = found if counts is None else counts + found
    return None if counts is None else (counts.cpu(), name)


def _classifies(problem: Prepared, output: object, target: object) -> bool:
    if not (isinstance(output, Tensor) and isinstance(target, Tensor)):
        return False
    numbered = not target.is_floating_point() and target.dtype is not torch.bool
    return numbered and output.dim() == target.dim() + 1 and output.shape[1] > 1 and output.shape[0] == target.shape[0]
