"""Parameter groups that penalise the weights of a model and leave its biases and normalisation alone."""

from collections.abc import Callable, Collection
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from fallline.errors import InputError, describe_failure
from fallline.rules import Rule

Which = Callable[[str, nn.Parameter, nn.Module], bool]
_NORMALISATIONS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def is_weight(name: str, parameter: nn.Parameter, module: nn.Module) -> bool:
    """Whether a parameter is a weight: neither a bias, by its name, nor one of a normalisation module.

    `name` is the parameter's in the model, `module` the one that owns it.

    >>> layer = nn.Linear(2, 1)
    >>> is_weight("0.weight", layer.weight, layer), is_weight("0.bias", layer.bias, layer)
    (True, False)
    """
    return "bias" not in name.rpartition(".")[2].split("_") and not isinstance(module, _NORMALISATIONS)


def every_parameter(name: str, parameter: nn.Parameter, module: nn.Module) -> bool:
    """True: penalties act on all parameters, as where `model.parameters()` is given.

    >>> layer = nn.Linear(2, 1)
    >>> every_parameter("0.bias", layer.bias, layer)
    True
    """
    return True


def weights_only(model: nn.Module, rule: Rule | Collection[str], which: Which = is_weight) -> list[dict[str, Any]]:
    """Named parameter groups in which penalties act on weights alone: all those of a rule and its wrappers
    (`rule.penalties()`), or in the rule's place the names of some, such as ["l1.strength"].

    The first group has the parameters for which `which(name, parameter, module)` is true, the second the others,
    with every such penalty 0; a group without parameters is left out, and without penalties all are in one. Each
    keeps the model's order. What requires no gradient is left out, what is shared stands once, under its first
    name. Raises InputError for what is no module or no rule, and for a model with nothing to train.

    >>> import fallline as fl
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    >>> rule = fl.wrappers.L2(fl.rules.SGD(lr=0.1), weight_decay=1e-3)
    >>> optimizer = fl.optim.Optimizer(fl.optim.weights_only(model, rule), rule)
    >>> [(group["param_names"], group["l2.weight_decay"]) for group in optimizer.param_groups]
    [(['0.weight', '2.weight'], 0.001), (['0.bias', '1.weight', '1.bias', '2.bias'], 0.0)]
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"weights_only needs a model, a torch.nn.Module; got {model!r}.")
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not trained:
        raise InputError(f"{type(model).__name__} has no parameter that requires a gradient: nothing can be trained.")
    unpenalised = dict.fromkeys(_penalties(rule), 0.0)
    if not unpenalised:
        return [{"params": trained}]
    accepted = [_accepts(which, name, p, model.get_submodule(name.rpartition(".")[0])) for name, p in trained]
    penalised = [named for named, accept in zip(trained, accepted, strict=True) if accept]
    others = [named for named, accept in zip(trained, accepted, strict=True) if not accept]
    return [group for group in ({"params": penalised}, {"params": others, **unpenalised}) if group["params"]]


def _accepts(which: Which, name: str, parameter: nn.Parameter, module: nn.Module) -> bool:
    try:
        return bool(which(name, parameter, module))
    except Exception as error:
        raise InputError(
            f"The group rule {getattr(which, '__name__', which)!r} must take (name, parameter, module) and tell "
            f"whether penalties act on the parameter; at {name!r} it failed: {describe_failure(error)}"
        ) from error


def _penalties(rule: Rule | Collection[str]) -> Collection[str]:
    if isinstance(rule, Rule):
        return rule.penalties()
    if isinstance(rule, str) or not isinstance(rule, Collection):
        raise InputError(
            "weights_only needs the optimizer's rule, such as fl.wrappers.L2(fl.rules.SGD()), or a list of the names "
            f"of its penalties; got {rule!r}."
        )
    return rule
