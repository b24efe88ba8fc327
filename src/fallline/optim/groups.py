"""torch's parameter groups and a rule's hyperparameters: two spellings of the same values.

A group holds torch's keys, which schedulers rewrite (`betas`, `momentum`, `weight_decay`); a rule holds its
own fields.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fallline.errors import InputError
from fallline.rules import Rule
from fallline.wrappers import L2, DecoupledDecay, Maximize


def group_values(rule: Rule) -> dict[str, Any]:
    """A rule's hyperparameters under torch's keys."""
    values = rule.hyperparameters()
    for key, fields in rule.core().torch_groups.items():
        values = _grouped(values, key, fields)
    return values


def rule_of(template: Rule, group: Mapping[str, Any], absent_is_zero: bool, checked: bool) -> Rule:
    """The rule that a group's values describe; torch's `weight_decay` and `maximize` become wrappers.

    With `absent_is_zero` a 0 for a quantity that can be absent means absent, as torch spells it. `checked`
    asks for the ranges, at construction; what a scheduler writes later stands as it is.
    """
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
    own = {name: _plain(value) for name, value in values.items() if name in kinds}
    if absent_is_zero:
        own = {name: None if kinds[name].optional and value == 0 else value for name, value in own.items()}
    rule = template.replace(own) if checked else template.bind(own)
    if "weight_decay" not in kinds and (decay := _plain(group.get("weight_decay", 0))):
        wrapper = DecoupledDecay if group.get("decoupled_weight_decay") else L2
        rule = wrapper(rule, decay) if checked else wrapper(rule).bind({f"{wrapper.name}.weight_decay": decay})
    return Maximize(rule) if group.get("maximize") else rule


def _grouped(values: Mapping[str, Any], key: str, fields: tuple[str, ...]) -> dict[str, Any]:
    together = {fields[0]: (key, tuple(values[field] for field in fields))}
    renamed = (together.get(name, (name, value)) for name, value in values.items() if name not in fields[1:])
    return dict(renamed)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.dim() == 0 else value
