"""A rule as one would write it."""

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fallline.rules import Rule


def spelled(rule: "Rule") -> str:
    """The rule with its learning rate and whatever else is not at its default.

    >>> from fallline.rules import Momentum
    >>> spelled(Momentum(lr=0.1, nesterov=True))
    'Momentum(lr=0.1, nesterov=True)'
    """
    told = [
        f"{field.name}={value:g}" if isinstance(value, float) else f"{field.name}={value}"
        for field in dataclasses.fields(rule)
        if (value := getattr(rule, field.name)) != field.default or field.name == "lr"
    ]
    return f"{type(rule).__name__}({', '.join(told)})"
