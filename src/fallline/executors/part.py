"""What an executor is given and gives back: the parameters of one program, and their decrements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from fallline.rules import Rule, State


@dataclass
class Part:
    """The parameters that one program updates, in one order throughout.

    `values` holds each parameter's float hyperparameters (those of its parameter group), `t` the number of
    the update about to be made, `position` the parameter's place in the whole model.
    """

    rule: Rule
    p: list[Tensor] = field(default_factory=list)
    g: list[Tensor] = field(default_factory=list)
    state: list[State] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    t: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)

    def pieces(self) -> "list[list[int]]":
        """Which parameters a formula may take as one list: any, or those of one shape where it sees matrices;
        and those alone that keep the same entries of state."""
        found: dict[Any, list[int]] = {}
        by_shape = self.rule.acts_on == "matrix"
        for i, (p, state) in enumerate(zip(self.p, self.state, strict=True)):
            found.setdefault((p.shape if by_shape else None, tuple(state)), []).append(i)
        return list(found.values())

    def copy(self) -> "Part":
        """The same part with tensors of its own."""
        return replace(
            self,
            p=[p.clone() for p in self.p],
            g=[g.clone() for g in self.g],
            state=[{name: value.clone() for name, value in state.items()} for state in self.state],
        )

    def only(self, chosen: Sequence[int]) -> "Part":
        """The part with some of its parameters."""
        columns = (self.p, self.g, self.state, self.values, self.t, self.position)
        return Part(self.rule, *([column[i] for i in chosen] if column else [] for column in columns))  # type: ignore[arg-type]


@dataclass
class Update:
    """What to subtract from each parameter of a part, and its new state."""

    decrement: list[Tensor]
    state: list[State]

    def make(self, part: Part) -> None:
        """Make the update in place."""
        kept = [apart(new, p, g) for new, p, g in zip(self.state, part.p, part.g, strict=True)]
        torch._foreach_sub_(part.p, self.decrement)
        for state, new in zip(part.state, kept, strict=True):
            state.update(new)


def apart(state: State, *changing: Tensor) -> State:
    """The state with memory of its own for every entry: a rule may give back p or g itself, which are changed in place
    later, or one tensor under two names."""
    places, found = {_place(x) for x in changing}, {}
    for name, value in state.items():
        found[name] = value.clone() if _place(value) in places else value
        places.add(_place(found[name]))
    return found


def _place(x: Tensor) -> int:
    # A tensor that is sharded over processes has its memory in the local shard.
    local: Tensor = x.to_local() if hasattr(x, "to_local") else x
    return local.untyped_storage().data_ptr()


@dataclass(frozen=True)
class Surroundings:
    """What lies outside the rules: the step's number, keyed noise, and the model's gradient elsewhere.

    `noise(p, position, call)` draws standard normal noise shaped like p; `gradient(points)` takes other
    weights as (position, tensor) pairs and returns the gradients there, in the same order.
    """

    step: int
    noise: Callable[[Tensor, int, int], Tensor]
    gradient: Callable[[Sequence[tuple[int, Tensor]]], list[Tensor]] | None = None

    def due(self, k: int, first: int = 1) -> bool:
        """Whether what is done every k steps, at the step `first` for the first time, is done now."""
        return self.step >= first and (self.step - first) % k == 0


Executor = Callable[[Sequence[Part], Surroundings], None]
"""Makes one step of the parts, in place: their parameters, and the entries of their states."""
