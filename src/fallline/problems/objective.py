"""A problem's loss and metrics in one form: functions of a model and a batch."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from fallline.errors import InputError
from fallline.problems.problem import Problem, parameters


class Objective:
    """What is minimised, and what is reported beside it.

    `factors` are those of a training: the loss gets the ones it takes (`label_smoothing`). Evaluations use an
    objective without, so that all trainings are measured alike.
    """

    def __init__(self, problem: Problem, device: torch.device, factors: Mapping[str, Any] | None = None) -> None:
        self._problem = problem
        self._device = device
        self._loss = _with_factors(problem.loss, device, problem.loss_factors(factors or {}))
        self._metrics = dict(problem.metrics)
        self._takes_model = takes_model(problem.loss)

    def under(self, factors: Mapping[str, Any]) -> "Objective":
        """The objective that a training with these factors minimises; a loss that is a module is the training's own, as
        it may have state.
        """
        own = bool(self._problem.loss_factors(factors)) or isinstance(self._problem.loss, nn.Module)
        return Objective(self._problem, self._device, factors) if own else self

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """The loss and the metrics as they are called, by what messages call them."""
        return {"loss": self._loss, **{f"metric {name}": function for name, function in self._metrics.items()}}

    @property
    def names(self) -> list[str]:
        """The quantities that `measure` returns."""
        return ["loss", *self._metrics]

    def arguments(self, model: nn.Module, batch: Any) -> tuple[Any, Any]:
        """What loss and metrics are called with: (model, batch), or (output, target)."""
        if self._takes_model:
            return model, batch
        inputs, target = split(batch)
        return model(*inputs), target

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """The loss of one batch, a 0-d tensor."""
        return self._loss(*self.arguments(model, batch))  # type: ignore[no-any-return]

    def measure(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """The loss and every metric of one batch, in the order of `names`."""
        arguments = self.arguments(model, batch)
        return [self._loss(*arguments), *(metric(*arguments) for metric in self._metrics.values())]


def takes_model(loss: Callable[..., Any]) -> bool:
    """Whether a loss has the form `loss(model, batch)`: its first parameter is called `model`."""
    return first_parameter(loss) == "model"


def first_parameter(loss: Callable[..., Any]) -> str | None:
    """The name of a loss's first parameter, which decides how it is called; None where it does not tell."""
    return next(iter(parameters(loss.forward if isinstance(loss, nn.Module) else loss)), None)


def _with_factors(loss: Callable[..., Any], device: torch.device, factors: Mapping[str, Any]) -> Callable[..., Any]:
    if isinstance(loss, nn.Module):
        own = copy.deepcopy(loss).to(device)
        for name, value in factors.items():
            setattr(own, name, value)
        return own
    return partial(loss, **factors) if factors else loss


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
