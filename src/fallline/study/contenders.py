"""Contenders: the optimizers that a study compares, each with the values that are tried."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from fallline import rules
from fallline.errors import InputError, shown
from fallline.imports import absolute, load_object
from fallline.protocol import TRIALS, Search, Space, trial_settings
from fallline.rules import LogRange, Rule
from fallline.rules.kinds import Kind
from fallline.study.space import SearchSpace, checked
from fallline.suggestions import unknown
from fallline.training import Algorithm
from fallline.wrappers import L2, Route, Wrapper

BUILT_IN: dict[str, type[Rule]] = {
    name.lower(): rule
    for name, rule in vars(rules).items()
    if isinstance(rule, type) and issubclass(rule, Rule) and rule is not Rule
}


@dataclass(frozen=True)
class Contender:
    """One optimizer of a study: its label, its algorithm, and every value tried of each hyperparameter that is set.

    `source` is the name or reference by which the algorithm can be found again; None for an object made in Python.
    `own` are the hyperparameters that its text gives values, which stand whatever is tried of all optimizers, and
    `ranges` those of which the values are a range, cut: a search that is no grid draws others from it.
    """

    label: str
    algorithm: Algorithm
    grid: Mapping[str, tuple[Any, ...]]
    source: str | None
    own: frozenset[str] = frozenset()
    ranges: Mapping[str, LogRange] = field(default_factory=dict)

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Every combination of the values, with the hyperparameters that are not tried at their own value."""
        return self.searched("grid")

    def searched(self, search: Search, trials: int = TRIALS, seed: int = 0, repeat: int = 0) -> list[dict[str, Any]]:
        """The settings that a search tries, with the hyperparameters that are not tried at their own value."""
        space: Space = self.grid if search == "grid" else {**self.grid, **self.ranges}
        found = trial_settings(space, search, trials, seed, self.label, repeat)
        return [{**self._fixed, **setting} for setting in found]

    def legal(self, setting: Mapping[str, Any]) -> bool:
        """Whether the algorithm can be made with a setting."""
        kinds = kinds_of(self.algorithm)
        try:
            for name in self.grid:
                checked(self.label, kinds[name], name, setting[name])
            if isinstance(self.algorithm, Rule):
                self.algorithm.replace(setting)
            else:
                self.algorithm([torch.zeros(1, requires_grad=True)], **setting)
        except Exception:
            # What a torch optimizer raises for values that it does not take is its own affair.
            return False
        return True

    @property
    def _fixed(self) -> Mapping[str, Any]:
        return self.algorithm.hyperparameters() if isinstance(self.algorithm, Rule) else {}

    @property
    def kind(self) -> type:
        """The class of the algorithm, that inside all wrappers."""
        return type(self.algorithm.core()) if isinstance(self.algorithm, Rule) else self.algorithm

    @property
    def hyperparameters(self) -> list[str]:
        """The names of all hyperparameters that can be set."""
        return list(kinds_of(self.algorithm))


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


def kinds_of(algorithm: Algorithm) -> dict[str, Kind]:
    """The hyperparameters of a rule, or of a torch optimizer class as its signature shows them."""
    if isinstance(algorithm, Rule):
        return algorithm.kinds()
    parameters = list(inspect.signature(algorithm).parameters.values())[1:]
    kinds = {p.name: _kind_of_default(p.default) for p in parameters if p.kind is not p.VAR_KEYWORD}
    # A rate is a float whatever its default is: LBFGS's is the integer 1.
    return kinds | {"lr": replace(kinds["lr"], type=float)} if "lr" in kinds else kinds


def distinguished(contenders: Sequence[Contender]) -> list[Contender]:
    """The same contenders with labels that differ: a repeated one is told apart by its values."""
    labels = [c.label for c in contenders]
    result = []
    for c in contenders:
        if labels.count(c.label) == 1:
            result.append(c)
            continue
        same = [other for other in contenders if other.label == c.label]
        telling = {name: values for name, values in c.grid.items() if any(o.grid.get(name) != values for o in same)}
        written = ",".join(f"{name}={_range(values)}" for name, values in telling.items())
        label = f"{c.label}:{written}" if written else c.label
        result.append(replace(c, label=label))
    if len({(c.label, c.source) for c in result}) == len(result):
        result = [_with_source(c) if [r.label for r in result].count(c.label) > 1 else c for c in result]
    labels = [c.label for c in result]
    if repeated := next((label for label in labels if labels.count(label) > 1), None):
        raise InputError(f"Optimizer {repeated} is named twice with the same values.")
    return result


def _with_source(c: Contender) -> Contender:
    return replace(c, label=f"{Path(str(c.source).rpartition(':')[0]).name or c.source}:{c.label}")


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


def wrappers_of(algorithm: Algorithm) -> tuple[str, ...]:
    """The names of the wrappers around a rule, the outermost first."""
    names = []
    while isinstance(algorithm, Wrapper):
        names.append(type(algorithm).__name__)
        algorithm = algorithm.rule
    return tuple(names)


def others_of(algorithm: Algorithm) -> str | None:
    """The class of the rule that gets the vectors, where a rule does not get all parameters."""
    while isinstance(algorithm, Wrapper):
        algorithm = algorithm.rule
    return type(algorithm.others.core()).__name__ if isinstance(algorithm, Route) else None


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


def _kind_of_default(default: Any) -> Kind:
    if isinstance(default, bool):
        return Kind(bool)
    if isinstance(default, float):
        return Kind(float)
    if default is None:
        return Kind(Any, optional=True)
    return Kind(Any)


def _range(values: Sequence[Any]) -> str:
    return f"{values[0]:g}..{values[-1]:g}" if len(values) > 2 else "|".join(map(str, values))
