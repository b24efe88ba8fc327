"""Layers: the modules of a model that have parameters of their own."""

from torch import nn
from torch.nn.parameter import is_lazy

from fallline.errors import InputError


def layers(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Each layer's own parameters by the layer's name, in the model's order.

    A layer is a module with parameters of its own; names are those of `model.named_modules()`, and the model's own
    parameters, which have no name there, stand under the name of its class. A parameter that two layers share
    belongs to both. Raises InputError where there are none, or where a lazy layer has not seen its first batch.

    >>> list(layers(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))))
    ['0', '2']
    """
    found: dict[str, list[nn.Parameter]] = {}
    for name, module in names(model).items():
        own = list(module.parameters(recurse=False))
        if any(is_lazy(parameter) for parameter in own):
            raise InputError(f"Layer {name!r} has no weights yet: run the model once on a batch first.")
        if own:
            found[name] = own
    if not found:
        raise InputError(f"{type(model).__name__} has no parameters; there is nothing to diagnose.")
    return found


def names(model: nn.Module) -> dict[str, nn.Module]:
    """Every module by name, the model itself under the name of its class."""
    if not isinstance(model, nn.Module):
        raise InputError(f"The model must be an nn.Module; got {type(model).__name__}.")
    return {name or type(model).__name__: module for name, module in model.named_modules()}
