"""The formula over all parameters at once, through torch's multi-tensor (`_foreach_`) functions."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from fallline.executors.each import Each, per_item
from fallline.executors.multi_tensor import SUB, MultiTensor
from fallline.executors.part import Part, Surroundings, Update, apart
from fallline.executors.recipe import Recipe
from fallline.executors.reference import bound, in_pieces, results, shared, update_of
from fallline.rules import Now, State

_AT_ONCE = 1 << 24
"""Bytes of parameters, about, for which a step is made before it goes on to the next: what it computes on the way takes
a few times as much memory."""


@torch.no_grad()
def foreach(parts: Sequence[Part], around: Surroundings) -> list[Update]:
    """As `reference`, with one call per operation where torch has a multi-tensor form; the rest loops."""
    return in_pieces(Waiting, parts, around, lambda piece: shared(MultiTensor, piece.t))


class Waiting(Update):
    """An update whose operations wait until somebody looks at it, or it is made."""

    def __init__(self, part: Part, now: Now) -> None:
        self._part = part
        self._p = MultiTensor(part.p, private=True)
        self._old = {name: MultiTensor([s[name] for s in part.state], private=True) for name in part.state[0]}
        rule = bound(part, MultiTensor)
        self._decrement, self._new = results(rule, self._p, MultiTensor(part.g), self._old, now)

    @cached_property
    def _whole(self) -> Update:
        return update_of(self._part, self._decrement, self._new)

    @property
    def decrement(self) -> list[Tensor]:  # type: ignore[override]
        """What to subtract from each parameter."""
        return self._whole.decrement

    @property
    def state(self) -> list[State]:  # type: ignore[override]
        """The new state of each parameter."""
        return self._whole.state

    def make(self, part: Part) -> None:
        """Make the update in place, of so many parameters at a time, in the memory that they and their states have."""
        if self._p.kind is None:
            self._whole.make(part)
            return
        waiting = {name: x for name, x in self._new.items() if self._has_own_memory(name, x)}
        known = {name: self._kept(name, x) for name, x in self._new.items() if name not in waiting}
        entries: list[State] = [{} for _ in part.p]
        if known:
            entries = [
                apart({name: values[i] for name, values in known.items()}, p, g)
                for i, (p, g) in enumerate(zip(part.p, part.g, strict=True))
            ]
        if not _separate([self._p, *self._old.values()]):
            for old in self._old.values():
                old.private = False
        # The last operation may write over what all the others have read.
        self._p.private = True
        recipe = Recipe([MultiTensor.waiting(SUB, (self._p, self._subtrahend()), self._p.kind), *waiting.values()])
        for begin, end in _ranges(part.p):
            _, *made = recipe.make(begin, end)
            for i in range(begin, end):
                entries[i].update({name: values[i - begin] for name, values in zip(waiting, made, strict=True)})
        for state, new in zip(part.state, entries, strict=True):
            state.update(new)

    def _has_own_memory(self, name: str, x: Any) -> bool:
        """Whether a new entry of state has the type that it is kept in, and is or will be in memory of its own."""
        if not isinstance(x, MultiTensor) or not x.private or x.kind is not self._old[name].kind:
            return False
        named = [self._p, *self._old.values(), *(y for other, y in self._new.items() if other != name)]
        return not any(x is y for y in named)

    def _kept(self, name: str, x: Any) -> list[Tensor]:
        """A new entry of state that is not waited for, as each parameter keeps it."""
        own = x.items if isinstance(x, Each) else [x.clone() for _ in self._part.p]
        return [y.to(old.dtype) for y, old in zip(own, self._old[name].values(), strict=True)]

    def _subtrahend(self) -> MultiTensor:
        x = self._decrement
        if isinstance(x, MultiTensor) and x.kind is self._p.kind:
            return x
        items = per_item(x, len(self._part.p))
        return MultiTensor([d.to(p.dtype) for d, p in zip(items, self._part.p, strict=True)])


def _separate(lists: Sequence[MultiTensor]) -> bool:
    """Whether all tensors are in memory of their own, which one operation can read and write in one order."""
    tensors = [x for one in lists for x in one.values()]
    return len({x.data_ptr() for x in tensors}) == len(tensors) and all(x.is_contiguous() for x in tensors)


def _ranges(tensors: Sequence[Tensor]) -> Iterator[tuple[int, int]]:
    """The tensors cut into runs of at most so many bytes, or of one tensor that is larger."""
    begin, size = 0, 0
    for i, x in enumerate(tensors):
        if size and size + x.nbytes > _AT_ONCE:
            yield begin, i
            begin, size = i, 0
        size += x.nbytes
    yield begin, len(tensors)
