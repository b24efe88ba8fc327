"""Losses by learning rate and batch size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fallline.statistics import median_interval
from fallline.study.ranking import grouped, selected_on
from fallline.study.record import Record
from fallline.study.tried_rates import tried_rates


@dataclass(frozen=True)
class RateBatchGrid:
    """The median final losses of one optimizer's search, for each batch size (rows) and learning rate (columns).

    Infinite where half of the runs or more diverged, None where a batch size was not tried with a rate. Where other
    hyperparameters were tuned too, a cell has the best over them.
    """

    problem: str
    optimizer: str
    factors: Mapping[str, Any]
    schedule: str
    quantity: str
    rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    losses: tuple[tuple[float | None, ...], ...]


def rate_batch_grids(records: Sequence[Record]) -> tuple[RateBatchGrid, ...]:
    """A grid for each problem, optimizer, factors and schedule with two batch sizes and two rates or more, given the
    records of a search.
    """
    groups = grouped(records, ("problem", "optimizer", "factors", "schedule"))
    return tuple(grid for own in groups if (grid := _grid(own)) is not None)


def _grid(records: Sequence[Record]) -> RateBatchGrid | None:
    tried = {
        own[0]["batch_size"]: tried_rates(own)
        for own in grouped(records, ("batch_size",))
        if own[0]["batch_size"] is not None
    }
    rates = sorted({rate for found in tried.values() for rate in found})
    if len(tried) < 2 or len(rates) < 2:
        return None
    quantity = selected_on(records)
    cells = {
        (size, rate): median_interval([run.final(quantity) for run in runs]).median
        for size, found in tried.items()
        for rate, runs in found.items()
    }
    first = records[0]
    return RateBatchGrid(
        problem=first["problem"],
        optimizer=first["optimizer"],
        factors=first["factors"],
        schedule=first["schedule"],
        quantity=quantity,
        rates=tuple(rates),
        batch_sizes=tuple(sorted(tried)),
        losses=tuple(tuple(cells.get((size, rate)) for rate in rates) for size in sorted(tried)),
    )
