"""Early stopping: the best weights so far, and when to wait no longer."""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

QUANTITY = "validation_loss"


@dataclass
class EarlyStopping:
    """Remembers the weights of the least validation loss (Prechelt, 1998, doi:10.1007/3-540-49430-8_3).

    `patience` is the number of steps after that loss at which a training ends.
    """

    patience: float
    step: int = 0
    loss: float = math.inf
    best: dict[str, Any] = field(default_factory=dict)

    def watch(self, step: int, loss: float, model: nn.Module) -> str | None:
        """Note an evaluation; the cause to stop, or None."""
        if loss < self.loss or not self.best:
            self.step, self.loss = step, loss
            self.best = {n: x.detach().clone() if isinstance(x, Tensor) else x for n, x in model.state_dict().items()}
        if step - self.step < self.patience:
            return None
        return f"the validation loss of step {self.step}, {self.loss:.4g}, was not undercut in {step - self.step} steps"

    def restore(self, model: nn.Module) -> int:
        """Put the best weights back; their step."""
        model.load_state_dict(self.best)
        return self.step
