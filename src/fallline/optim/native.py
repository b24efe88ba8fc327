"""torch's own optimizer doing the steps of a rule that it has: for small models nothing is faster in Python."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch

from fallline.optim.groups import group_values
from fallline.rules import Rule

_ROWS_ALONE = ("SparseAdam",)
"""torch's classes that refuse dense gradients."""


class Native:
    """An optimizer of torch that works on the parameter groups and the state of ours.

    Raises what torch raises for groups that it refuses.
    """

    def __init__(self, kind: Any, rule: Rule, groups: Sequence[Mapping[str, Any]]) -> None:
        self._taken = {*signature(kind).parameters, "params"}
        self._absent = {name for name, of in rule.kinds().items() if of.optional and name in self._taken}
        plain = group_values(type(rule)())
        self._ours_alone = {name: value for name, value in plain.items() if name not in self._taken}
        with warnings.catch_warnings():
            # What torch warns of here it has warned of when the groups were made.
            warnings.simplefilter("ignore")
            # A first state takes its values from the optimizer's own: one for each group.
            alone = [kind(**self._spelled(group)) for group in groups]
            self._made: torch.optim.Optimizer = kind([self._spelled(group) for group in groups])
        # What torch's class settles for itself, whatever a group that was loaded says.
        self._settled = {key: value for key, value in self._made.defaults.items() if key not in self._taken}
        self._first = {p: state for one in alone for p, state in one.state.items()}
        # Hooks and profiling are those of ours already.
        step = type(self._made).step
        self._step: Callable[[torch.optim.Optimizer], Any] = getattr(step, "__wrapped__", step)

    def takes(self, groups: Sequence[Mapping[str, Any]]) -> bool:
        """Whether torch's step takes the values and the gradients that are there now."""
        strided = torch.strided
        for group in groups:
            for name, value in self._ours_alone.items():
                if group[name] != value:
                    return False
            for p in group["params"]:
                # Each look at a gradient costs as much as a look at a whole group.
                if (gradient := p.grad) is not None and gradient.layout is not strided:
                    return False
        return True

    def step(self, groups: Sequence[Mapping[str, Any]], state: Any) -> None:
        """Make the step that torch makes with these groups."""
        for p, first in self._first.items():
            # Some keep a state from the beginning; here it begins with the first gradient.
            if p.grad is not None and p not in state:
                state[p] = {name: x.clone() for name, x in first.items()}
        made = self._made
        # Written out, for on a small model a call costs a hundredth of the step.
        read = []
        for group in groups:
            values = {**made.defaults, **group, **self._settled}
            for key in self._absent:
                if values[key] is None:
                    values[key] = 0
            read.append(values)
        made.state, made.param_groups = state, read
        self._step(made)

    def _spelled(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """What torch's class takes of a group, as it spells it."""
        return {
            key: 0 if value is None and key in self._absent else value
            for key, value in group.items()
            if key in self._taken
        }


def native(rule: Rule, groups: Sequence[Mapping[str, Any]]) -> Native | None:
    """torch's optimizer for a rule on these parameter groups, None where torch has none or refuses them."""
    kind = _namesake(type(rule))
    if kind is None:
        return None
    try:
        made = Native(kind, rule, groups)
    except (ValueError, RuntimeError):
        return None
    return made if made.takes([{**group, "params": []} for group in groups]) else None


def _namesake(rule: type[Rule]) -> Any:
    """torch's class with the formula that this class runs: not that of a rule it inherits from and overrides."""
    writes = {name: next(c for c in rule.__mro__ if name in vars(c)) for name in ("init", "step", "eval_point")}
    name = vars(writes["step"]).get("namesake")
    overridden = any(issubclass(other, writes["step"]) and other is not writes["step"] for other in writes.values())
    return None if name is None or overridden or name in _ROWS_ALONE else getattr(torch.optim, name)
