"""A wrapper: a rule made from a rule."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor

from fallline.errors import InputError
from fallline.rules import Now, Rule, State
from fallline.rules.kinds import Kind, kinds_of

_COARSENESS = ("element", "tensor", "matrix")


@dataclass(frozen=True)
class Wrapper(Rule):
    """A rule around another rule, whose state and hyperparameters it hands through.

    Its own hyperparameters are called `name.field` beside those of the rule inside, its own state `name.entry`. What
    it does to the gradient is done to the one that is handed in; a wrapper that changes the loss itself also changes
    the further gradients that the rule inside asks for (`now.gradient`). Its class declares what its
    own formula acts on; a wrapper at hand acts on that or what the rule inside does, the coarser of the two.
    """

    rule: Rule

    name: ClassVar[str]
    scaled_by_lr: ClassVar[bool] = False
    """Whether the formula is scaled by the learning rate of the rule inside, which must then have one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rule.__post_init__()
        inner = self.rule.kinds()
        if clash := [name for name in self._own() if name in inner]:
            raise InputError(f"{type(self).__name__} stands around a rule that already has {clash[0]!r}.")
        if self.scaled_by_lr and "lr" not in inner:
            raise InputError(
                f"{type(self).__name__} is scaled by lr, which {type(self.core()).__name__} lacks. "
                "Give that rule a field lr."
            )
        self._refuse_impossible()
        # A piece that is cut for the wrapper must still be whole for the rule inside, and the other way round.
        object.__setattr__(self, "acts_on", max(type(self).acts_on, self.rule.acts_on, key=_COARSENESS.index))
        object.__setattr__(self, "ranks", self.rule.ranks)
        object.__setattr__(self, "refuses", {**self.rule.refuses, **type(self).refuses})
        object.__setattr__(self, "rounds", self.rule.rounds)
        object.__setattr__(self, "sharded", type(self).sharded and self.rule.sharded)
        object.__setattr__(self, "amplifies", type(self).amplifies * self.rule.amplifies)

    def init(self, p: Tensor) -> State:
        return self.rule.init(p)

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        return self.rule.step(p, g, state, now)

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return self.rule.eval_point(p, state)

    def kinds(self) -> dict[str, Kind]:
        own = kinds_of(type(self))
        return self.rule.kinds() | {name: own[field] for name, field in self._own().items()}

    def hyperparameters(self) -> dict[str, Any]:
        return self.rule.hyperparameters() | {n: getattr(self, field) for n, field in self._own().items()}

    def program(self) -> Hashable:
        own = kinds_of(type(self))
        values = {field: getattr(self, field) for field in self._own().values()}
        fixed = {field: value is None if own[field].is_float else value for field, value in values.items()}
        return type(self), tuple(fixed.items()), self.rule.program()

    def bind(self, values: Mapping[str, Any]) -> Self:
        own = self._own()
        inner = self.rule.bind({name: value for name, value in values.items() if name not in own})
        return super().bind({"rule": inner} | {own[name]: value for name, value in values.items() if name in own})

    def penalties(self) -> tuple[str, ...]:
        return (*self.rule.penalties(), *(f"{self.name}.{field}" for field in super().penalties()))

    def core(self) -> Rule:
        return self.rule.core()

    def inner(self, state: State) -> State:
        """The entries of a state that are the rule's inside; the wrapper's own are called `name.entry`."""
        return {name: value for name, value in state.items() if not name.startswith(f"{self.name}.")}

    def _refuse_impossible(self) -> None:
        if (why := self.rule.refuses.get(self.name)) is not None:
            rule = self.rule
            while isinstance(rule, Wrapper) and self.name not in type(rule).refuses:
                rule = rule.rule
            raise InputError(f"{type(self).__name__} cannot stand around {type(rule).__name__}: {why}")

    @classmethod
    def _own(cls) -> dict[str, str]:
        return {f"{cls.name}.{field}": field for field in kinds_of(cls) if field != "rule"}
