"""The catalogue of built-in optimizers, read from the rules' own declarations."""

import inspect
from typing import Any

import torch

from fallline.executors import initial_state
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
                        "range": str(spec.range) if spec.is_float else "true or false",
                        "optional": spec.optional,
                    }
                    for (field, value), spec in zip(rule.hyperparameters().items(), rule.kinds().values(), strict=True)
                },
                "search": {field: [space.low, space.high] for field, space in rule.search.items()},
                "state": list(initial_state(rule, torch.zeros(1))),
                "source": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
            }
        )
    return entries
