"""torch's own optimizer doing the steps of a rule that it has: for small models nothing is faster in Python."""

from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from typing import Any

import torch

from fallline.optim.groups import group_values
from fallline.rules import Rule

_ROWS_ALONE = ("SparseAdam",)
"""torch's classes that refuse dense gradients."""


class Native:
    """An optimizer of torch that works on the parameter groups and the state of ours."""

    def __init__(self, made: torch.optim.Optimizer, absent: Collection[str]) -> None:
        self._made = made
        self._absent = absent
        # Hooks and profiling are those of ours already.
        step = type(made).step
        self._step: Callable[[torch.optim.Optimizer], Any] = getattr(step, "__wrapped__", step)

    def step(self, groups: Sequence[Mapping[str, Any]], state: Any) -> None:
        """Make the step that torch makes with these groups."""
        self._made.state = state
        self._made.param_groups = [self._made.defaults | self._spelled(group) for group in groups]
        self._step(self._made)

    def _spelled(self, group: Mapping[str, Any]) -> dict[str, Any]:
        return {key: 0 if value is None and key in self._absent else value for key, value in group.items()}


def native(rule: Rule, groups: Sequence[Mapping[str, Any]]) -> Native | None:
    """torch's optimizer for a rule on these parameter groups, None where torch has none or refuses them."""
    kind = _namesake(type(rule))
    if kind is None:
        return None
    taken = signature(kind).parameters
    ours_alone = {name: value for name, value in group_values(type(rule)()).items() if name not in taken}
    if any(group[name] != value for group in groups for name, value in ours_alone.items()):
        return None
    try:
        made = kind([{"params": list(group["params"])} for group in groups])
    except (ValueError, RuntimeError):
        return None
    return Native(made, {name for name, of in rule.kinds().items() if of.optional})


def _namesake(rule: type[Rule]) -> Any:
    """torch's class with the formula that this class runs: not that of a rule it inherits from and overrides."""
    writes = {name: next(c for c in rule.__mro__ if name in vars(c)) for name in ("init", "step", "eval_point")}
    name = vars(writes["step"]).get("namesake")
    overridden = any(issubclass(other, writes["step"]) and other is not writes["step"] for other in writes.values())
    return None if name is None or overridden or name in _ROWS_ALONE else getattr(torch.optim, name)
