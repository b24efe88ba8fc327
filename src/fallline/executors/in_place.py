"""From updates to a step: what a pure executor found is subtracted and kept."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fallline.executors.part import Executor, Part, Surroundings, Update
from fallline.rules import State


def in_place(updates: Callable[[Sequence[Part], Surroundings], list[Update]]) -> Executor:
    """The executor that makes the step which `updates` describes."""

    def step(parts: Sequence[Part], around: Surroundings) -> None:
        for part, update in zip(parts, updates(parts, around), strict=True):
            kept = [apart(new, p, g) for new, p, g in zip(update.state, part.p, part.g, strict=True)]
            with torch.no_grad():
                torch._foreach_sub_(part.p, update.decrement)
            for state, new in zip(part.state, kept, strict=True):
                state.update(new)

    return step


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
