"""What goes on inside a training, recorded at its evaluations."""

from typing import Any, Literal

import torch
from torch import nn
from torch.utils._pytree import tree_map

from fallline.diagnostics import Watch, noise_scale, sharpness
from fallline.problems.objective import Objective
from fallline.problems.prepared import Prepared

Depth = Literal["none", "layers", "all"]
"""`layers`: norms, ratios, dead and saturated units, of the step before each evaluation. `all`: noise scale and
sharpness of a batch of training rows too, which cost many passes.
"""
ROWS = 256
"""How many rows noise scale and sharpness are measured on."""


class Recording:
    """The diagnostics of one training; nothing in the training changes by it."""

    def __init__(
        self, depth: Depth, model: nn.Module, optimizer: torch.optim.Optimizer, objective: Objective, problem: Prepared
    ) -> None:
        self._watch = Watch(model, optimizer, every=None)
        self._model = model
        self._objective = objective
        self._batch = _first_rows(next(problem.train_part.in_order())) if depth == "all" else None

    def coming(self) -> None:
        """The next step is the one before an evaluation."""
        self._watch.next_step()

    def row(self) -> dict[str, float]:
        """What an evaluation adds to the curve."""
        row = {name: values[-1] for name, values in self._watch.columns().items() if name != "step" and values}
        if self._batch is not None:
            row["noise_scale"] = noise_scale(self._model, self._objective.loss, self._batch).value
            row["sharpness"] = sharpness(self._model, self._objective.loss, self._batch).eigenvalue
        return row

    def close(self) -> None:
        """Take the hooks off."""
        self._watch.close()


def _first_rows(batch: Any) -> Any:
    return tree_map(lambda x: x[:ROWS] if isinstance(x, torch.Tensor) and x.dim() else x, batch)
