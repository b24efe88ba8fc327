"""Early stopping: the best weights so far, and when to wait no longer."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

QUANTITY = "validation_loss"


class Stateful(Protocol):
    """A model, or what has tensors by name as one has."""

    def state_dict(self) -> dict[str, Any]: ...

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]: ...


@dataclass
class EarlyStopping:
    """Remembers the weights of the least validation loss (Prechelt, 1998, doi:10.1007/3-540-49430-8_3).

    `patience` is the number of steps after that loss at which a training ends.
    """

    patience: float
    step: int = 0
    loss: float = math.inf
    best: dict[str, Any] = field(default_factory=dict)
    """The model's state with the buffers that it does not save."""

    def watch(self, step: int, loss: float, model: Stateful) -> str | None:
        """Note an evaluation; the cause to stop, or None."""
        if not self.best or loss < self.loss or math.isnan(self.loss):
            self.step, self.loss, self.best = step, loss, copied({**dict(model.named_buffers()), **model.state_dict()})
        if step - self.step < self.patience:
            return None
        return f"the validation loss of step {self.step}, {self.loss:.4g}, was not undercut in {step - self.step} steps"

    def restore(self, model: nn.Module) -> int:
        """Put the best weights back; their step."""
        own = model.state_dict().keys()
        model.load_state_dict({name: self.best[name] for name in own})
        for name, buffer in model.named_buffers():
            if name not in own:
                buffer.copy_(self.best[name])
        return self.step


def copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A model's state with tensors of its own, which training on does not change."""
    return {name: x.detach().clone() if isinstance(x, Tensor) else x for name, x in state.items()}
