"""torch's parameter groups and a rule's hyperparameters: two spellings of the same values.

A group holds torch's keys, which schedulers rewrite (`betas`, `momentum`, `weight_decay`); a rule holds its
own fields.
"""

import inspect
import typing
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError, shown
from fallline.rules import Rule
from fallline.rules.kinds import Kind, kinds_of
from fallline.wrappers import L2, DecoupledDecay, Maximize
from fallline.wrappers.route import branches

_DECAY = kinds_of(L2)["weight_decay"]
ROUTE = "route"
"""The key in a group that says which branch of a rule that routes it belongs to."""


def group_values(rule: Rule) -> dict[str, Any]:
    """A rule's hyperparameters under torch's keys."""
    values = rule.hyperparameters()
    for key, fields in rule.core().torch_groups.items():
        values = _grouped(values, key, fields)
    return values


def expected_keys(rule: Rule) -> set[str]:
    """The keys that a saved group of this rule must hold: torch's, where torch has the rule, else all."""
    if len(branches(rule)) > 1:
        return {ROUTE}
    keys = set(group_values(rule))
    namesake = vars(type(rule.core())).get("namesake")
    if namesake is None:
        return keys
    torchs = inspect.signature(getattr(torch.optim, namesake)).parameters
    return {key for key in keys if key in torchs or "." in key}


def rule_of(
    template: Rule, group: Mapping[str, Any], absent_is_zero: bool, checked: bool, with_graph: bool = False
) -> Rule:
    """The rule that a group's values describe; torch's `weight_decay` and `maximize` become wrappers.

    With `absent_is_zero` a 0 for a quantity that can be absent means absent, as torch spells it. `checked`
    asks for the ranges, at construction; what a scheduler writes later stands as it is. Values that are tensors
    become numbers unless they stay `with_graph`.
    """
    plain = _number if checked or not with_graph else _single
    if ROUTE in group:
        template = branches(template)[group[ROUTE]]
    kinds = template.kinds()
    values: dict[str, Any] = {}
    for key, value in group.items():
        fields = template.core().torch_groups.get(key)
        if fields is None:
            values[key] = value
        else:
            if not isinstance(value, tuple | list) or len(value) != len(fields):
                raise InputError(f"{key} must be {len(fields)} numbers ({', '.join(fields)}); got {value!r}.")
            values.update(zip(fields, value, strict=True))
    own = {name: plain(value) for name, value in values.items() if name in kinds}
    # A program is known by its values: lists, as files give them, become what the rule keeps.
    own = {n: tuple(x) if isinstance(x, list) and _is_tuple(kinds[n]) else x for n, x in own.items()}
    if absent_is_zero:
        own = {name: None if kinds[name].optional and value == 0 else value for name, value in own.items()}
    decay = 0 if "weight_decay" in kinds else plain(group.get("weight_decay", 0))
    wrapper = DecoupledDecay if group.get("decoupled_weight_decay") else L2
    if checked:
        rule = template.replace(own)
        kinds_of(wrapper)["weight_decay"].checked(type(template).__name__, "weight_decay", decay)
        rule = wrapper(rule, decay) if decay else rule
        return Maximize(rule) if group.get("maximize") else rule
    for name, value in {**own, "weight_decay": decay}.items() if decay else own.items():
        if (kind := kinds.get(name, _DECAY)).is_float and not _fits(value, kind):
            raise InputError(f"{name} must be a number; a parameter group holds {shown(value)}.")
    # Wrapped before the values come, which nobody checks again.
    wrapped = wrapper(template) if decay else template
    wrapped = Maximize(wrapped) if group.get("maximize") else wrapped
    return wrapped.bind(own | ({f"{wrapper.name}.weight_decay": decay} if decay else {}))


def _grouped(values: Mapping[str, Any], key: str, fields: tuple[str, ...]) -> dict[str, Any]:
    together = {fields[0]: (key, tuple(values[field] for field in fields))}
    renamed = (together.get(name, (name, value)) for name, value in values.items() if name not in fields[1:])
    return dict(renamed)


def _fits(value: Any, kind: Kind) -> bool:
    """Whether a value that nobody checked when it was written can be computed with at all."""
    single = isinstance(value, Tensor) and value.dim() == 0
    return isinstance(value, Real) or single or (value is None and kind.optional)


def _is_tuple(kind: Kind) -> bool:
    return (typing.get_origin(kind.type) or kind.type) is tuple


def _number(value: Any) -> Any:
    """A tensor of one element as its number."""
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def _single(value: Any) -> Any:
    """A tensor of one element without dimensions, its graph kept."""
    return value.reshape(()) if isinstance(value, Tensor) and value.numel() == 1 else value
