"""Algorithms by name: the rules that there are, and references to others."""

from typing import Any

import torch

from fallline import rules
from fallline.errors import InputError
from fallline.imports import load_object
from fallline.rules import Rule
from fallline.suggestions import unknown

BUILT_IN: dict[str, type[Rule]] = {
    name.lower(): rule
    for name, rule in vars(rules).items()
    if isinstance(rule, type) and issubclass(rule, Rule) and rule is not Rule
}


def resolve(name: str) -> Any:
    """The rule or optimizer class that a name or reference stands for."""
    if name.lower() in BUILT_IN:
        return BUILT_IN[name.lower()]
    place, _, attribute = name.rpartition(":")
    if place:
        return load_object(f"{place}:{attribute}")
    module, _, attribute = name.rpartition(".")
    if module and attribute != "py":
        return load_object(f"{module}:{attribute}")
    hint = f" Which class of {name}? Write {name}:Class." if attribute == "py" else ""
    raise InputError(unknown(name, BUILT_IN, "optimizer") + hint + " For your own: file.py:Class or package.Class.")


def reference(algorithm: Any) -> str | None:
    """A name by which an algorithm can be found again, its values apart, or None."""
    if isinstance(algorithm, Rule) and algorithm is not algorithm.core():
        return None
    kind = algorithm if isinstance(algorithm, type) else type(algorithm)
    if BUILT_IN.get(kind.__name__.lower()) is kind:
        return kind.__name__.lower()
    if kind.__module__ == "__main__" or "<" in kind.__qualname__:
        return None
    if getattr(torch.optim, kind.__name__, None) is kind:
        return f"torch.optim:{kind.__name__}"
    return f"{kind.__module__}:{kind.__qualname__}"
