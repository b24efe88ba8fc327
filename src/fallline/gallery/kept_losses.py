"""A loss that remembers what it gave: a study's curves hold means over the steps between evaluations."""

from torch import Tensor
from torch.nn.functional import cross_entropy


class KeptLosses:
    """Cross-entropy that keeps the value of every batch that is trained on; evaluations are not kept."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        loss = cross_entropy(output, target)
        if loss.requires_grad:
            self._values.append(loss.item())
        return loss

    def last(self, steps: int) -> list[float]:
        """The losses of the last so many steps; those before are of a study's rehearsal."""
        return self._values[-steps:]
