"""Twelve numbered rows behind a DataLoader, and a loss that tells which of them a batch held, in which order."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from fallline.problems import Problem

ROWS = 12
BASE = 16


class Numbered(Dataset[tuple[float, float]]):
    """Items 0 to 11: each its own number, and that of the worker process that read it (0: none)."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> tuple[float, float]:
        worker = get_worker_info()
        return float(index), 0.0 if worker is None else worker.id + 1.0


class Backwards(Sampler[int]):
    """The last item first."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(ROWS - 1, -1, -1))

    def __len__(self) -> int:
        return ROWS


def numbered(name: str, **options: Any) -> Problem:
    """The problem of a DataLoader with these options."""
    return Problem(
        model=lambda: nn.Linear(1, 1).double(),
        loss=written,
        train=DataLoader(Numbered(), **options),
        metrics={"pinned": pinned},
        name=name,
    )


def written(model: nn.Module, batch: Any) -> Tensor:
    """The rows of a batch and their worker as one number, exact in float64; training does not change it.

    A digit to the base of 16 for each row, 1 more than its number, and the worker's as the first.
    """
    rows, workers = (batch["rows"], batch["workers"]) if isinstance(batch, dict) else batch
    digits = torch.cat([workers[:1], rows + 1])
    places = BASE ** torch.arange(len(digits) - 1, -1, -1, dtype=torch.float64)
    nothing = 0.0 * model(rows.double()[:, None]).sum()
    number: Tensor = (digits.double() * places).sum() + nothing
    return number


def read(number: float) -> tuple[int, ...]:
    """The rows that `written` wrote; before them the number of the worker process, where one read them.

    >>> read(3.0 * 16 + 1), read((1.0 * 16 + 3) * 16 + 1)
    ((2, 0), (0, 2, 0))
    """
    digits = []
    left = int(number)
    while left:
        left, digit = divmod(left, BASE)
        digits.append(digit - 1)
    return tuple(reversed(digits))


def pinned(model: nn.Module, batch: Any) -> Tensor:
    """1 where the batch lies in pinned memory."""
    rows = batch["rows"] if isinstance(batch, dict) else batch[0]
    return torch.tensor(float(rows.is_pinned()))


def backwards(items: Sequence[tuple[float, float]]) -> dict[str, Tensor]:
    """A collate_fn: a dict instead of a pair, the rows of the batch in reverse."""
    rows, workers = zip(*reversed(items), strict=True)
    return {"rows": torch.tensor(rows), "workers": torch.tensor(workers)}
