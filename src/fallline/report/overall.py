"""Several problems together: mean ranks, and by which factor losses differ."""

from typing import Any

from fallline.plain import unbounded
from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.notes import percent
from fallline.report.words import number
from fallline.statistics import Interval
from fallline.study import StudyResults
from fallline.study.across_problems import AcrossProblems

PAIRS = 15
"""So many pairs are drawn at most; of more, those of the best in rank."""


def overall(results: StudyResults) -> dict[str, Any] | None:
    """Ranks and factors as the page draws them; None where there is one problem."""
    across = results.across_problems
    if across is None:
        return None
    best = _order(across)[0]
    label = across.entrants[best].label
    pairs = [pair for pair in across.ratios if len(across.ratios) <= PAIRS or label in (pair.first, pair.second)]
    return {
        "ranks": [
            {
                "optimizer": across.entrants[place].optimizer,
                "label": across.entrants[place].label,
                **_drawn(across.ranks[place]),
            }
            for place in _order(across)
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
            across.entrants[place].label,
            styles[across.entrants[place].optimizer].color,
            (
                Cell("mean rank", f"{across.ranks[place].estimate:.2f}", _bounds(across.ranks[place])),
                *(
                    Cell(f"{problem}", number(loss))
                    for problem, loss in zip(across.problems, across.losses[place], strict=True)
                ),
            ),
        )
        for place in _order(across)
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


def _order(across: AcrossProblems) -> list[int]:
    return sorted(range(len(across.entrants)), key=lambda place: across.ranks[place].estimate)


def _drawn(interval: Interval) -> dict[str, Any]:
    return {name: unbounded(value) for name, value in vars(interval).items()}


def _bounds(interval: Interval) -> str:
    return f"[{number(interval.low)}, {number(interval.high)}]"
