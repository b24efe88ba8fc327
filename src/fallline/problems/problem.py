"""A problem: what is trained and how well it does. It knows nothing of rules."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from fallline.arguments import by_name, check, whole
from fallline.errors import InputError, shown
from fallline.problems.copied import copied

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Problem:
    """A model, its loss, its data, its metrics and its factors.

    `model` is a class or a callable without arguments, run once per seed; it also receives the `factors` (name ->
    default value) that a study can vary, such as hidden sizes, a dropout rate, BatchNorm on or off. An `nn.Module`
    instance means these weights for every seed. A factor that the loss takes and the model does not goes to the loss,
    in training alone; `label_smoothing` is one of any loss that takes it, torch's cross-entropy for instance.

    `loss(output, target)` gets what the model makes of the inputs; a loss whose first parameter is called `model`
    is `loss(model, batch)`, for models with several inputs or dict batches. It returns the mean over the batch.
    `metrics` have the same form as the loss, and are means over the batch too; their names say whether less is better
    (`mae`, `..._error`) or more (`accuracy`, `..._score`).

    `train`, `validation` and `test` are tensors or NumPy arrays (a tuple of inputs and target, or a dict), a
    map-style `Dataset`, or a `DataLoader`, whose own batches, order and workers are kept. `validation` may be the
    fraction of the training data to hold out; None means a fifth where the data can be split. Floating NumPy
    arrays become torch's default dtype. `target` is the condition whose first step is reported.

    `batch_size` and `epochs` are what a training takes where none are asked for (None: 64 rows, 10 epochs). With
    `drop_last` the rows of an epoch that do not fill a batch are left out of it, in every order others; an epoch
    is so many full batches as there are. A DataLoader says so itself.

    >>> import torch
    >>> x = torch.linspace(-1, 1, 100)[:, None]
    >>> line = Problem(
    ...     model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.functional.mse_loss, train=(x, 2 * x), name="line"
    ... )
    >>> line.name
    'line'
    """

    model: Callable[..., nn.Module] | nn.Module
    loss: Loss
    train: Any
    validation: Any = None
    test: Any = None
    metrics: Mapping[str, Loss] = field(default_factory=dict)
    factors: Mapping[str, Any] = field(default_factory=dict)
    name: str = "problem"
    target: str | None = None
    batch_size: int | None = None
    epochs: int | None = None
    drop_last: bool = False

    def __post_init__(self) -> None:
        check("name", self.name, str, "text")
        check("target", self.target, str | None, "a condition such as 'test_accuracy>=0.97'")
        for name in ("batch_size", "epochs"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), 1)
        check("drop_last", self.drop_last, bool, "true or false")
        by_name("metrics", self.metrics, "{'accuracy': fallline.problems.accuracy}")
        by_name("factors", self.factors, "{'dropout': 0.0}")
        if not callable(self.model):
            raise InputError(
                f"Problem {self.name!r}: model must be a class or callable that makes an nn.Module; "
                f"got {shown(self.model)}."
            )
        if not callable(self.loss):
            raise InputError(
                f"Problem {self.name!r}: loss must be callable, such as torch.nn.functional.cross_entropy; "
                f"got {shown(self.loss)}."
            )
        for name, metric in self.metrics.items():
            if name == "loss" or not name.isidentifier():
                raise InputError(
                    f"Problem {self.name!r}: a metric's name must be an identifier, not 'loss'; got {shown(name)}."
                )
            if not callable(metric):
                raise InputError(f"Problem {self.name!r}: metric {name!r} must be callable; got {shown(metric)}.")

    def make_model(self, factors: Mapping[str, Any] | None = None) -> nn.Module:
        """A new model with given factors; initial weights come from torch's global generator, or the instance's."""
        if isinstance(self.model, nn.Module):
            return copied(self.model)
        chosen = {name: (factors or {}).get(name, default) for name, default in self.factors.items()}
        of_loss = self.loss_factors(chosen)
        model = self.model(**{name: value for name, value in chosen.items() if name not in of_loss})
        if not isinstance(model, nn.Module):
            raise InputError(f"Problem {self.name!r}: model() must return an nn.Module; got {type(model).__name__}.")
        return model

    def all_factors(self) -> dict[str, Any]:
        """Every factor that can be varied with its default: those declared, and what the loss offers by itself."""
        offered = {name: default for name, default in OF_THE_LOSS.items() if _loss_takes(self.loss, name)}
        return {**offered, **self.factors}

    def loss_factors(self, factors: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some factors that go to the loss: it takes them, and the model does not."""
        model = {} if isinstance(self.model, nn.Module) else parameters(self.model)
        known = self.all_factors()
        return {
            name: value
            for name, value in factors.items()
            if name in known and name not in model and _loss_takes(self.loss, name)
        }


OF_THE_LOSS: Mapping[str, Any] = {"label_smoothing": 0.0}
"""Factors that need no declaration where the loss takes them, with their defaults."""


def parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The parameters that a callable can be given by name; none where it does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _loss_takes(loss: Callable[..., Any], name: str) -> bool:
    return hasattr(loss, name) if isinstance(loss, nn.Module) else name in parameters(loss)
