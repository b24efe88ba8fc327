"""A model lent the weights of another member: what a loss or metric is, as a function of tensors."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from fallline.cohorts.mappable import mappable


class Lent(nn.Module):
    """Calls functions of a model while it has other parameters and buffers than its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[nn.Module], Any]) -> Any:
        """The function's value of the model."""
        return function(self.model)


def with_tensors(model: nn.Module, tensors: Mapping[str, Tensor], function: Callable[[nn.Module], Any]) -> Any:
    """The value of a function of the model while its parameters and buffers are those given by name."""
    with mappable():
        return functional_call(Lent(model), {f"model.{name}": x for name, x in tensors.items()}, (function,))


def held(model: nn.Module, name: str) -> Tensor:
    """The parameter or buffer that a model holds under a name."""
    owner, _, own = name.rpartition(".")
    tensor: Tensor = getattr(model.get_submodule(owner), own)
    return tensor
