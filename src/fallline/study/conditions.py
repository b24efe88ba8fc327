"""The conditions under which optimizers are compared: factors, schedules, and which parameters are penalised."""

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

from torch import nn

from fallline.errors import InputError, shown
from fallline.imports import absolute, is_reference, load_object
from fallline.optim import every_parameter, is_weight
from fallline.optim.weights import Which
from fallline.problems import Problem
from fallline.problems.problem import OF_THE_LOSS, parameters
from fallline.rules import Rule
from fallline.schedules import Constant, Schedule, schedule
from fallline.study.contenders import Contender
from fallline.study.values import parse_like
from fallline.suggestions import unknown
from fallline.training.treatments import TREATMENTS, active

GROUP_RULES: Mapping[str, Which] = {"weights": is_weight, "all": every_parameter}
"""Which parameters penalties act on, by name; `weights` leaves out biases and the parameters of norm layers."""


def known_factors(problems: Sequence[Problem]) -> dict[str, Any]:
    """Every name of a factor with its default: treatments, what losses may take, and what the problems declare."""
    own = {name: default for problem in problems for name, default in problem.all_factors().items()}
    return {**{name: treatment.off for name, treatment in TREATMENTS.items()}, **OF_THE_LOSS, **own}


def undeclared_hint(problems: Sequence[Problem], name: str) -> str:
    """That a model takes what no problem declares as a factor, and how to declare it; empty where none does."""
    for problem in problems:
        taken = {} if isinstance(problem.model, nn.Module) else parameters(problem.model)
        if name in taken:
            default = taken[name].default
            written = "..." if default is Parameter.empty else repr(default)
            return f" The model of {problem.name} takes it: declare Problem(..., factors={{{name!r}: {written}}})."
    return ""


def checked_factors(problems: Sequence[Problem], given: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """The values of each varied factor, each once and of the factor's type."""
    for problem in problems:
        if reserved := sorted(TREATMENTS.keys() & problem.factors.keys()):
            raise InputError(
                f"{problem.name} declares a factor {reserved[0]!r}, which is what every problem can be trained with "
                f"({TREATMENTS[reserved[0]].says}). Give the model's own another name."
            )
    known = known_factors(problems)
    owners = {name: problem.name for problem in reversed(problems) for name in problem.all_factors()}
    checked: dict[str, tuple[Any, ...]] = {}
    for name, values in given.items():
        if name not in known:
            raise InputError(unknown(name, known, "factor of the problem") + undeclared_hint(problems, name))
        if name in OF_THE_LOSS and name not in owners:
            raise InputError(
                f"{name} goes to the loss, and that of {problems[0].name} does not take it: write a loss with the "
                f"keyword, such as loss(output, target, {name}={OF_THE_LOSS[name]})."
            )
        if name in owners:
            typed = [_typed(value, known[name], owners[name], name) for value in values]
        else:
            typed = [TREATMENTS[name].checked(name, value) for value in values]
        checked[name] = tuple(dict.fromkeys(typed))
        if not checked[name]:
            raise InputError(f"Factor {name} has no values.")
    return checked


def _typed(value: Any, default: Any, owner: str, name: str) -> Any:
    """A value of a problem's own factor, of the default's type where it is text."""
    typed = parse_like(value, default, owner, f"factor {name}") if isinstance(value, str) else value
    plain = typed is None or isinstance(typed, bool | int | float | str)
    if not plain and not (isinstance(typed, tuple) and isinstance(default, tuple)):
        raise InputError(f"{owner}: a value of factor {name} must be like its default {default!r}; got {shown(value)}.")
    if name in OF_THE_LOSS and (isinstance(typed, bool) or not isinstance(typed, int | float) or not 0 <= typed <= 1):
        raise InputError(f"{owner}: factor {name} must be a number from 0 to 1; got {shown(value)}.")
    return typed


def refuse_untreatable(contenders: Sequence[Contender], factors: Mapping[str, Sequence[Any]]) -> None:
    """Treatments that are wrappers need rules: torch's own optimizers cannot be given them."""
    wraps = [
        name
        for name, values in factors.items()
        if name in TREATMENTS and TREATMENTS[name].wraps and any(active({name: value}) for value in values)
    ]
    for c in contenders:
        if wraps and not isinstance(c.algorithm, Rule):
            raise InputError(
                f"{c.label} is a torch optimizer, around which {wraps[0]} cannot be put: it wraps a fallline rule. "
                "Leave it out, or name the rule with its formula (`fallline optimizers` lists them)."
            )


def refuse_waiting_for_nothing(problem: str, factors: Mapping[str, Sequence[Any]], validation: Any) -> None:
    """Early stopping needs data that are held out."""
    if validation is None and any(value is not None for value in factors.get("patience", ())):
        raise InputError(
            f"patience stops by the validation loss, and {problem} holds nothing out. "
            "Give validation data or a fraction above 0."
        )


def checked_schedules(given: Sequence[Any], contenders: Sequence[Contender]) -> list[Schedule]:
    """The schedules, each once; all optimizers must have a learning rate where one is not constant."""
    schedules = list(dict.fromkeys(map(schedule, given)))
    if not schedules:
        raise InputError("There is no schedule; leave it out for a constant learning rate.")
    if hidden := [s for s in schedules if "<" in str(s)]:
        raise InputError(
            f"Schedule {type(hidden[0]).__qualname__} must stand at the top of a module, to be found again."
        )
    for c in contenders:
        if any(s != Constant() for s in schedules) and "lr" not in c.hyperparameters:
            raise InputError(f"A schedule multiplies the learning rate, and {c.label} has no lr.")
    return schedules


def group_rule(name: str) -> Which:
    """The group rule of a name or reference: a function of (name, parameter, module) that tells weights."""
    if name in GROUP_RULES:
        return GROUP_RULES[name]
    if not is_reference(name):
        raise InputError(unknown(name, GROUP_RULES, "group rule") + " For your own: file.py:function.")
    found = load_object(name)
    if not callable(found):
        raise InputError(f"{name} must be a function of (name, parameter, module); got {shown(found)}.")
    which: Which = found
    return which


def spelled_rule(given: str | Which) -> str:
    """A name or reference by which a group rule can be found again."""
    if isinstance(given, str):
        group_rule(given)
        return given if given in GROUP_RULES else absolute(given)
    named = next((name for name, rule in GROUP_RULES.items() if rule is given), None)
    if named is None and (not callable(given) or "<" in getattr(given, "__qualname__", "<")):
        raise InputError(
            f"penalise must be {', '.join(GROUP_RULES)}, or a function of (name, parameter, module) that stands at the "
            f"top of a module; got {shown(given)}."
        )
    return named or f"{given.__module__}:{given.__qualname__}"
