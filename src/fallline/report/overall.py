"""Several problems together: mean ranks, and by which factor losses differ."""

from typing import Any

from fallline.plain import unbounded
from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.notes import percent
from fallline.report.words import number
from fallline.statistics import Interval
from fallline.study import StudyResults

PAIRS = 15
"""So many pairs are drawn at most; of more, those of the best in rank."""


def overall(results: StudyResults) -> dict[str, Any] | None:
    """Ranks and factors as the page draws them; None where there is one problem."""
    across = results.across_problems
    if across is None:
        return None
    label = across.entrants[0].label
    pairs = [pair for pair in across.ratios if len(across.ratios) <= PAIRS or label in (pair.first, pair.second)]
    return {
        "ranks": [
            {"optimizer": entrant.optimizer, "label": entrant.label, **_drawn(rank)}
            for entrant, rank in zip(across.entrants, across.ranks, strict=True)
        ],
        "ratios": [{"first": pair.first, "second": pair.second, **_drawn(pair.ratio.interval)} for pair in pairs],
    }


def overall_entries(results: StudyResults, styles: dict[str, Look]) -> list[Entry]:
    """A table of the mean ranks with what each optimizer reached on each problem, best first."""
    across = results.across_problems
    if across is None:
        return []
    return [
        Entry(
            entrant.label,
            styles[entrant.optimizer].color,
            (
                Cell("mean rank", f"{rank.estimate:.2f}", _bounds(rank)),
                *(Cell(problem, number(loss)) for problem, loss in zip(across.problems, losses, strict=True)),
            ),
        )
        for entrant, rank, losses in zip(across.entrants, across.ranks, across.losses, strict=True)
    ]


def ratio_entries(results: StudyResults, styles: dict[str, Look]) -> list[Entry]:
    """A table of the factors between two optimizers."""
    across = results.across_problems
    if across is None:
        return []
    colors = {entrant.label: styles[entrant.optimizer].color for entrant in across.entrants}
    return [
        Entry(
            pair.first,
            colors[pair.first],
            (
                Cell("against", pair.second, numeric=False),
                Cell("typical factor", number(pair.ratio.interval.estimate), _bounds(pair.ratio.interval)),
                Cell("level", percent(pair.ratio.interval.level)),
                Cell("geometric mean", "-" if pair.ratio.geometric_mean is None else number(pair.ratio.geometric_mean)),
            ),
        )
        for pair in across.ratios
    ]


def _drawn(interval: Interval) -> dict[str, Any]:
    return {name: unbounded(value) for name, value in vars(interval).items()}


def _bounds(interval: Interval) -> str:
    return f"[{number(interval.low)}, {number(interval.high)}]"
