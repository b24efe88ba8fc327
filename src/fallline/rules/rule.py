"""A rule: one published update formula, as a frozen dataclass with pure `init` and `step`."""

import dataclasses
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from torch import Tensor

from fallline.errors import InputError
from fallline.rules.kinds import Kind, kinds_of
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange
from fallline.rules.spelling import check_keywords
from fallline.suggestions import unknown

State = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Rule:
    """What every optimizer is made of: `init` makes a parameter's state, `step` says what to subtract.

    Write both as for one tensor, with operators, torch functions and the words of `fallline.rules.maths`:

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class SignDescent(Rule):
    ...     lr: float = 0.01
    ...
    ...     def step(self, p, g, state, now):
    ...         return self.lr * g.sign(), state
    >>> SignDescent(lr=0.1)
    SignDescent(lr=0.1)

    Four laws: a step is pure; it returns the decrement and the new state; a `float` field may differ between
    trainings (so no `if` on it) where a field of another type fixes the program; it is written as for one
    tensor. A quantity that can be absent is `float | None`: None removes it, with its state.
    """

    acts_on: ClassVar[Literal["element", "tensor", "matrix"]] = "element"
    """The smallest piece that the formula needs to see whole; tells executors what may be flattened."""
    ranks: ClassVar[range] = range(65)
    """How many dimensions a parameter may have, of the 64 that torch allows."""
    rounds: ClassVar[bool] = False
    """Whether the formula rounds to bfloat16 inside, where kernels of torch may differ: proofs see one digit then."""
    amplifies: ClassVar[float] = 1.0
    """How many times the formula enlarges rounding (decompositions of matrices do); proofs allow so much more."""
    search: ClassVar[Mapping[str, LogRange]] = {"lr": LogRange(1e-4, 1.0)}
    """The search space: what a study tries where the user names no values."""
    namesake: ClassVar[str | None] = None
    """The class of torch.optim with the same formula; the torch face takes over its signature and state."""
    torch_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """torch's key in param_groups -> the field or fields it stands for, where the names differ."""
    torch_step: ClassVar[bool | type[int]] = True
    """Whether torch's state holds the count of updates as `step`; `int` where it is a Python number there."""
    sparse: ClassVar[bool] = False
    """Whether the rows that a sparse gradient names may be stepped alone, the others left as they are."""
    sharded: ClassVar[bool] = True
    """Whether the formula takes a parameter that lies in parts on several processes (DTensor, as FSDP2 makes)."""
    refuses: ClassVar[Mapping[str, str]] = {}
    """The wrappers, by name, that can stand around this rule at no depth, and why: a sentence for the user."""
    includes: ClassVar[tuple[str, ...]] = ()
    """The classes of rules that this one becomes exactly at some of its values; well tuned it is no worse than they."""
    penalty: ClassVar[str | None] = None
    """The field that penalises weights, which is 0 for parameters that are no weights (`optim.weights_only`)."""

    if not TYPE_CHECKING:  # type checkers know from each class itself what it takes

        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            check_keywords(cls, kwargs)
            return super().__new__(cls)

    def __post_init__(self) -> None:
        for name, kind in kinds_of(type(self)).items():
            object.__setattr__(self, name, kind.checked(type(self).__name__, name, getattr(self, name)))

    def init(self, p: Tensor) -> State:
        """The state of a parameter before its first update."""
        return {}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        """What to subtract from p at gradient g, and the new state."""
        raise NotImplementedError(f"{type(self).__name__} has no step.")

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        """The weights to evaluate the model with, where they are not those that gradients are taken at."""
        return p

    def kinds(self) -> dict[str, Kind]:
        """The kind of every hyperparameter by name; a wrapper's own are called `wrapper.field`."""
        return kinds_of(type(self))

    def hyperparameters(self) -> dict[str, Any]:
        """The value of every hyperparameter, by the names of `kinds()`."""
        return {name: getattr(self, name) for name in kinds_of(type(self))}

    def program(self) -> Hashable:
        """What fixes the program: the class and all but the floats. Equal programs may run as one."""
        fixed = {
            name: value is None if kind.is_float else value
            for (name, kind), value in zip(
                kinds_of(type(self)).items(), Rule.hyperparameters(self).values(), strict=True
            )
        }
        return type(self), tuple(fixed.items())

    def penalties(self) -> tuple[str, ...]:
        """The names, among those of `kinds()`, of the hyperparameters that penalise weights."""
        return () if self.penalty is None else (self.penalty,)

    def core(self) -> "Rule":
        """The rule inside all wrappers."""
        return self

    def floats(self) -> dict[str, Any]:
        """The hyperparameters that may differ between trainings of this program."""
        kinds = self.kinds()
        return {n: v for n, v in self.hyperparameters().items() if kinds[n].is_float and v is not None}

    def bind(self, values: Mapping[str, Any]) -> Self:
        """The same rule with some hyperparameters set, unchecked: tensors, or what a schedule writes."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__, **values)
        return bound

    def replace(self, values: Mapping[str, Any]) -> Self:
        """The same rule with some hyperparameters set; unknown names and illegal values are InputErrors."""
        kinds = self.kinds()
        for name in values:
            if name not in kinds:
                raise InputError(unknown(name, kinds, f"hyperparameter of {type(self).__name__}"))
        checked = {name: kinds[name].checked(type(self).__name__, name, value) for name, value in values.items()}
        replaced = self.bind(checked)
        replaced.__post_init__()
        return replaced
