"""Contenders from what a user gives: text, rules, and classes of rules or torch optimizers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch

from fallline import rules
from fallline.errors import InputError, shown
from fallline.imports import absolute
from fallline.protocol import TRIALS
from fallline.rules import LogRange, Rule
from fallline.study.algorithms import BUILT_IN, reference, resolve
from fallline.study.contenders import Contender, kinds_of, others_of, wrappers_of
from fallline.study.space import SearchSpace
from fallline.suggestions import unknown
from fallline.training import Algorithm
from fallline.wrappers import L2, Route


def contender(
    given: Any,
    rates: Sequence[Any] | None = None,
    varied: Mapping[str, Sequence[Any]] | None = None,
    tune: bool = True,
    whole_models: bool = True,
    trials: int = TRIALS,
) -> Contender:
    """A contender from text (`adam`, `adam:lr=1e-4..1`, `file.py:Mine`, `torch.optim.AdamW:lr=0.1`), a rule, a class of
    rules, or a class of torch optimizers.

    A rule instance stands for the values it has; a name or a class is tuned over the rule's search space. `rates`
    are tried where the text gives no lr, `varied` values of other hyperparameters where the algorithm has them.
    Ranges are cut into `trials` values. Without `tune` a name stands for the rule's own defaults. A rule that takes no
    vectors gets AdamW beside it for those of `whole_models`, which the label says.
    """
    text = given if isinstance(given, str) else None
    name, settings = _split(text) if text is not None else (None, {})
    own = frozenset(settings)
    found = resolve(name) if name is not None else given
    algorithm, tuned = _algorithm(found)
    if whole_models and isinstance(algorithm, Rule) and 1 not in algorithm.ranks:
        algorithm = Route(algorithm, others=rules.AdamW())
    others = others_of(algorithm)
    label = "+".join([_label(name, algorithm), *([] if others is None else [others.lower()])])
    kinds = kinds_of(algorithm)
    wanted: dict[str, Any] = {**(varied or {}), **({} if rates is None else {"lr": rates})}
    if isinstance(algorithm, Rule) and "weight_decay" in {*settings, *wanted} and "weight_decay" not in kinds:
        algorithm = L2(algorithm)
        kinds = kinds_of(algorithm)
        for values in (settings, wanted):
            if "weight_decay" in values:
                values["l2.weight_decay"] = values.pop("weight_decay")
    for key in settings:
        if key not in kinds:
            further = {"weight_decay"} - kinds.keys() if isinstance(algorithm, Rule) else set()
            raise InputError(unknown(key, [*kinds, *further], f"hyperparameter of {label}"))
    space = SearchSpace(label, kinds, trials)
    if isinstance(found, Rule):
        space.take_values(_own_values(found))
    if tune and tuned:
        space.take_ranges(_search(algorithm))
    space.take_values({key: values for key, values in wanted.items() if key in kinds})
    space.take_text(settings)
    return Contender(
        label, algorithm, space.grid, absolute(name) if name is not None else reference(found), own, space.ranges
    )


def single_rule(text: str) -> tuple[Rule, str]:
    """One rule with one value of each hyperparameter, from text such as `adam:lr=0.1`, and how it is called."""
    found = contender(text, tune=False, whole_models=False)
    if not isinstance(found.algorithm, Rule):
        raise InputError(f"{found.label} is a torch optimizer; here a fallline Rule is needed.")
    settings = found.settings
    if len(settings) != 1:
        raise InputError(f"{text!r} gives {len(settings)} settings; here each hyperparameter needs one value.")
    told = ", ".join(f"{name}={values[0]}" for name, values in found.grid.items())
    return found.algorithm.replace(settings[0]), f"{found.label}({told})" if told else found.label


def _own_values(rule: Rule) -> dict[str, tuple[Any, ...]]:
    """The values of an instance that are not its class's defaults, and its learning rate in any case."""
    defaults = {field.name: field.default for field in fields(rule.core())}
    return {
        name: (value,)
        for name, value in rule.hyperparameters().items()
        if name == "lr" or name not in defaults or value != defaults[name]
    }


def _split(text: str) -> tuple[str, dict[str, str]]:
    head, _, tail = text.rpartition(":")
    name, written = (head, tail) if head and "=" in tail else (text, "")
    if text.endswith(":"):
        raise InputError(f"In {text!r} nothing follows the colon; write NAME or NAME:key=value,...")
    settings: dict[str, str] = {}
    for item in filter(None, re.split(r",(?![^(\[]*[)\]])", written)):
        field, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value:
            last = next(reversed(settings), None)
            several = "" if last is None or equals else f" Several values are written {last}={settings[last]}|{item}."
            raise InputError(f"In {text!r}: expected key=value, got {item!r}.{several}")
        if field in settings:
            raise InputError(f"In {text!r}: {field} is given twice; for several values write {field}=a|b.")
        settings[field] = value
    return name, settings


def _algorithm(found: Any) -> tuple[Algorithm, bool]:
    if isinstance(found, Rule):
        return found, False
    if isinstance(found, type) and issubclass(found, Rule):
        try:
            return found(), True
        except TypeError as error:
            raise InputError(f"{found.__name__} needs a default for every field: {error}") from error
    if isinstance(found, type) and issubclass(found, torch.optim.Optimizer):
        return found, True
    raise InputError(f"An optimizer must be a fallline Rule or a class of torch.optim.Optimizer; got {shown(found)}.")


def _search(algorithm: Algorithm) -> Mapping[str, LogRange]:
    """A rule's search space; for a torch optimizer that of the rule with its formula, else any rule's."""
    if isinstance(algorithm, Rule):
        return algorithm.core().search
    same = (rule for rule in BUILT_IN.values() if vars(rule).get("namesake") == algorithm.__name__)
    return next(same, Rule).search


def _label(name: str | None, algorithm: Algorithm) -> str:
    if isinstance(algorithm, type):
        module = "torch.optim." if algorithm.__module__.startswith("torch.optim") else ""
        return module + algorithm.__name__
    if name is not None and name.lower() in BUILT_IN:
        return name.lower()
    kind = type(algorithm.core())
    plain = kind.__name__.lower() if BUILT_IN.get(kind.__name__.lower()) is kind else kind.__name__
    return "+".join([*wrappers_of(algorithm), plain])
