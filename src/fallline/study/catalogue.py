"""The catalogue of built-in optimizers, read from the rules' own declarations."""

import inspect
import typing
from typing import Any

import torch

from fallline.executors import initial_state
from fallline.rules.kinds import Kind
from fallline.study.contenders import BUILT_IN


def catalogue() -> list[dict[str, Any]]:
    """Every built-in rule: hyperparameters with default and range, search space, state names, source."""
    entries = []
    for name, kind in BUILT_IN.items():
        rule = kind()
        entries.append(
            {
                "name": name,
                "class": f"fallline.rules.{kind.__name__}",
                "torch": kind.namesake and f"torch.optim.{kind.namesake}",
                "hyperparameters": {
                    field: {
                        "default": value,
                        "range": _range(spec),
                        "optional": spec.optional,
                    }
                    for (field, value), spec in zip(rule.hyperparameters().items(), rule.kinds().values(), strict=True)
                },
                "search": {field: [space.low, space.high] for field, space in rule.search.items()},
                "state": list(initial_state(rule, torch.zeros(1, 1) if rule.acts_on == "matrix" else torch.zeros(1))),
                "source": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
            }
        )
    return entries


def _range(kind: Kind) -> str:
    """What a hyperparameter may be, in words."""
    if kind.type in (int, float):
        words = str(kind.range)
        return words.replace("a finite number", "a whole number") if kind.type is int else words
    if kind.type is bool:
        return "true or false"
    return (
        ", ".join(map(str, typing.get_args(kind.type))) if typing.get_origin(kind.type) is typing.Literal else "numbers"
    )
