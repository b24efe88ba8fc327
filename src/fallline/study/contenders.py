"""Contenders: the optimizers that a study compares, each with the values that are tried."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from fallline.errors import InputError
from fallline.protocol import TRIALS, Search, Space, trial_settings
from fallline.rules import LogRange, Rule
from fallline.rules.kinds import Kind
from fallline.study.space import checked
from fallline.training import Algorithm
from fallline.wrappers import Route, Wrapper


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
                return any(_made(self.algorithm, ones, setting) for ones in (torch.ones(1), torch.ones(1, 1)))
        except InputError:
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


def kinds_of(algorithm: Algorithm) -> dict[str, Kind]:
    """The hyperparameters of a rule, or of a torch optimizer class as its signature shows them."""
    if isinstance(algorithm, Rule):
        return algorithm.kinds()
    parameters = list(inspect.signature(algorithm).parameters.values())[1:]
    kinds = {p.name: _kind_of_default(p.default) for p in parameters if p.kind is not p.VAR_KEYWORD}
    # A rate is a float whatever its default is: LBFGS's is the integer 1.
    return kinds | {"lr": replace(kinds["lr"], type=float)} if "lr" in kinds else kinds


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
        written = ",".join(
            f"{name}={_told(values, [o.grid.get(name, ()) for o in same])}" for name, values in telling.items()
        )
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


def _made(algorithm: type[torch.optim.Optimizer], ones: torch.Tensor, setting: Mapping[str, Any]) -> bool:
    """Whether a torch optimizer takes a setting for a parameter, which may be of too few axes for it."""
    try:
        algorithm([ones.requires_grad_()], **setting)
    except Exception:
        # What it raises for values that it does not take is its own affair.
        return False
    return True


def _kind_of_default(default: Any) -> Kind:
    if isinstance(default, bool):
        return Kind(bool)
    if isinstance(default, float):
        return Kind(float)
    if default is None:
        return Kind(Any, optional=True)
    return Kind(Any)


def _told(values: Sequence[Any], others: Sequence[Sequence[Any]]) -> str:
    """Values in short, or all of them where others would be the same in short."""
    short = _range(values)
    return _listed(values) if any(own != values and _range(own) == short for own in others) else short


def _range(values: Sequence[Any]) -> str:
    whole = len(values) > 2 and all(isinstance(value, int | float) for value in values)
    return f"{values[0]:g}..{values[-1]:g}" if whole else _listed(values)


def _listed(values: Sequence[Any]) -> str:
    return "|".join(map(str, values))
