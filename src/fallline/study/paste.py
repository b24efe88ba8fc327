"""A line to paste: the code that makes an optimizer with the values that were found."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from fallline.optim.groups import group_values
from fallline.rules import Rule
from fallline.study.contenders import BUILT_IN


def paste_line(source: str | None, label: str, hyperparameters: Mapping[str, Any]) -> str:
    """Python code for an optimizer: torch.optim's where torch has the formula, else fallline's.

    >>> paste_line("momentum", "momentum", {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "nesterov": False})
    'torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)'
    """
    rule = BUILT_IN.get((source or "").lower())
    if rule is None:
        name = (source or label).replace(":", ".")
        return f"{name}(model.parameters(){_arguments(hyperparameters)})"
    values = dict(hyperparameters)
    decay = values.pop("l2.weight_decay", None)
    spelled = group_values(rule().bind(values))
    if decay is not None:
        spelled["weight_decay"] = decay
    namesake = next((vars(kind)["namesake"] for kind in rule.__mro__ if vars(kind).get("namesake")), None)
    if namesake is not None:
        known = inspect.signature(getattr(torch.optim, namesake)).parameters
        ours = group_values(rule())
        extra = {name for name, value in spelled.items() if name not in known and value != ours.get(name)}
        if not extra:
            return f"torch.optim.{namesake}(model.parameters(){_arguments(_changed(spelled, known))})"
    return f"fallline.optim.{rule.__name__}(model.parameters(){_arguments(_own(rule, spelled))})"


def _changed(values: Mapping[str, Any], known: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if name == "lr"
        or (name in known and value != known[name].default and not (value is None and known[name].default == 0))
    }


def _own(rule: type[Rule], values: Mapping[str, Any]) -> dict[str, Any]:
    ours = group_values(rule())
    return {name: value for name, value in values.items() if name == "lr" or value != ours.get(name)}


def _arguments(values: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in values.items())
