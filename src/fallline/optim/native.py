"""torch's own optimizer doing the steps of a rule that it has: for small models nothing is faster in Python."""

import warnings
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

    def __init__(self, kind: Any, groups: Sequence[Mapping[str, Any]], absent: Collection[str]) -> None:
        self._absent = absent
        with warnings.catch_warnings():
            # What torch warns of here it has warned of when the groups were made.
            warnings.simplefilter("ignore")
            alone = [self._begun(kind, signature(kind).parameters, group) for group in groups]
            made: torch.optim.Optimizer = kind([self._spelled(group) for group in groups])
        self._made = made
        self._first = {p: state for one in alone for p, state in one.state.items()}
        # Hooks and profiling are those of ours already.
        step = type(made).step
        self._step: Callable[[torch.optim.Optimizer], Any] = getattr(step, "__wrapped__", step)

    def takes(self, groups: Sequence[Mapping[str, Any]]) -> bool:
        """Whether torch's step takes the gradients that are there now."""
        return all(p.grad is None or p.grad.layout == torch.strided for group in groups for p in group["params"])

    def step(self, groups: Sequence[Mapping[str, Any]], state: Any) -> None:
        """Make the step that torch makes with these groups."""
        for p, first in self._first.items():
            # Some keep a state from the beginning; here it begins with the first gradient.
            if p.grad is not None and p not in state:
                state[p] = first
        self._made.state = state
        self._made.param_groups = [self._made.defaults | self._spelled(group) for group in groups]
        self._step(self._made)

    def _begun(self, kind: Any, taken: Collection[str], group: Mapping[str, Any]) -> torch.optim.Optimizer:
        """torch's optimizer of one group: a first state takes its values from the optimizer's own."""
        values = {key: value for key, value in self._spelled(group).items() if key in taken}
        begun: torch.optim.Optimizer = kind(values.pop("params"), **values)
        return begun

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
        return Native(kind, groups, {name for name, of in rule.kinds().items() if of.optional})
    except (ValueError, RuntimeError):
        return None


def _namesake(rule: type[Rule]) -> Any:
    """torch's class with the formula that this class runs: not that of a rule it inherits from and overrides."""
    writes = {name: next(c for c in rule.__mro__ if name in vars(c)) for name in ("init", "step", "eval_point")}
    name = vars(writes["step"]).get("namesake")
    overridden = any(issubclass(other, writes["step"]) and other is not writes["step"] for other in writes.values())
    return None if name is None or overridden or name in _ROWS_ALONE else getattr(torch.optim, name)
