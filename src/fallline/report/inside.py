"""What went on inside the trainings that were chosen: findings of their diagnostics, and gradients layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fallline.diagnostics import findings
from fallline.report.canvas import (
    drawable,
    grid,
    headline,
    label_ends,
    loss_scale,
    plain_ticks,
    room_for,
    save,
    styled,
    title_width,
)
from fallline.report.measures import measure_text, measured
from fallline.report.panels import condition, foremost_rows
from fallline.report.words import filled, setting_parts, setting_text, shortened
from fallline.study import Record, Row, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 8
NAMED = 4
"""How many runs in which nothing was found are named."""
DEPTH = ("#440154", "#404387", "#29788E", "#22A784", "#79D151", "#C9C400")
"""From the first layer to the last."""


def diagnosed(results: StudyResults) -> bool:
    """Whether the study recorded diagnostics."""
    return any(record_columns(record) for record in results.records)


def record_columns(record: Record) -> dict[str, list[float]]:
    """The diagnostics of a member with their steps; the evaluation of the initial weights has none. Empty without."""
    columns = {name: values[1:] for name, values in record.curve.columns.items() if "/" in name}
    return {"step": record.curve["step"][1:], **columns} if columns else {}


def inside_notes(results: StudyResults, rows: Sequence[Row]) -> list[str]:
    """What the diagnostics found in each row's best run, in sentences, and where noise scale and sharpness ended."""
    return [*found_notes(results, rows), *_measure_notes(results, rows)]


def found_notes(results: StudyResults, rows: Sequence[Row]) -> list[str]:
    """What the diagnostics found in each row's best run, in sentences; that they found nothing, where it is so."""
    found, silent = [], []
    for row in rows:
        if columns := record_columns(row.best_record):
            name = f"{full_name(results, row)}, seed {row.best_record['seed']}"
            sentences = findings(columns)
            found += [f"{name}: {sentence}" for sentence in sentences]
            silent += [] if sentences else [name]
    if silent:
        many = f"any of the {len(silent)} best runs" if len(silent) == len(rows) else f"{len(silent)} other best runs"
        where = many if len(silent) > NAMED else "; ".join(silent)
        found.append(f"No layer vanishes, explodes, is dead or non-finite in {where}.")
    return found


def full_name(results: StudyResults, row: Row) -> str:
    """A row's problem where there are several, its optimizer, and under which conditions where these are compared."""
    told = setting_text(condition(results, row))
    problem = f"{row.problem}, " if len(results.specification.problems) > 1 else ""
    return f"{problem}{row.optimizer}" + (f" ({told})" if told else "")


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """The best row of every optimizer on every problem."""
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        best.setdefault((row.problem, row.optimizer), row)
    return list(best.values())


def save_layers(results: StudyResults, path: str | Path) -> Path:
    """Draw the gradient norm of every layer over the steps, one panel for the best row of each optimizer and, while
    there is room, for the next best.
    """
    recorded = [row for row in results.ranking if record_columns(row.best_record)]
    rows = foremost_rows(recorded, PANELS)
    titles = [_wrapped_name(results, row, title_width(len(rows))) for row in rows]
    part = f"\n{len(rows)} of {len(recorded)} rows of the ranking: the best ones, the best of each optimizer among them"
    with styled():
        figure, axes = grid(len(rows), 3.0, 6, room_for(titles))
        unnamed = [
            _draw(ax, title, record_columns(row.best_record)) for row, title, ax in zip(rows, titles, axes, strict=True)
        ]
        headline(
            figure,
            "Gradient norm of every layer",
            "of the step before each evaluation, in the run with the least loss; dark: first layer, light: last"
            + ("; some layers have no name" if any(unnamed) else "")
            + (part if len(rows) < len(recorded) else ""),
        )
        return save(figure, Path(path))


def _measure_notes(results: StudyResults, rows: Sequence[Row]) -> list[str]:
    return [
        f"{measure.name} at the end ({measure.unit}): "
        + "; ".join(
            " ".join(filter(None, (full_name(results, row), *measure_text(row, measure.column))))
            for row in best_rows(rows)
        )
        + "."
        for measure in measured(results)
    ]


def _wrapped_name(results: StudyResults, row: Row, width: int) -> str:
    problem = [row.problem] if len(results.specification.problems) > 1 else []
    return filled([*problem, row.optimizer, *setting_parts(condition(results, row))], width)


def _draw(ax: "Axes", title: str, columns: Mapping[str, Sequence[float]]) -> int:
    """Draw a run's layers; how many of those drawn have no name beside them."""
    from matplotlib.ticker import MaxNLocator

    norms = {name.partition("/")[2]: v for name, v in columns.items() if name.startswith("gradient_norm/")}
    ends, shown, lines = [], [], 0
    for i, (layer, values) in enumerate(norms.items()):
        color = DEPTH[round(i * (len(DEPTH) - 1) / max(len(norms) - 1, 1))]
        y = drawable(values)
        ax.plot(columns["step"], y, color=color, linewidth=1.5, marker=".", markersize=4)
        kept = y[np.isfinite(y)]
        shown += [float(value) for value in kept if value > 0]
        lines += len(kept) > 0
        if len(kept) and (len(norms) <= 12 or i % (len(norms) // 8) == 0):
            ends.append((float(kept[-1]), shortened(layer, 20), color))
    loss_scale(ax, shown)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("step")
    ax.set_ylabel("gradient norm")
    ax.set_title(title)
    plain_ticks(ax)
    label_ends(ax, ends, 0.06)
    return lines - len(ends)
