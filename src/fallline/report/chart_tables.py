"""The numbers beside each chart of the page, as tables for print and for those who cannot see the chart."""

import math
from collections.abc import Iterable, Sequence

from fallline.report.arrivals import arrival_entries, target_words
from fallline.report.budgets import budget_entries
from fallline.report.cells import Cell, ChartTable, Entry
from fallline.report.colors import Look
from fallline.report.heat_maps import heat_tables
from fallline.report.overall import overall_entries, ratio_entries
from fallline.report.panels import Panel
from fallline.report.series import median_curve, tried_values, tuned_numbers
from fallline.report.widths import width_entries
from fallline.report.words import decimals, number, quantity_text, value_text
from fallline.study import StudyResults

STEPS = 6
"""How many evaluations of a curve its table shows."""

Styles = dict[str, Look]


def chart_tables(results: StudyResults, shown: Sequence[Panel], styles: Styles) -> dict[str, list[ChartTable]]:
    """The tables of every section that has any, by the section's name in the template."""
    return {
        "curves": _tables((panel.title, _curve_entries(panel, styles)) for panel in shown),
        "widths": _tables((panel.title, width_entries(results, panel, styles)) for panel in shown),
        "tried": _tables(
            (f"{panel.title}: {name}", _tried_entries(panel, name, styles))
            for panel in shown
            for name in tuned_numbers(panel.rows, panel)
        ),
        "heat": _tables(heat_tables(results, styles)),
        "budgets": _tables((panel.title, budget_entries(results, panel, styles)) for panel in shown),
        "arrivals": _tables((panel.title, arrival_entries(panel, styles)) for panel in shown),
        "overall": _tables(
            [("Mean ranks and losses", overall_entries(results, styles)), ("Factors", ratio_entries(results, styles))]
        ),
    }


def targets_said(shown: Sequence[Panel]) -> list[str]:
    """The targets in words, each with its problem where there are several."""
    said = {panel.problem: words for panel in shown if (words := target_words(panel)) is not None}
    return [f"{problem}: {words}." if len(said) > 1 else f"{words}." for problem, words in said.items()]


def _tables(found: Iterable[tuple[str, Sequence[Entry]]]) -> list[ChartTable]:
    return [ChartTable(title, tuple(entries)) for title, entries in found if entries]


def _curve_entries(panel: Panel, styles: Styles) -> list[Entry]:
    """Medians over seeds of the quantity that selected, at some evaluations."""
    curves = [(row, median_curve(row.winners, panel.selected_on)) for row in panel.rows]
    steps = sorted({step for _, curve in curves for step in curve.step})
    chosen = [steps[round(i * (len(steps) - 1) / (STEPS - 1))] for i in range(STEPS)]
    places = decimals(value for _, curve in curves for value in curve.median)
    return [
        Entry(
            row.optimizer,
            styles[row.optimizer].color,
            tuple(
                Cell(f"step {step:,.0f}", _text(dict(zip(curve.step, curve.median, strict=True)).get(step), places))
                for step in dict.fromkeys(chosen)
            ),
        )
        for row, curve in curves
    ]


def _tried_entries(panel: Panel, name: str, styles: Styles) -> list[Entry]:
    """One row for each value tried of a hyperparameter."""
    found = [(row, point) for row in panel.rows for point in tried_values(panel, row, name)]
    places = decimals(point.median for _, point in found)
    return [
        Entry(
            row.optimizer,
            styles[row.optimizer].color,
            (
                Cell(name, value_text(point.value)),
                Cell(f"median {quantity_text(row.selected_on)}", _text(point.median, places)),
                Cell("seeds", ", ".join(_text(run.final(row.selected_on), places) for run in point.runs)),
                Cell("diverged", f"{sum(run.diverged for run in point.runs)}/{len(point.runs)}"),
                Cell("chosen", "yes" if point.value == row.hyperparameters.get(name) else "", numeric=False),
            ),
        )
        for row, point in found
    ]


def _text(value: float | None, places: int | None) -> str:
    if value is None:
        return "-"
    return number(value, places) if math.isfinite(value) else "diverged"
