"""What parameters are called: by their names in the model where they have them, else by their places."""

from collections.abc import Mapping, Sequence
from typing import Any

_WRAPPED = ("module.", "_orig_mod.")


def called(groups: Sequence[Mapping[str, Any]], group: int, index: int) -> str:
    """A parameter for a message.

    >>> called([{"params": [0, 1], "param_names": ["weight", "bias"]}], 0, 1)
    "parameter 'bias'"
    >>> called([{"params": [0]}, {"params": [0, 1]}], 1, 0)
    'parameter 0 of group 1'
    """
    names = groups[group].get("param_names")
    return f"parameter {index} of group {group}" if names is None else f"parameter {names[index]!r}"


def names_by_position(groups: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """The name of every parameter of all groups in order, in the model as it is unwrapped; None without one."""
    names = [name for group in groups for name in group.get("param_names") or [None] * len(group["params"])]
    return names if None in names else list(unwrapped(names))


def unwrapped(names: Sequence[str]) -> Sequence[str]:
    """The names without what DistributedDataParallel and torch.compile put before all of a model's.

    >>> unwrapped(["module._orig_mod.0.weight", "module._orig_mod.0.bias"])
    ['0.weight', '0.bias']
    >>> unwrapped(["module.weight", "head.weight"])
    ['module.weight', 'head.weight']
    """
    for prefix in _WRAPPED:
        if names and all(name.startswith(prefix) for name in names):
            return unwrapped([name.removeprefix(prefix) for name in names])
    return names
