"""The batches of several seeds side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map, tree_unflatten

from fallline.cohorts.reasons import CannotMap
from fallline.problems.prepared import Prepared
from fallline.problems.sources import Resident
from fallline.training.batches import Place, batches, order_of_epoch
from fallline.training.member import Member

_AT_ONCE = 1024**2
"""Bytes of batches that are laid side by side at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of every seed, as the leaves of a tree, (seeds, rows, ...) each: a step needs no more, every time."""

    leaves: Sequence[Any]
    structure: TreeSpec

    def tree(self) -> Any:
        """The batch as a loss takes it."""
        return tree_unflatten(self.leaves, self.structure)


def batches_of_seeds(
    problem: Prepared, members: Sequence[Member], seed: int, begin: Place
) -> Iterator[tuple[Place, Batch]]:
    """Every batch of members that differ in their seeds, stacked along a first axis, with the place behind it."""
    if isinstance(problem.train, Resident):
        return _resident(problem, problem.train, members, seed, begin)
    each = zip(*(batches(problem, member, seed, begin) for member in members), strict=True)
    return ((found[0][0], Batch(*tree_flatten(_stacked([batch for _, batch in found])))) for found in each)


def _resident(
    problem: Prepared, data: Resident, members: Sequence[Member], seed: int, begin: Place
) -> Iterator[tuple[Place, Batch]]:
    size = members[0].batch_size or 0
    read = begin.read
    for epoch in count(begin.epoch):
        orders = [order_of_epoch(problem, member, seed, epoch) for member in members]
        order = torch.stack([rows for rows in orders if rows is not None]).to(data.device)
        number = read
        while number < data.steps(size):
            for batch in _gathered(data, order[:, number * size :], size):
                number += 1
                yield Place(epoch, number), batch
        read = 0


def _gathered(data: Resident, order: Tensor, size: int) -> Iterator[Batch]:
    """The first batches of an order, (seeds, rows): as many as are cheap to lay side by side, or the ragged last."""
    seeds, left = order.shape
    whole = left // size
    row = sum(x[:1].nbytes for x in tree_leaves(data.tensors))
    count = min(whole, max(1, _AT_ONCE // (seeds * size * row))) or 1
    size = min(size, left)
    chosen = order[:, : count * size].reshape(seeds, count, size).transpose(0, 1).reshape(-1)
    leaves, structure = tree_flatten(data.tensors)
    gathered = [x.index_select(0, chosen).view(count, seeds, size, *x.shape[1:]).unbind() for x in leaves]
    return (Batch(batch, structure) for batch in zip(*gathered, strict=True))


def _stacked(found: Sequence[Any]) -> Any:
    """Batches of several seeds side by side. Raises CannotMap where they differ in shape, as padded ones may, or hold
    more than tensors.
    """
    if not all(isinstance(x, Tensor) for batch in found for x in tree_leaves(batch)):
        raise CannotMap("its batches hold more than tensors")
    shapes = [[x.shape for x in tree_leaves(batch)] for batch in found]
    if any(own != shapes[0] for own in shapes):
        raise CannotMap("batches of its seeds differ in shape")
    return tree_map(lambda *leaves: torch.stack(leaves), *found)
