"""What goes on inside a training, recorded at its evaluations."""

from typing import Any, Literal

import torch
from torch import nn
from torch.utils._pytree import tree_map

from fallline.diagnostics import Watch, noise_scale, sharpness
from fallline.errors import InputError, describe_failure
from fallline.problems.copied import copied
from fallline.problems.objective import Objective, rows
from fallline.problems.prepared import Prepared
from fallline.randomness import forked

Depth = Literal["none", "layers", "all"]
"""`layers`: norms, ratios, dead and saturated units, of the step before each evaluation. `all`: noise scale and
sharpness of a batch of training rows too, which cost many passes.
"""
ROWS = 256
"""How many rows noise scale and sharpness are measured on."""
PARTS = 8
"""Into how many small batches the noise scale cuts them."""


class Recording:
    """The diagnostics of one training; nothing in the training changes by it."""

    def __init__(
        self, depth: Depth, model: nn.Module, optimizer: torch.optim.Optimizer, objective: Objective, problem: Prepared
    ) -> None:
        self._watch = Watch(model, optimizer, every=None)
        self._model = model
        self._objective = objective
        self._batch = _first_rows(problem) if depth == "all" else None

    def coming(self) -> None:
        """The next step is the one before an evaluation."""
        self._watch.next_step()

    def row(self) -> dict[str, float]:
        """What an evaluation adds to the curve."""
        row = {name: values[-1] for name, values in self._watch.columns().items() if name != "step" and values}
        if self._batch is not None:
            row |= _costly(self._model, self._objective, self._batch)
        return row

    def close(self) -> None:
        """Take the hooks off."""
        self._watch.close()


def rehearse(model: nn.Module, objective: Objective, problem: Prepared) -> None:
    """Try what `all` adds on a copy of a model that is about to be trained.

    Raises InputError where noise scale or sharpness cannot be measured: too few training rows, or a loss without a
    second derivative.
    """
    batch = _first_rows(problem)
    with forked(problem.device):
        try:
            _costly(copied(model).train(), objective, batch)
        except Exception as error:
            told = str(error) if isinstance(error, InputError) else describe_failure(error)
            raise InputError(
                f"{problem.problem.name}: diagnostics 'all' cannot measure noise scale and sharpness on a batch of "
                f"{rows(batch)} training rows, which the noise scale cuts into {PARTS} parts: {told.rstrip('.')}. "
                "Give more training rows, or diagnostics 'layers'."
            ) from error


def _costly(model: nn.Module, objective: Objective, batch: Any) -> dict[str, float]:
    return {
        "noise_scale": noise_scale(model, objective.loss, batch, PARTS).value,
        "sharpness": sharpness(model, objective.loss, batch).eigenvalue,
    }


def _first_rows(problem: Prepared) -> Any:
    first = next(problem.train_part.in_order())
    return tree_map(lambda x: x[:ROWS] if isinstance(x, torch.Tensor) and x.dim() else x, first)
