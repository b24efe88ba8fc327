"""A problem's loss and metrics in one form: functions of a model and a batch."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from fallline.errors import InputError
from fallline.problems.problem import Problem


class Objective:
    """What is minimised, and what is reported beside it."""

    def __init__(self, problem: Problem, device: torch.device) -> None:
        loss = problem.loss
        self._loss = copy.deepcopy(loss).to(device) if isinstance(loss, nn.Module) else loss
        self._metrics = dict(problem.metrics)
        self._takes_model = takes_model(problem.loss)

    @property
    def names(self) -> list[str]:
        """The quantities that `measure` returns."""
        return ["loss", *self._metrics]

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """The loss of one batch, a 0-d tensor."""
        if self._takes_model:
            return self._loss(model, batch)  # type: ignore[no-any-return]
        inputs, target = split(batch)
        return self._loss(model(*inputs), target)  # type: ignore[no-any-return]

    def measure(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """The loss and every metric of one batch, in the order of `names`."""
        if self._takes_model:
            return [self._loss(model, batch), *(metric(model, batch) for metric in self._metrics.values())]
        inputs, target = split(batch)
        output = model(*inputs)
        return [self._loss(output, target), *(metric(output, target) for metric in self._metrics.values())]


def takes_model(loss: Callable[..., Any]) -> bool:
    """Whether a loss has the form `loss(model, batch)`: its first parameter is called `model`."""
    function = loss.forward if isinstance(loss, nn.Module) else loss
    try:
        parameters: Mapping[str, Any] = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return next(iter(parameters), None) == "model"


def split(batch: Any) -> tuple[tuple[Any, ...], Any]:
    """Inputs and target of a batch for losses of the form `loss(output, target)`."""
    if isinstance(batch, list | tuple) and len(batch) >= 2:
        return tuple(batch[:-1]), batch[-1]
    raise InputError(
        f"loss(output, target) needs batches of (input, ..., target); got {describe(batch)}. "
        "For other batches write loss(model, batch)."
    )


def rows(batch: Any) -> int:
    """The number of rows of a batch: the length of its first tensor."""
    for leaf in tree_leaves(batch):
        if isinstance(leaf, Tensor) and leaf.dim():
            return len(leaf)
    raise InputError(f"A batch needs at least one tensor with rows; got {describe(batch)}.")


def describe(x: Any) -> str:
    """A short picture of a batch or output, for messages."""
    if isinstance(x, Tensor):
        return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{name}: {describe(value)}" for name, value in x.items()) + "}"
    if isinstance(x, list | tuple):
        return "(" + ", ".join(describe(value) for value in x) + ")"
    return type(x).__name__


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """The fraction of rows whose largest output is the target class: output (rows, classes, ...), target (rows, ...).

    >>> import torch
    >>> float(accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0])))
    0.5
    """
    return (output.argmax(dim=1) == target).double().mean()


def half_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """The mean of (output - target)^2 / 2."""
    return ((output - target.reshape(output.shape)) ** 2).mean() / 2
