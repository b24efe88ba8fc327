"""The numbers of a study as the page's script reads them: plain values, safe inside a script element."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fallline.plain import finite
from fallline.report.arrivals import arrival_curves
from fallline.report.budgets import budget_lines
from fallline.report.colors import looks
from fallline.report.heat_maps import heat_maps
from fallline.report.inside import best_rows
from fallline.report.judged import verdict_pairs
from fallline.report.measures import Measure, measured, measured_curve
from fallline.report.overall import overall
from fallline.report.panels import Panel, condition, foremost
from fallline.report.series import median_curve, tried_values, tuned_numbers
from fallline.report.widths import width_spans
from fallline.report.words import quantity_text, setting_text
from fallline.study import Record, Row, StudyResults
from fallline.study.direction import less_is_better
from fallline.training.curve import COUNTS


def embedded(results: StudyResults, shown: Sequence[Panel]) -> str:
    """JSON with everything that the page draws, every point of every curve shown included."""
    text = json.dumps(finite(_document(results, shown)), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _document(results: StudyResults, shown: Sequence[Panel]) -> dict[str, Any]:
    first = foremost(shown)
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    return {
        "looks": {
            label: {"color": look.color, "dash": look.dash.plotly, "symbol": look.marker.plotly}
            for label, look in styles.items()
        },
        "quantities": _quantities(shown),
        "panels": [_panel(results, panel, panel in first) for panel in shown],
        "verdicts": verdict_pairs(results, styles),
        "heat": heat_maps(results),
        "overall": overall(results),
        "inside": [
            {"name": measure.column, "problem": problem, **_measure(results, measure, problem)}
            for measure in measured(results)
            for problem in dict.fromkeys(panel.problem for panel in shown)
        ],
    }


def _quantities(shown: Iterable[Panel]) -> list[dict[str, Any]]:
    """The recorded quantities by name and split: `loss` has `train`, `validation`, `test` and `batch`."""
    names: dict[str, list[str]] = {}
    recorded = dict.fromkeys(name for panel in shown for record in panel.members for name in record.curve.columns)
    for quantity in recorded:
        split, _, name = quantity.partition("_")
        if name and split in ("train", "validation", "test", "batch"):
            names.setdefault(name, []).append(quantity)
    return [
        {
            "name": name,
            "logarithmic": less_is_better(name),
            "columns": [{"column": quantity, "text": quantity_text(quantity)} for quantity in columns],
        }
        for name, columns in names.items()
    ]


def _panel(results: StudyResults, panel: Panel, at_first: bool) -> dict[str, Any]:
    return {
        "title": panel.title,
        "problem": panel.problem,
        "atFirst": at_first,
        "selectedOn": panel.selected_on,
        "selectedText": quantity_text(panel.selected_on),
        "rows": [_row(row) for row in panel.rows],
        "tried": {name: _tried(panel, name) for name in tuned_numbers(panel.rows, panel)},
        "widths": width_spans(results, panel),
        "budgets": budget_lines(results, panel),
        "arrivals": arrival_curves(panel),
    }


def _row(row: Row) -> dict[str, Any]:
    columns = [name for name in row.winners[0].curve.columns if name not in COUNTS]
    return {
        "optimizer": row.optimizer,
        "values": setting_text(row.told),
        "runs": [_run(record, columns) for record in row.winners],
        "medians": {name: vars(median_curve(row.winners, name)) for name in columns},
    }


def _run(record: Record, columns: Iterable[str]) -> dict[str, Any]:
    return {
        "seed": record["seed"],
        "diverged": record.outcome.cause if record.diverged else None,
        "step": record.curve["step"],
        "columns": {name: record.curve[name] for name in columns},
    }


def _measure(results: StudyResults, measure: Measure, problem: str) -> dict[str, Any]:
    rows = best_rows([row for row in results.ranking if row.problem == problem])
    return {
        "text": f"{measure.name.lower()} ({measure.unit})",
        "rows": [
            {
                "optimizer": row.optimizer,
                "values": setting_text({**row.told, **condition(results, row)}),
                **vars(measured_curve(row.winners, measure.column)),
            }
            for row in rows
        ],
    }


def _tried(panel: Panel, name: str) -> list[dict[str, Any]]:
    return [
        {
            "optimizer": row.optimizer,
            "points": [
                {
                    "value": tried.value,
                    "setting": setting_text({key: tried.settings[key] for key in row.tuned} or tried.settings),
                    "median": tried.median,
                    "finals": [run.final(row.selected_on) for run in tried.runs if not run.diverged],
                    "diverged": sum(run.diverged for run in tried.runs),
                    "seeds": len(tried.runs),
                    "chosen": tried.value == row.hyperparameters.get(name),
                }
                for tried in tried_values(panel, row, name)
            ],
        }
        for row in panel.rows
    ]
