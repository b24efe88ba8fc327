"""Learning rate and batch size together: the final losses where several of both were tried."""

import math
from collections.abc import Iterable
from typing import Any

from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.words import decimals, number, quantity_text, setting_parts, value_text
from fallline.study import StudyResults
from fallline.study.rate_batch_grid import RateBatchGrid


def heat_maps(results: StudyResults) -> list[dict[str, Any]]:
    """The maps that the page draws, one for each optimizer; one colour is one loss in all maps of a problem."""
    grids = results.rate_batch_grids
    return [
        {
            "title": _title(grid, grids),
            "optimizer": grid.optimizer,
            "text": quantity_text(grid.quantity),
            "rates": list(map(value_text, grid.rates)),
            "sizes": list(map(str, grid.batch_sizes)),
            "losses": grid.losses,
            "tried": [[loss is not None for loss in row] for row in grid.losses],
            "limits": _limits(grid.problem, grids),
        }
        for grid in grids
    ]


def heat_tables(results: StudyResults, styles: dict[str, Look]) -> list[tuple[str, list[Entry]]]:
    """The same as tables: a row for each batch size, a column for each learning rate."""
    grids = results.rate_batch_grids
    return [(f"{_title(grid, grids)}: {grid.optimizer}", _entries(grid, styles)) for grid in grids]


def _entries(grid: RateBatchGrid, styles: dict[str, Look]) -> list[Entry]:
    places = decimals(_finite([grid]))
    return [
        Entry(
            f"batch size {size}",
            styles[grid.optimizer].color,
            tuple(
                Cell(f"lr {value_text(rate)}", _text(loss, places)) for rate, loss in zip(grid.rates, row, strict=True)
            ),
        )
        for size, row in zip(grid.batch_sizes, grid.losses, strict=True)
    ]


def _title(grid: RateBatchGrid, grids: Iterable[RateBatchGrid]) -> str:
    """The problem, and what of factors and schedule tells this grid from the others of the problem."""
    others = [other for other in grids if other.problem == grid.problem]
    told = {
        name: value for name, value in grid.factors.items() if len({repr(other.factors[name]) for other in others}) > 1
    }
    if len({other.schedule for other in others}) > 1:
        told["schedule"] = grid.schedule
    return ", ".join([grid.problem, *setting_parts(told)])


def _limits(problem: str, grids: Iterable[RateBatchGrid]) -> list[float] | None:
    losses = _finite(grid for grid in grids if grid.problem == problem)
    return [min(losses), max(losses)] if losses else None


def _finite(grids: Iterable[RateBatchGrid]) -> list[float]:
    losses = [loss for grid in grids for row in grid.losses for loss in row]
    return [loss for loss in losses if loss is not None and math.isfinite(loss)]


def _text(loss: float | None, places: int | None) -> str:
    if loss is None:
        return "-"
    return number(loss, places) if math.isfinite(loss) else "diverged"
