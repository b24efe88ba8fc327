"""Different rules for different parameters of one model."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Self

from torch import Tensor

from fallline.errors import InputError, describe_failure
from fallline.rules import Now, Rule, State
from fallline.rules.kinds import Kind
from fallline.wrappers.wrapper import Wrapper

MAIN_BRANCH = "rule"
_OTHERS = "others"


@dataclasses.dataclass(frozen=True)
class Route(Rule):
    """One rule for matrices and kernels, another for vectors: parameters of rank 2 or more go to `rule`.

    `which(name, p) -> bool` chooses otherwise, such as embeddings and output heads, which Muon is not made for; it
    needs an optimizer on named parameters. The hyperparameters of the others are called `others.lr` and so on. In an
    optimizer every parameter group is split into one for each rule, with an `lr` of its own, so that schedulers scale
    both; wrappers around a Route act on both. A schedule that sets rates instead (OneCycleLR, CyclicLR) needs one for
    each of `optimizer.param_groups`, max_lr=[0.02, 3e-4]. In a group that is given, `lr` is that of `rule` alone, and
    `others.lr` that of the others. For a third rule, give `others` a Route.

    >>> from fallline.rules import AdamW, Muon
    >>> Route(Muon(lr=0.02), others=AdamW(lr=3e-4)).hyperparameters()["others.lr"]
    0.0003
    """

    rule: Rule
    others: Rule
    which: Callable[[str, Tensor], bool] | None = None

    acts_on: ClassVar = "matrix"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rule.__post_init__()
        self.others.__post_init__()
        if len(branches(self.rule)) > 1:
            raise InputError("Route: rule must be one rule; for a third, give others a Route.")
        object.__setattr__(self, "sharded", self.rule.sharded and self.others.sharded)
        object.__setattr__(self, "rounds", self.rule.rounds or self.others.rounds)
        object.__setattr__(self, "amplifies", max(self.rule.amplifies, self.others.amplifies))
        object.__setattr__(self, "refuses", {**self.others.refuses, **self.rule.refuses})

    def init(self, p: Tensor) -> State:
        return self._of(p).init(p)

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        return self._of(p).step(p, g, state, now)

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return self._of(p).eval_point(p, state)

    def kinds(self) -> dict[str, Kind]:
        return self.rule.kinds() | {f"{_OTHERS}.{name}": kind for name, kind in self.others.kinds().items()}

    def hyperparameters(self) -> dict[str, Any]:
        others = self.others.hyperparameters()
        return self.rule.hyperparameters() | {f"{_OTHERS}.{name}": value for name, value in others.items()}

    def program(self) -> Hashable:
        return type(self), self.which, self.rule.program(), self.others.program()

    def bind(self, values: Mapping[str, Any]) -> Self:
        prefix = f"{_OTHERS}."
        others = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        own = {name: value for name, value in values.items() if not name.startswith(prefix)}
        return super().bind({MAIN_BRANCH: self.rule.bind(own), _OTHERS: self.others.bind(others)})

    def penalties(self) -> tuple[str, ...]:
        return (*self.rule.penalties(), *(f"{_OTHERS}.{name}" for name in self.others.penalties()))

    def core(self) -> Rule:
        return self.rule.core()

    def takes(self, name: str | None, p: Tensor) -> bool:
        """Whether a parameter goes to `rule`."""
        if self.which is None:
            return p.dim() > 1
        if name is None:
            raise InputError(
                "Route(which=...) chooses by name: give the optimizer named parameters, model.named_parameters()."
            )
        try:
            return bool(self.which(name, p))
        except Exception as error:
            called = getattr(self.which, "__name__", self.which)
            raise InputError(
                f"Route: {called!r} must take (name, parameter) and tell whether the parameter goes to the first "
                f"rule; at {name!r} it failed: {describe_failure(error)}"
            ) from error

    def _of(self, p: Tensor) -> Rule:
        return self.rule if self.takes(None, p) else self.others


def branches(rule: Rule) -> dict[str, Rule]:
    """The rules among which a rule routes parameters, with all wrappers around each, by label; a single one is "".

    >>> from fallline.rules import AdamW, Muon
    >>> list(branches(Route(Muon(), others=AdamW())))
    ['rule', 'others']
    """
    if isinstance(rule, Route):
        others = {_joined(_OTHERS, label): other for label, other in branches(rule.others).items()}
        return {MAIN_BRANCH: rule.rule} | others
    if isinstance(rule, Wrapper):
        return {label: dataclasses.replace(rule, rule=inner) for label, inner in branches(rule.rule).items()}
    return {"": rule}


def branch_of(rule: Rule, name: str | None, p: Tensor) -> str:
    """The label of the branch that a parameter goes to."""
    if isinstance(rule, Wrapper):
        return branch_of(rule.rule, name, p)
    if isinstance(rule, Route):
        return MAIN_BRANCH if rule.takes(name, p) else _joined(_OTHERS, branch_of(rule.others, name, p))
    return ""


def key_in_whole(rule: Rule, label: str, key: str) -> str:
    """What a hyperparameter of a branch is called among those of the whole rule."""
    if isinstance(rule, Wrapper):
        return key if key.startswith(f"{rule.name}.") else key_in_whole(rule.rule, label, key)
    if isinstance(rule, Route) and label != MAIN_BRANCH:
        return f"{_OTHERS}.{key_in_whole(rule.others, label.removeprefix(_OTHERS).removeprefix('.'), key)}"
    return key


def _joined(first: str, second: str) -> str:
    return f"{first}.{second}" if second else first
