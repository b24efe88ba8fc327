"""The catalogue of built-in rules and wrappers, read from their own declarations and tried on small tensors."""

import collections.abc
import dataclasses
import inspect
import typing
from collections.abc import Mapping
from typing import Any

import torch

from fallline.errors import InputError
from fallline.executors import initial_state
from fallline.rules import SGD, Rule
from fallline.rules.kinds import Kind, kinds_of
from fallline.study.abilities import WRAPPERS, abilities, around, exchanges_state, refused
from fallline.study.algorithms import BUILT_IN
from fallline.study.formula import formula
from fallline.study.runners import compiled_from, executors
from fallline.suggestions import unknown


def catalogue(runners: bool = True) -> list[dict[str, Any]]:
    """Every built-in rule: hyperparameters with default, range and search space, state, what it supports, source,
    formula; with `runners` also who runs it, which takes most of the time."""
    return [_of_rule(name, kind, runners) for name, kind in BUILT_IN.items()]


def wrappers(runners: bool = True) -> list[dict[str, Any]]:
    """Every wrapper, as the rules; what it keeps and supports is that of the wrapper around SGD, which keeps nothing
    and takes everything."""
    return [_of_wrapper(name, kind, runners) for name, kind in WRAPPERS.items()]


def described(name: str) -> dict[str, Any]:
    """One rule or wrapper by name; InputError for an unknown one."""
    if name.lower() in BUILT_IN:
        return _of_rule(name.lower(), BUILT_IN[name.lower()], runners=True)
    if name.lower() in WRAPPERS:
        return _of_wrapper(name.lower(), WRAPPERS[name.lower()], runners=True)
    raise InputError(unknown(name, [*BUILT_IN, *WRAPPERS], "optimizer or wrapper"))


def _of_rule(name: str, kind: type[Rule], runners: bool) -> dict[str, Any]:
    rule = kind()
    return {
        "name": name,
        "class": f"fallline.rules.{kind.__name__}",
        "torch": kind.namesake and f"torch.optim.{kind.namesake}",
        "exchanges_state": exchanges_state(kind),
        **_of_any(kind, rule, rule.hyperparameters(), runners),
        "search": {field: [space.low, space.high] for field, space in rule.search.items()},
    }


def _of_wrapper(name: str, kind: type[Rule], runners: bool) -> dict[str, Any]:
    values = {
        field.name: None if field.default is dataclasses.MISSING else field.default
        for field in dataclasses.fields(kind)
        if not _is_rule(kinds_of(kind)[field.name])
    }
    return {
        "name": name,
        "class": f"fallline.wrappers.{kind.__name__}",
        **_of_any(kind, around(kind, SGD()), values, runners),
    }


def _of_any(kind: type[Rule], rule: Rule, values: Mapping[str, Any], runners: bool) -> dict[str, Any]:
    kinds = kinds_of(kind)
    p = torch.zeros((1,) * max(rule.ranks[0], 2 if rule.acts_on == "matrix" else 1))
    return {
        "hyperparameters": {
            field: {"default": value, "range": _range(kinds[field]), "optional": kinds[field].optional}
            for field, value in values.items()
        },
        "state": list(initial_state(rule, p)),
        "source": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
        "notes": _notes(kind),
        **abilities(rule),
        **({"executors": executors(rule), "compiled_from": compiled_from(rule)} if runners else {}),
        "refused_wrappers": refused(rule),
        "formula": formula(kind),
    }


def _notes(kind: type[Rule]) -> list[str]:
    """What a docstring says after its first paragraph, without the example."""
    paragraphs = (inspect.getdoc(kind) or "").partition(">>>")[0].split("\n\n")[1:]
    return [" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()]


def _is_rule(kind: Kind) -> bool:
    return isinstance(kind.type, type) and issubclass(kind.type, Rule)


def _range(kind: Kind) -> str:
    """What a hyperparameter may be, in words."""
    if kind.type in (int, float):
        words = str(kind.range)
        return words.replace("a finite number", "a whole number") if kind.type is int else words
    if kind.type is bool:
        return "true or false"
    if typing.get_origin(kind.type) is collections.abc.Callable:
        return "a function"
    return (
        ", ".join(map(str, typing.get_args(kind.type))) if typing.get_origin(kind.type) is typing.Literal else "numbers"
    )
