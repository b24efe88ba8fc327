"""How wide the good learning rates of each optimizer are."""

from typing import Any

from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.panels import Panel
from fallline.report.words import listed, number, value_text
from fallline.statistics import RateRobustness
from fallline.study import Row, StudyResults


def robust_rates(results: StudyResults, panel: Panel) -> list[tuple[Row, RateRobustness]]:
    """The rows of a panel that were tried with several learning rates, and how wide the good ones are."""
    found = [(row, results.rate_robustness(row)) for row in panel.rows]
    return [(row, robustness) for row, robustness in found if robustness is not None]


def width_spans(results: StudyResults, panel: Panel) -> list[dict[str, Any]]:
    """The stretches of good rates that the page draws, by the per cent of the best loss."""
    return [
        {
            "optimizer": row.optimizer,
            "text": f"within 5 %: {_decades(found, 0.05)}; within 10 %: {_decades(found, 0.1)}",
            "spans": {str(round(100 * within)): spans for within, spans in found.spans.items()},
        }
        for row, found in robust_rates(results, panel)
        if any(found.spans.values())
    ]


def width_entries(results: StudyResults, panel: Panel, styles: dict[str, Look]) -> list[Entry]:
    """The same as a table, with the least rate at which a seed diverged."""
    return [
        Entry(
            row.optimizer,
            styles[row.optimizer].color,
            (
                Cell("best lr", value_text(found.best_rate)),
                Cell("within 5\N{NO-BREAK SPACE}%", _decades(found, 0.05), _rates(found, 0.05)),
                Cell("within 10\N{NO-BREAK SPACE}%", _decades(found, 0.1), _rates(found, 0.1)),
                Cell("diverges from", "never" if found.diverging is None else f"lr {value_text(found.diverging)}"),
            ),
        )
        for row, found in robust_rates(results, panel)
    ]


def _decades(found: RateRobustness, within: float) -> str:
    width = found.decades[within]
    if width is None:
        return "-"
    return f"{'at least ' if found.at_edge[within] else ''}{width:.2f} decades"


def _rates(found: RateRobustness, within: float) -> str:
    spans = found.spans[within]
    told = [f"{number(low)} to {number(high)}" if high > low else number(low) for low, high in spans]
    return f"({listed(told)})" if told else ""
