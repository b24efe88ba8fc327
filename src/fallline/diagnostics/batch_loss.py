"""The loss of a model on a batch, as the costly quantities need it."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from fallline.errors import InputError

Loss = Callable[[nn.Module, Any], Tensor]


def batch_loss(model: nn.Module, loss: Loss, batch: Any) -> Tensor:
    """The loss of a batch, checked: raises InputError unless it is a 0-d tensor that depends on the weights."""
    value: Any = loss(model, batch)
    if not isinstance(value, Tensor) or value.dim():
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"loss(model, batch) must return a 0-d tensor, the mean over the batch; got {got}.")
    if not value.requires_grad:
        raise InputError(
            "loss(model, batch) returned a number without a gradient: it depends on no weight that requires one, "
            "or was computed under torch.no_grad() or with .item()."
        )
    return value


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that require a gradient; raises InputError where there are none."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise InputError(f"No parameter of {type(model).__name__} requires a gradient.")
    return parameters
