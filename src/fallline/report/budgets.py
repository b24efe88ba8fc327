"""What a search of fewer trials is expected to have found, optimizer by optimizer."""

import math
from typing import Any

from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.panels import Panel
from fallline.report.words import counted, decimals, number
from fallline.study import Row, StudyResults
from fallline.study.search_curve import SearchCurve

SHOWN = 6
"""How many budgets the table shows."""
BUDGETS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def searched(results: StudyResults, panel: Panel) -> list[tuple[Row, SearchCurve]]:
    """The rows of a panel that chose among several trials, with what fewer of them would have found."""
    found = [(row, results.expected_best(row)) for row in panel.rows]
    return [(row, curve) for row, curve in found if curve is not None]


def budget_lines(results: StudyResults, panel: Panel) -> list[dict[str, Any]]:
    """The lines and bands that the page draws."""
    return [
        {
            "optimizer": row.optimizer,
            "expected": curve.expected.results,
            "lost": curve.expected.all_diverged,
            "low": [low for low, _ in curve.expected.quartiles],
            "high": [high for _, high in curve.expected.quartiles],
        }
        for row, curve in searched(results, panel)
    ]


def budget_entries(results: StudyResults, panel: Panel, styles: dict[str, Look]) -> list[Entry]:
    """The same as a table, at a few budgets."""
    found = searched(results, panel)
    most = max((len(curve.expected.results) for _, curve in found), default=0)
    shown = [*[k for k in BUDGETS if k < most][: SHOWN - 1], most]
    places = decimals(value for _, curve in found for value in curve.expected.results)
    return [
        Entry(
            row.optimizer,
            styles[row.optimizer].color,
            tuple(Cell(counted(k, "trial"), *_best(curve, k, places)) for k in shown),
        )
        for row, curve in found
    ]


def _best(curve: SearchCurve, k: int, places: int | None) -> tuple[str, str]:
    if k > len(curve.expected.quartiles):
        return "-", ""
    expected, lost = curve.expected.results[k - 1], curve.expected.all_diverged[k - 1]
    low, high = curve.expected.quartiles[k - 1]
    band = f"[{number(low, places)}, {number(high, places)}]" if low < high else ""
    return (number(expected, places), band) if math.isfinite(expected) else (f"{100 * lost:.2g} % all diverge", band)
