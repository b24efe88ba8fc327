"""The batches of a training, epoch after epoch; they can begin anywhere."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from torch import Tensor

from fallline.errors import InputError
from fallline.problems.prepared import Prepared
from fallline.problems.sources import Resident, Stream, permutation
from fallline.training.member import Member


class Place(NamedTuple):
    """How far a training is in its data: the epoch, from 0, and how many of its batches have been read."""

    epoch: int = 0
    read: int = 0


def batches(problem: Prepared, member: Member, seed: int, begin: Place) -> Iterator[tuple[Place, Any]]:
    """Every batch with the place behind it, without end. Raises InputError for an epoch without a batch.

    After `begin` come the batches that would have come there: rows in memory are skipped, what is read through a
    dataset or DataLoader is read again and dropped, so that its random transforms draw what they would have drawn.
    """
    size = member.batch_size or 0
    epoch, read = begin
    if problem.train.rows is not None and read == problem.train.steps(size):
        epoch, read = epoch + 1, 0
    while True:
        for batch in _rest_of(problem, member, seed, epoch, read):
            read += 1
            yield Place(epoch, read), batch
        if read == 0:
            raise InputError(f"{problem.problem.name}: the DataLoader gave no batch in epoch {epoch + 1}.")
        epoch, read = epoch + 1, 0


def order_of_epoch(problem: Prepared, member: Member, seed: int, epoch: int) -> Tensor | None:
    """The training rows in the order in which an epoch has them; None where a DataLoader decides."""
    rows = problem.train.rows
    return None if rows is None else permutation(rows, seed, "order", member.seed, _replayed(member, epoch))


def _replayed(member: Member, epoch: int) -> int:
    return 0 if member.order == "fixed" else epoch


def _rest_of(problem: Prepared, member: Member, seed: int, epoch: int, read: int) -> Iterator[Any]:
    size = member.batch_size or 0
    order = order_of_epoch(problem, member, seed, epoch)
    stream = Stream(seed, "epoch", member.seed, _replayed(member, epoch))
    if isinstance(problem.train, Resident) and order is not None:
        return problem.train.epoch(size, order[read * size :], stream)
    return islice(problem.train.epoch(size, order, stream), read, None)
