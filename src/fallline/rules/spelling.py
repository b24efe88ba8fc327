"""What a rule says to a keyword that it does not take."""

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fallline.rules.kinds import kinds_of
from fallline.suggestions import unknown

if TYPE_CHECKING:
    from fallline.rules.rule import Rule

_AROUND = {
    "weight_decay": "L2({rule}(...), weight_decay=...), or DecoupledDecay",
    "maximize": "Maximize({rule}(...))",
}
"""torch's keywords that are wrappers here."""


def check_keywords(rule: "type[Rule]", given: Iterable[str]) -> None:
    """Raise TypeError, as Python does, for a keyword that a rule's class does not take; and say which it does."""
    taken = inspect.signature(rule.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for name in given:
        if name not in taken:
            kinds_of(rule)  # which says so where fields are none for want of a decorator
            raise TypeError(f"{rule.__name__}: {_advice(rule, name, [known for known in taken if known != 'self'])}")


def _advice(rule: "type[Rule]", name: str, known: list[str]) -> str:
    if fields := rule.torch_groups.get(name):
        return f"{name} is torch's spelling, and that of fallline.optim. A rule takes {' and '.join(fields)}."
    if name in _AROUND:
        return (
            f"it has no {name}. Put a wrapper around it: fallline.wrappers.{_AROUND[name].format(rule=rule.__name__)}."
        )
    return unknown(name, known, "hyperparameter")
