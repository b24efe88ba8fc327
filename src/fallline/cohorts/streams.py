"""The batches of several seeds side by side."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from fallline.problems.prepared import Prepared
from fallline.problems.sources import Resident
from fallline.training.batches import Place, batches, order_of_epoch
from fallline.training.member import Member


def batches_of_seeds(
    problem: Prepared, members: Sequence[Member], seed: int, begin: Place
) -> Iterator[tuple[Place, Any]]:
    """Every batch of members that differ in their seeds, stacked along a first axis, with the place behind it."""
    if isinstance(problem.train, Resident):
        return _resident(problem, problem.train, members, seed, begin)
    each = zip(*(batches(problem, member, seed, begin) for member in members), strict=True)
    return ((found[0][0], _stacked([batch for _, batch in found])) for found in each)


def _resident(
    problem: Prepared, data: Resident, members: Sequence[Member], seed: int, begin: Place
) -> Iterator[tuple[Place, Any]]:
    size = members[0].batch_size or 0
    read = begin.read
    for epoch in count(begin.epoch):
        orders = [order_of_epoch(problem, member, seed, epoch) for member in members]
        order = torch.stack([rows for rows in orders if rows is not None]).to(data.device)
        for number in range(read, data.steps(size)):
            chosen = order[:, number * size : (number + 1) * size]
            yield Place(epoch, number + 1), _rows(data, chosen)
        read = 0


def _rows(data: Resident, chosen: Tensor) -> Any:
    flat = chosen.reshape(-1)
    return tree_map(lambda x: x.index_select(0, flat).view(*chosen.shape, *x.shape[1:]), data.tensors)


def _stacked(found: Sequence[Any]) -> Any:
    return tree_map(lambda *leaves: torch.stack(leaves) if isinstance(leaves[0], Tensor) else leaves[0], *found)
