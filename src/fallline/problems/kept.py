"""Batches for evaluations, read once: every evaluation sees the same rows, and reads nothing again."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from fallline.errors import FalllineError, InputError, describe_failure
from fallline.problems.objective import rows
from fallline.problems.sources import RESIDENT_BYTES, Loader, Resident, Source, Streamed

EVALUATION_BATCH = 1024


class Kept:
    """Batches held on the device, in the order in which they were read."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def in_order(self) -> Iterator[Any]:
        """The batches."""
        return iter(self.batches)


Evaluated = Kept | Streamed | Loader
"""What an evaluation iterates with `in_order()`: batches that are kept, or a source that is too large for that."""


def keep(source: Source, where: str, at_most: int | None = None) -> Evaluated:
    """The batches of a source, held if they fit; of a longer DataLoader every so many-th, for about `at_most` rows.

    Raises InputError for a source without a batch, and for NaN or infinity in what is read.
    """
    if isinstance(source, Resident):
        return Kept([_rows(source.tensors, start) for start in range(0, source.rows, EVALUATION_BATCH)])
    batches: list[Any] = []
    size, stride = 0, 1
    for number, batch in enumerate(_checked(source, where)):
        if number == 0 and at_most is not None:
            stride = max(1, source.steps(0) * rows(batch) // at_most)
        if number % stride == 0:
            batches.append(batch)
            size += sum(leaf.nbytes for leaf in tree_leaves(batch) if isinstance(leaf, Tensor))
        if size > RESIDENT_BYTES:
            return source if at_most is None else Kept(batches)
    if not batches:
        raise InputError(f"{where}: there is no batch.")
    return Kept(batches)


def batches_in(data: Evaluated) -> float:
    """How many batches as long as the first an evaluation sees."""
    if isinstance(data, Kept):
        return sum(map(rows, data.batches)) / rows(data.batches[0])
    return data.steps(EVALUATION_BATCH)


def digest(data: Evaluated | Resident) -> str:
    """The digest of every tensor's shape, dtype and bytes; of the first batch alone where a stream is not kept."""
    total = blake2b(digest_size=16)
    for batch in [data.tensors] if isinstance(data, Resident) else _read(data):
        for leaf in tree_leaves(batch):
            if isinstance(leaf, Tensor):
                total.update(f"{leaf.dtype}{tuple(leaf.shape)}".encode())
                total.update(leaf.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _read(data: Evaluated) -> list[Any]:
    return data.batches if isinstance(data, Kept) else [next(data.in_order())]


def _rows(tensors: Any, start: int) -> Any:
    return tree_map(lambda x: x[start : start + EVALUATION_BATCH], tensors)


def _checked(source: Streamed | Loader, where: str) -> Iterator[Any]:
    try:
        for number, batch in enumerate(source.in_order()):
            _check_finite(batch, where, number)
            yield batch
    except FalllineError:
        raise
    except Exception as error:
        raise InputError(f"{where}: reading a batch failed: {describe_failure(error)}") from error


def _check_finite(batch: Any, where: str, number: int) -> None:
    for leaf in tree_leaves(batch):
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            raise InputError(f"{where}: batch {number} holds NaN or infinity. Remove or fill them.")
